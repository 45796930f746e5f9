"""ffmpeg and ffprobe processes on untrusted files; nothing else starts them."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from voicemill.errors import AudioError, DependencyError

FORMATS = (
    "wav",
    "w64",
    "flac",
    "aiff",
    "au",
    "caf",
    "mp3",
    "mov",
    "mp4",
    "m4a",
    "aac",
    "ogg",
    "matroska",
    "webm",
    "asf",
    "wv",
    "tta",
    "ape",
    "ac3",
    "eac3",
    "amr",
    "avi",
    "flv",
    "mpegts",
)
"""ffmpeg demuxers that may open a source: self-contained audio files only, no formats that refer to other files."""

_PROTOCOLS = "file"
_PROBE_TIMEOUT = 60.0
_MESSAGE_TAIL = 400
_LOG_LIMIT = 1 << 20

Process = subprocess.Popen[bytes]


def source_url(path: Path) -> str:
    """A URL that ffmpeg always reads as a local file, for any characters in the name."""
    return f"file:{path.absolute()}"


@contextlib.contextmanager
def ffmpeg(
    path: Path,
    output_options: dict[str, Any],
    *,
    level: str = "error",
    output: str = "pipe:1",
    input_options: dict[str, Any] | None = None,
    track: int = 1,
) -> Iterator[tuple[Process, Callable[[], str]]]:
    """Run ffmpeg over one audio stream of a file; it is stopped at the end of the block.

    Args:
        path: the source.
        output_options: ffmpeg's options without their dash, e.g. `{"f": "f32le", "ac": 2}`.
        level: ffmpeg's log level.
        output: `pipe:1`, or `-` for a filter that only measures.
        input_options: of the demuxer.
        track: number of the audio stream; 1 is the first.

    Yields:
        The process, with stdout open for `pipe:1`, and a function that returns its log so far.

    Raises:
        DependencyError: ffmpeg is not installed.
    """
    with tempfile.TemporaryFile() as errors:  # a file, because a full pipe would block ffmpeg

        def log() -> str:
            errors.seek(0)
            return errors.read(_LOG_LIMIT).decode("utf-8", "replace")

        try:
            process = subprocess.Popen(
                _argv(path, {"map": f"0:a:{track - 1}", **output_options}, level, output, input_options or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if output == "pipe:1" else subprocess.DEVNULL,
                stderr=errors,
            )
        except FileNotFoundError as error:
            raise _missing_program("ffmpeg") from error
        try:
            yield process, log
        finally:
            if process.poll() is None:
                process.kill()
            if process.stdout:
                process.stdout.close()
            process.wait()


def _argv(
    path: Path, output_options: dict[str, Any], level: str, output: str, input_options: dict[str, Any]
) -> list[str]:
    import ffmpeg as builder

    source = builder.input(
        source_url(path),
        protocol_whitelist=_PROTOCOLS,
        format_whitelist=",".join(FORMATS),
        err_detect="crccheck+bitstream+buffer",
        **input_options,
    )
    stream = source.output(output, **output_options)
    argv: list[str] = stream.global_args("-nostdin", "-hide_banner", "-nostats", "-loglevel", level).compile()
    return argv


def measure(paths: Sequence[Path], audio_filter: str) -> list[str]:
    """Run one measuring filter over each of several files, in one process.

    Starting ffmpeg takes longer than measuring a short clip.

    Args:
        paths: files that this toolbox wrote.
        audio_filter: name of the filter.

    Returns:
        What each filter reported, in the order of the files; empty texts if ffmpeg failed, with no file to blame.

    Raises:
        DependencyError: ffmpeg is not installed.
    """
    name, _, options = audio_filter.partition("=")
    argv = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "info"]
    for path in paths:
        argv += ["-protocol_whitelist", _PROTOCOLS, "-format_whitelist", ",".join(FORMATS), "-i", source_url(path)]
    graph = ";".join(f"[{index}:a:0]{name}@file{index}={options}[out{index}]" for index in range(len(paths)))
    argv += ["-filter_complex", graph]
    for index in range(len(paths)):
        argv += ["-map", f"[out{index}]", "-f", "null", "-"]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise _missing_program("ffmpeg") from error
    log = done.stderr.decode("utf-8", "replace")
    marked = re.split(rf"^\[{re.escape(name)}@file(\d+) @ [^\]]*\] Summary:", log, flags=re.MULTILINE)
    found = dict(zip(map(int, marked[1::2]), marked[2::2], strict=True))
    if done.returncode != 0 or found.keys() != set(range(len(paths))):
        return [""] * len(paths)
    return [found[index] for index in range(len(paths))]


def ffprobe(path: Path, entries: str) -> tuple[bytes, str, int]:
    """Read header entries of the audio streams with ffprobe.

    Returns:
        ffprobe's JSON output, its log, and its exit code.

    Raises:
        AudioError: `audio_unreadable`, ffprobe does not finish in time.
        DependencyError: ffprobe is not installed.
    """
    argv = [
        "ffprobe",
        "-hide_banner",
        "-loglevel",
        "error",
        "-protocol_whitelist",
        _PROTOCOLS,
        "-format_whitelist",
        ",".join(FORMATS),
        "-select_streams",
        "a",
        "-show_entries",
        entries,
        "-of",
        "json",
        "-i",
        source_url(path),
    ]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_TIMEOUT, check=False)
    except FileNotFoundError as error:
        raise _missing_program("ffprobe") from error
    except subprocess.TimeoutExpired as error:
        raise unreadable(path, f"ffprobe did not finish within {_PROBE_TIMEOUT:.0f} seconds.") from error
    return done.stdout, done.stderr.decode("utf-8", "replace").strip(), done.returncode


def unreadable(path: Path, log: str) -> AudioError:
    """The error for a file that ffmpeg cannot decode, with the last line of its log."""
    return AudioError(
        f"{path.name} cannot be decoded: {last_line(log)}",
        reason="audio_unreadable",
        hint="Check that the file plays, or convert it to WAV or FLAC.",
    )


def last_line(log: str) -> str:
    """The last non-empty line of a log."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return (lines[-1] if lines else "ffmpeg gave no reason.")[-_MESSAGE_TAIL:]


def _missing_program(name: str) -> DependencyError:
    return DependencyError(
        f"The program {name} is not installed.",
        reason=f"runtime_dependency_missing:{name}",
        hint="Install ffmpeg (Debian: apt-get install ffmpeg) and start again.",
    )
