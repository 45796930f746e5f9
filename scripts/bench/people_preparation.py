"""What a preparation keeps of people: the second part of `bench.py people`.

Each set of clips is prepared as it is, soft, in a room, in noise and through MP3, once as single clips and once joined to
one recording with a script. Text and sound belong together in all of them, so every second that is left out for a reason
other than the quality of its sound is an error.
"""

from __future__ import annotations

import csv
import difflib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from processes import run_timed

from voicemill.audio import decode
from voicemill.text import normalise

ROOT = Path(__file__).resolve().parents[2]
RATE = 22_050
CONDITIONS = ("as it is", "-30 dB", "room 0.6 s", "noise 15 dB", "MP3 64 kbit/s")
QUALITY = ("clipped", "noisy", "narrow_band", "long_silence")
"""Reasons that judge the sound and not whether it belongs to its text."""
PAUSE = 0.35
"""Seconds between the clips of a joined recording."""
FOLDS = 4
"""Parts of a person's clips; each is held out once while the others are trained on."""
PROMPTS = "asterisk-core-sounds-en-g722"
PROMPT_TEXTS = "asterisk-core-sounds-en"
Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """A clip of one person and its text."""

    name: str
    path: Path
    text: str


BESIDE = "sound beside the words"
"""Beginning of the detail of stretches that belong to no word."""


@dataclass(frozen=True)
class Outcome:
    """A preparation.

    Attributes:
        seconds: of the input.
        lost: seconds of clips and pieces that were rejected for reasons of text.
        beside: seconds of sound beside the words of kept clips that were cut off.
        quality: seconds that were rejected for the quality of their sound.
        words: of the texts.
        lost_words: that no kept clip has.
        reasons: of the stretches that were left out.
        wall: seconds of the whole command.
        cpu: CPU seconds of the whole command.
    """

    name: str
    condition: str
    joined: bool
    seconds: float
    lost: float
    beside: float
    quality: float
    words: int
    lost_words: int
    reasons: str
    wall: float
    cpu: float


def sets(people: Path, limit: int, least: int = 5) -> Iterator[tuple[str, list[Clip]]]:
    """The sets of the folder by speaker, each with `least` to `limit` clips."""
    for folder in sorted(path for path in people.iterdir() if (path / "metadata.csv").is_file()):
        sounds = {path.stem: path for path in folder.rglob("*.flac")}
        speakers: dict[str, list[Clip]] = {}
        with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.reader(file, delimiter="|", quoting=csv.QUOTE_NONE):
                stem = Path(row[0]).stem
                if stem in sounds:
                    speaker = "" if folder.name == "lj" else row[1]
                    speakers.setdefault(speaker, []).append(Clip(stem, sounds[stem], row[2]))
        for speaker, clips in speakers.items():
            if len(clips) >= least:
                yield f"{folder.name} {speaker}".strip(), clips[:limit]
    texts = sorted((people / "austen").glob("*.txt"))
    if texts:
        yield "austen", [Clip(path.stem, path.with_suffix(".flac"), path.read_text("utf-8").strip()) for path in texts]


def prompts(cache: Path, limit: int) -> list[Clip]:
    """Allison Smith's prompts of four words and more, fetched with apt-get; empty where that is not possible."""
    cache.mkdir(parents=True, exist_ok=True)
    for package in (PROMPTS, PROMPT_TEXTS):
        if not list(cache.glob(f"{package}_*.deb")):
            done = subprocess.run(["apt-get", "download", package], cwd=cache, capture_output=True, check=False)
            if done.returncode:
                return []
        unpacked = cache / package
        if not unpacked.is_dir():
            (archive,) = cache.glob(f"{package}_*.deb")
            data = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], capture_output=True, check=True).stdout
            with subprocess.Popen(["tar", "-x", "-C", _made(unpacked)], stdin=subprocess.PIPE) as tar:
                tar.communicate(data)
    sounds = {path.stem: path for path in sorted((cache / PROMPTS).rglob("*.g722"))}
    found = []
    for path in sorted((cache / PROMPT_TEXTS).rglob("*.txt*")):
        raw = path.read_bytes()
        if path.suffix == ".gz":
            import gzip

            raw = gzip.decompress(raw)
        for line in raw.decode("utf-8", "replace").splitlines():
            name, colon, text = line.partition(": ")
            stem = Path(name).name
            if colon and stem in sounds and len(text.split()) >= 4 and not set("[]<>0123456789") & set(text):
                target = cache / "wavs" / f"{stem}.wav"
                if not target.is_file():
                    target.parent.mkdir(exist_ok=True)
                    argv = ["ffmpeg", "-v", "error", "-y", "-f", "g722", "-i", str(sounds[stem]), str(target)]
                    subprocess.run(argv, check=True)
                found.append(Clip(stem, target, text.strip()))
    return list({clip.name: clip for clip in found}.values())[:limit]


