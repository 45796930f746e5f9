"""Files of `voice-clone synth`, with the members of the Qwen3-TTS toolbox before this one; tests hold them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from voicemill import files
from voicemill_cloning import results
from voicemill_cloning.cloning import ClonedReference
from voicemill_cloning.marked_files import write_take
from voicemill_cloning.results import SpokenRun
from voicemill_marks.signer import MarkSigner

APP = "voice-clone"


def write_clone(
    run: SpokenRun, cloned: ClonedReference, out: Path, signer: MarkSigner, *, x_vector_only: bool, prep_sec: float
) -> list[Path]:
    """Write the files of a run.

    One take goes to `<out>[/<voice>]/voice_clone_<time>.wav`; several, or a selected one, to a folder of their own.

    Args:
        run: what was spoken.
        cloned: the reference.
        out: folder of results.
        signer: of the metadata of sounds.
        x_vector_only: whether the prompt has the speaker's embedding alone.
        prep_sec: seconds to prepare the reference.

    Raises:
        StorageError: one cannot be written.
    """
    meta = metadata(run, cloned, x_vector_only=x_vector_only, prep_sec=prep_sec)
    parent = out / cloned.slug if cloned.slug else out
    if len(run.takes) == 1 and run.selected is None:
        return _write_one(run, meta, parent, signer)
    if cloned.slug:
        folder = results.free_folder(parent)
    else:
        folder = out / f"voice_clone_{results.free_folder(out / 'voice_clone').name}"
    return results.write_run(run, folder, signer, app=APP, meta=meta)


def _write_one(run: SpokenRun, meta: dict[str, Any], folder: Path, signer: MarkSigner) -> list[Path]:
    (judged,) = run.takes
    stem, number = f"voice_clone_{datetime.now().astimezone():%Y%m%d_%H%M%S}", 2
    first = stem
    while (folder / f"{stem}.wav").exists():
        stem, number = f"{first}_{number}", number + 1
    sound, text, record = folder / f"{stem}.wav", folder / results.TEXT, folder / f"{stem}.meta.json"
    write_take(judged.take, sound, run.origin, signer)
    files.write_text(text, run.text + "\n")
    own = {
        "seed": judged.take.seed,
        "output": {
            "wav": sound.name,
            "duration_sec": round(judged.take.seconds, 3),
            "sample_rate": judged.take.sample_rate,
        },
        "rtf": round(judged.take.rtf, 4),
        "timings": {**meta["timings"], "synth_sec": round(judged.take.computed, 3)},
    }
    files.write_json(record, {**meta, **own})
    return [sound, text, record]


def metadata(run: SpokenRun, cloned: ClonedReference, *, x_vector_only: bool, prep_sec: float) -> dict[str, Any]:
    """`takes.meta.json`."""
    choice, reference = run.choice, cloned.reference
    chosen = reference.prepared.chosen
    return {
        "schema_version": results.SCHEMA_VERSION,
        "app": APP,
        "created_at": results.utc_now(),
        "model": run.model,
        "engine_mode": choice.engine_mode,
        "source_type": choice.source_type,
        "speaker": None,
        "instruct": None,
        "instruct_source": None,
        "language": run.language,
        "ref_language_detected": cloned.language,
        "ref_language_probability": chosen.language_probability,
        "x_vector_only": x_vector_only,
        "tone": choice.tone,
        **results.generation_members(run),
        "text": run.text,
        "timings": {
            "prep_sec": round(prep_sec, 3),
            "model_load_sec": round(run.load_sec, 3),
            "total_sec": round(run.total_sec + prep_sec, 3),
        },
        "reference": {
            "hash": reference.prepared.source_sha256,
            "segment_start": chosen.start,
            "segment_end": chosen.end,
            "segment_duration": round(chosen.seconds, 3),
            "transcript": reference.text,
            "transcript_conf": reference.confidence,
            "whisper_model": cloned.recogniser,
        },
        "variants": len(run.takes),
        "takes": [judged.as_dict() for judged in run.takes],
    }
