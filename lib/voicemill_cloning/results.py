"""Files of one run of `speak`: takes, `takes.meta.json`, `text.txt`, and the result for another program.

The members of both JSON files are those of the Qwen3-TTS toolbox before this one; tests hold them.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from voicemill import files
from voicemill_cloning.choice import VoiceChoice
from voicemill_cloning.marked_files import write_take
from voicemill_cloning.speaking import SynthesisedTake
from voicemill_marks.origin import Origin
from voicemill_marks.signer import MarkSigner

SCHEMA_VERSION = 1
META, TEXT, BEST = "takes.meta.json", "text.txt", "best.wav"


@dataclass(frozen=True)
class JudgedTake:
    """A take with what was found out about it; figures that were not asked for are None.

    Attributes:
        qa: `transcript`, `intelligibility`, `duration_sec`.
        acoustics: level, noise, continuity, clipping.
        metrics: parts of the selection's score.
        rank: 1 is the best.
    """

    take: SynthesisedTake
    qa: dict[str, Any] | None = None
    acoustics: dict[str, Any] | None = None
    metrics: dict[str, Any] | None = None
    rank: int | None = None

    @property
    def name(self) -> str:
        """`take_01`."""
        return f"take_{self.take.index:02d}"

    @property
    def wav(self) -> str:
        """Name of its file."""
        return f"{self.name}.wav"

    def as_dict(self) -> dict[str, Any]:
        """For `takes.meta.json`."""
        found: dict[str, Any] = {
            "take": self.name,
            "wav": self.wav,
            "seed": self.take.seed,
            "duration_sec": round(self.take.seconds, 3),
            "synth_sec": round(self.take.computed, 3),
            "rtf": round(self.take.rtf, 4),
        }
        optional = {
            "qa": self.qa,
            "acoustics": self.acoustics,
            "selection_metrics": self.metrics,
            "selection_rank": self.rank,
        }
        return found | {name: value for name, value in optional.items() if value is not None}


@dataclass(frozen=True)
class SpokenRun:
    """A run, before its files are written.

    Attributes:
        text: that was spoken; `original_text` as it was given.
        generation: sampling options that were used.
        profile: name and source (`explicit`, `voice_default`, `default`) of the profile, and what it resolved to.
        saved: defaults that were saved for the voice.
        selection: the selection's policy and its parts; `selected` is the index of the best take.
        load_sec: seconds to load the engine; `total_sec` of the whole run.
        alignment: times of words of the chosen take.
        origin: for the marks; None for a voice that is unmarked by decision.
    """

    choice: VoiceChoice
    model: str
    language: str
    text: str
    original_text: str
    takes: tuple[JudgedTake, ...]
    pieces: int
    chunked: bool
    generation: dict[str, Any]
    profile: str
    profile_source: str
    profile_meta: dict[str, Any]
    saved: dict[str, Any] | None = None
    selection_policy: dict[str, Any] = field(default_factory=lambda: {"enabled": False})
    selection_metrics: Sequence[dict[str, Any]] = ()
    selected: JudgedTake | None = None
    load_sec: float = 0.0
    total_sec: float = 0.0
    alignment: dict[str, Any] | None = None
    origin: Origin | None = None

    @property
    def chosen(self) -> JudgedTake:
        """The best take, or the first where none was selected."""
        return self.selected or self.takes[0]


def utc_now() -> str:
    """UTC, in seconds, with Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def free_folder(parent: Path) -> Path:
    """A folder for a run, named by the time; a second run in the same second gets a number."""
    stem = datetime.now().astimezone().strftime("%Y%m%d_%H%M%S")
    candidate, number = parent / stem, 2
    while candidate.exists():
        candidate, number = parent / f"{stem}_{number}", number + 1
    return candidate