def lost_words(root: Path, clips: Sequence[Clip]) -> tuple[int, list[str]]:
    """The number of words of the clips' texts, and those that no kept clip of the dataset `root` has, one an entry."""
    rows = [json.loads(line) for line in (root / "manifest.jsonl").read_text().splitlines()]
    rows.sort(key=lambda row: (row["source"], row["start"]))
    kept = [word[0] for row in rows for word in row["alignment"]]
    wanted = [word for clip in clips for word in normalise.words(normalise.normalise(clip.text))]
    matcher = difflib.SequenceMatcher(None, wanted, kept, autojunk=False)
    lost = [
        f"{' '.join(wanted[first:last])} > {' '.join(kept[start:end])}"
        for kind, first, last, start, end in matcher.get_opcodes()
        if kind in ("delete", "replace")
        for _ in range(last - first)
    ]
    return len(wanted), lost


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def changed(samples: Samples, condition: str, seed: int) -> Samples:
    """The samples (n,) in a condition; MP3 is made of the file."""
    random = np.random.default_rng(seed)
    loud = float(np.sqrt(np.mean(np.square(samples))))
    if condition == "-30 dB":
        return samples * np.float32(10.0 ** (-30.0 / 20.0))
    if condition.startswith("noise"):
        noise = random.standard_normal(len(samples)) * loud * 10.0 ** (-15.0 / 20.0)
        noisy: Samples = (samples + noise).astype(np.float32) * np.float32(0.7)
        return noisy
    if condition.startswith("room"):
        decay = np.exp(-6.9 * np.arange(round(0.6 * RATE)) / (0.6 * RATE))
        response = np.random.default_rng(0).standard_normal(len(decay)) * decay
        response *= 0.5 / float(np.sqrt(np.sum(np.square(response))))
        response[0] = 1.0
        size = 1 << (len(samples) + len(response)).bit_length()
        wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)[: len(samples)]
        scaled: Samples = (wet * 0.7 / max(float(np.max(np.abs(wet))), 1e-6)).astype(np.float32)
        return scaled
    return samples


def _write(path: Path, samples: Samples, condition: str) -> Path:
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    if not condition.startswith("MP3"):
        return path
    target = path.with_suffix(".mp3")
    argv = ["ffmpeg", "-v", "error", "-y", "-i", str(path), "-codec:a", "libmp3lame", "-b:a", "64k", str(target)]
    subprocess.run(argv, check=True)
    path.unlink()
    return target


def voices(people: Path, cache: Path, work: Path, limit: int, only: tuple[str, ...], least: int) -> Iterator[str]:
    """Lines of the voice of every set of at least `least` clips: prepared, trained and judged fold by fold."""
    from likeness import Bases, report

    from voicemill.training.config import load_config

    config = load_config(ROOT / "configs/voice/prod_tts/nemo_fastpitch_hifigan.yaml", "cpu", {"threads": 1})
    base = ROOT / "data/base"
    bases = Bases(base / "base-en-people-fastpitch.safetensors", base / "base-en-people-istft.safetensors")
    for name, clips in (*sets(people, limit), ("prompts", prompts(cache, limit))):
        if len(clips) < least or (only and not any(name.startswith(one) for one in only)):
            continue
        folder = _folder(work, name, CONDITIONS[0], joined=False)
        if not folder.exists():
            prepare(name, clips, CONDITIONS[0], False, work)
        yield f"{name}, {len(clips)} clips"
        yield from report(
            folder / "work/datasets/bench", config, bases, _made(folder / "voices"), folds=FOLDS, chosen=range(FOLDS)
        )


def _folder(work: Path, name: str, condition: str, *, joined: bool) -> Path:
    return work / f"{name} {condition} {joined}".replace("/", " ").replace(" ", "_")


def prepare(name: str, clips: list[Clip], condition: str, joined: bool, work: Path) -> Outcome:
    """Prepare a set with `voice-prep --preset archive` in an empty cache."""
    folder = _folder(work, name, condition, joined=joined)
    (folder / "wavs").mkdir(parents=True)
    sounds = [
        changed(decode.resample(*decode.read_mono(clip.path), RATE), condition, number)
        for number, clip in enumerate(clips)
    ]
    if joined:
        gap = np.random.default_rng(0).standard_normal(round(PAUSE * RATE)).astype(np.float32) * np.float32(3e-4)
        take = np.concatenate([part for sound in sounds for part in (gap, sound)] + [gap])
        audio = _write(folder / "take.wav", take, condition)
        (folder / "take.txt").write_text("\n".join(clip.text for clip in clips) + "\n", "utf-8")
        source = ["--audio", str(audio), "--script", str(folder / "take.txt")]
    else:
        paths = [
            _write(folder / "wavs" / f"{clip.name}.wav", sound, condition)
            for clip, sound in zip(clips, sounds, strict=True)
        ]
        for clip, path in zip(clips, paths, strict=True):
            path.with_suffix(".txt").write_text(clip.text + "\n", "utf-8")
        source = ["--audio", str(folder / "wavs")]
    argv = [sys.executable, str(ROOT / "apps/voice-prep/voice-prep.py"), "--voice", "bench", "--preset", "archive", *source]
    environment = {
        **os.environ,
        "WORK_DIR": str(folder / "work"),
        "CACHE_DIR": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    done, wall, cpu = run_timed([*argv, "--no-report", "--separate", "never"], environment)
    described = folder / "work/datasets/bench/dataset.json"
    seconds = sum(len(sound) for sound in sounds) / RATE
    if not described.is_file():
        print(f"{name}, {condition}: {done.stderr.strip()[-300:]}", file=sys.stderr)
        words = sum(len(normalise.words(normalise.normalise(clip.text))) for clip in clips)
        whole = "refused as a whole"
        return Outcome(name, condition, joined, seconds, seconds, 0.0, 0.0, words, words, whole, wall, cpu)
    report = json.loads(described.read_text())["report"]
    rejected = report["rejected"]
    by_reason = {
        kind: sum(row["seconds"] for row in rejected if _kind(row) == kind) for kind in ("text", "beside", "quality")
    }
    words, lost = lost_words(described.parent, sorted(clips, key=lambda clip: clip.name) if not joined else clips)
    reasons = ", ".join(f"{reason} {total['count']}" for reason, total in report["by_reason"].items())
    for row in rejected:
        print(
            name,
            condition,
            joined,
            row["source"],
            row["seconds"],
            row["reason"],
            row["detail"][:120],
            sep="|",
            file=sys.stderr,
        )
    for line in dict.fromkeys(lost):
        print(name, condition, joined, line, sep="|", file=sys.stderr)
    text, beside, quality = by_reason.values()
    return Outcome(
        name, condition, joined, seconds, text, beside, quality, words, len(lost), reasons or "none", wall, cpu
    )


def _kind(row: dict[str, str]) -> str:
    if row["detail"].startswith(BESIDE):
        return "beside"
    return "quality" if row["reason"] in QUALITY else "text"


def report(
    people: Path,
    cache: Path,
    work: Path,
    limit: int,
    only: tuple[str, ...],
    conditions: tuple[str, ...],
    forms: tuple[bool, ...],
) -> Iterator[str]:
    """Rows of a Markdown table, one for each preparation as it ends; `forms` are those to prepare: joined or not."""
    yield (
        "| people | condition | as | seconds | lost s | lost | beside words s | for quality s | words | lost words "
        "| reasons | wall s | × real time | CPU s |"
    )
    yield "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---|---:|---:|---:|"
    found = [*sets(people, limit), ("prompts", prompts(cache, limit))]
    for name, clips in found:
        if not clips or (only and not any(name.startswith(one) for one in only)):
            continue
        for condition in conditions or CONDITIONS:
            for joined in forms:
                one = prepare(name, clips, condition, joined, work)
                yield (
                    f"| {one.name} ({len(clips)}) | {one.condition} | {'one recording' if joined else 'clips'} "
                    f"| {one.seconds:.0f} | {one.lost:.1f} | {one.lost / one.seconds:.1%} | {one.beside:.1f} "
                    f"| {one.quality:.1f} | {one.words} | {one.lost_words} | {one.reasons} "
                    f"| {one.wall:.1f} | {one.seconds / one.wall:.0f} | {one.cpu:.0f} |"
                )