def write_run(
    run: SpokenRun, folder: Path, signer: MarkSigner, *, app: str, meta: dict[str, Any] | None = None
) -> list[Path]:
    """Write the files of a run; `takes.meta.json` is the last one.

    Args:
        run: what was spoken.
        folder: new, or one that already holds other files, which stay.
        signer: of the metadata.
        app: name in the file.
        meta: content of `takes.meta.json`; by default `metadata`.

    Returns:
        The files, the takes first.

    Raises:
        StorageError: one cannot be written.
    """
    if folder.exists():
        return _write(run, folder, signer, meta or metadata(run, app))
    with files.atomic_directory(folder) as staging:
        written = _write(run, staging, signer, meta or metadata(run, app))
    return [folder / path.name for path in written]


def _write(run: SpokenRun, folder: Path, signer: MarkSigner, meta: dict[str, Any]) -> list[Path]:
    written = []
    for judged in run.takes:
        write_take(judged.take, folder / judged.wav, run.origin, signer)
        written.append(folder / judged.wav)
    if run.selected is not None:
        with files.atomic_path(folder / BEST, suffix=".wav") as temporary:
            shutil.copyfile(folder / run.selected.wav, temporary)
        written.append(folder / BEST)
    files.write_text(folder / TEXT, run.text + "\n")
    files.write_json(folder / META, meta)
    return [*written, folder / TEXT, folder / META]


def metadata(run: SpokenRun, app: str) -> dict[str, Any]:
    """`takes.meta.json`."""
    choice = run.choice
    known = choice.known.file if choice.known else None
    return {
        "schema_version": SCHEMA_VERSION,
        "app": app,
        "created_at": utc_now(),
        "voice_id": choice.voice_id,
        "model": run.model,
        "engine_mode": choice.engine_mode,
        "source_type": choice.source_type,
        "speaker": choice.speaker,
        "instruct": choice.instruction.text,
        "instruct_source": choice.instruction.source,
        "instruct_style": choice.instruction.style,
        "language": run.language,
        "ref_language": known.ref.language if known and known.ref else None,
        "original_text": run.original_text,
        "text": run.text,
        "tone": choice.tone,
        "prompt_path": str(choice.prompt) if choice.prompt else None,
        **generation_members(run),
        "chunked": run.chunked,
        "n_chunks": run.pieces,
        "variants": len(run.takes),
        "load_sec": round(run.load_sec, 3),
        "total_sec": round(run.total_sec, 3),
        "takes": [judged.as_dict() for judged in run.takes],
    }


def generation_members(run: SpokenRun) -> dict[str, Any]:
    """What `takes.meta.json` of every app says of the generation and of the choice among the takes."""
    return {
        "generation_kwargs": run.generation,
        "generation_profile": run.profile,
        "generation_profile_source": run.profile_source,
        "generation_profile_meta": run.profile_meta,
        "voice_generation_defaults": run.choice.defaults.model_dump(mode="json", exclude_none=True),
        "saved_generation_defaults": run.saved,
        "selection_policy": run.selection_policy,
        "selection_metrics": list(run.selection_metrics),
        "selected_take": run.selected.name if run.selected else None,
        "selected_wav": run.selected.wav if run.selected else None,
    }


def result(run: SpokenRun, folder: Path, app: str) -> dict[str, Any]:
    """The file of `--json-result`."""
    choice = run.choice
    found: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "app": app,
        "created_at": utc_now(),
        "run_dir": str(folder),
        "request": {
            "voice_id": choice.voice_id,
            "engine_mode": choice.engine_mode,
            "source_type": choice.source_type,
            "speaker": choice.speaker,
            "language": run.language,
            "text_chars": len(run.text),
            "variants": len(run.takes),
        },
        "model": {"name": run.model},
        "selection": {
            "selected_take": run.selected.name if run.selected else None,
            "selected_wav": run.selected.wav if run.selected else None,
            "enabled": run.selected is not None,
        },
        "timings": {"load_sec": round(run.load_sec, 3), "total_sec": round(run.total_sec, 3)},
        "files": {
            "text": str(folder / TEXT),
            "meta": str(folder / META),
            "takes": [str(folder / judged.wav) for judged in run.takes],
            "best": str(folder / BEST) if run.selected is not None else None,
        },
    }
    return found if run.alignment is None else {**found, "alignment": run.alignment}
