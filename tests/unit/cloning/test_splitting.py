"""voice-split: windows, clips and the clip to register, on recordings of people."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicemill.audio import download, quality
from voicemill.audio.vad import Span
from voicemill.dataset.models import SeparatorChoice
from voicemill.dataset.stages.voice_activity import SpeechTask, speech_of
from voicemill.errors import UsageError, VoicemillError
from voicemill.progress import SilentObserver
from voicemill.settings import REPOSITORY
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry
from voicemill_cloning import splitting
from voicemill_cloning.source_options import choose_on_terminal
from voicemill_cloning.source_recording import SourcePart, SourceRecording, merged, open_recording
from voicemill_cloning.splitting import (
    PooledSpeech,
    SplitOptions,
    best_reference,
    best_windows,
    clean_speech,
    cut_clips,
    find_separator,
)
from voicemill_cloning.voice_file import VoiceSource

NEVER = SeparatorChoice("never")


def _open(part: SourcePart, tmp_path: Path) -> SourceRecording:
    return open_recording(part, tmp_path / "cache", tmp_path / "cache/stages", SilentObserver())


def _reason(call: Callable[[], object]) -> str:
    with pytest.raises(VoicemillError) as caught:
        call()
    return caught.value.reason


def test_windows_have_the_most_speech_and_do_not_overlap() -> None:
    spans = [Span(10.0, 20.0), Span(22.0, 30.0), Span(70.0, 71.0), Span(100.0, 118.0)]
    found = best_windows(spans, 200.0, 20.0, 2)
    assert [window.duration for window in found] == [20.0, 20.0]
    assert found == [Span(10.0, 30.0), Span(100.0, 120.0)]
    assert best_windows(spans, 200.0, 20.0, 50)[-1].end <= 200.0
    every = best_windows(spans, 200.0, 20.0, 50)
    assert all(one.end <= two.start for one, two in itertools.pairwise(every))
    assert all(any(span.start < one.end and span.end > one.start for span in spans) for one in every)
    assert best_windows(spans, 15.0, 20.0, 3) == [Span(0.0, 15.0)]
    assert best_windows([], 15.0, 20.0, 3) == []


def test_stretches_of_speech_are_joined_over_short_pauses() -> None:
    spans = [Span(0.0, 1.0), Span(1.3, 2.0), Span(2.5, 2.7), Span(4.0, 9.0)]
    assert merged(spans, 0.35, 0.6) == [Span(0.0, 2.0), Span(4.0, 9.0)]


def _stretch(seconds: float, background: float = -60.0, position: float = 0.0) -> PooledSpeech:
    return PooledSpeech(Path("x"), Span(0.0, seconds), position, background)


def test_the_clip_to_register_is_long_and_clean() -> None:
    assert best_reference([_stretch(4.9)], 30.0) is None
    assert best_reference([_stretch(6.0), _stretch(9.0), _stretch(5.0)], 30.0) == _stretch(9.0)
    assert best_reference([_stretch(8.0, -60.0), _stretch(9.0, -30.0)], 30.0) == _stretch(8.0, -60.0)
    assert best_reference([_stretch(40.0), _stretch(60.0)], 30.0) == _stretch(40.0)
    assert best_reference([_stretch(9.0, position=5.0), _stretch(9.0, position=1.0)], 30.0) == _stretch(
        9.0, position=1.0
    )


def test_short_stretches_are_registered_with_their_pauses() -> None:
    def part(start: float, end: float, sound: str = "x", background: float = -60.0) -> PooledSpeech:
        return PooledSpeech(Path(sound), Span(start, end), 100.0 + start, background)

    assert best_reference([part(4.2, 6.0), part(0.0, 3.0)], 30.0) == part(0.0, 6.0)
    assert best_reference([part(0.0, 3.0), part(4.6, 6.0)], 30.0) is None
    assert best_reference([part(0.0, 3.0), part(3.5, 6.0, "y")], 30.0) is None
    assert best_reference([part(0.0, 3.0, background=-30.0), part(3.5, 6.0)], 30.0) == part(0.0, 6.0, background=-30.0)
    assert best_reference([part(0.0, 3.0), part(3.5, 6.0), part(9.0, 14.5)], 30.0) == part(9.0, 14.5)


def test_clips_of_a_recording(interview: Path, tmp_path: Path) -> None:
    recording = _open(SourcePart(audio=interview), tmp_path)
    assert (recording.name, recording.source) == ("The-interview", VoiceSource(type="file", path=str(interview)))
    options = SplitOptions(clips=4, length=6.0, seed=3, separate="never")
    pool = clean_speech(recording, options, NEVER, tmp_path / "cache/stages", SilentObserver())
    assert all(stretch.span.duration >= splitting.LEAST for stretch in pool)
    made = cut_clips(recording, pool, options, tmp_path / "out", register=True)
    again = cut_clips(recording, pool, options, tmp_path / "again", register=True)
    assert [clip.position for clip in made.clips] == [clip.position for clip in again.clips]
    other = cut_clips(recording, pool, replace(options, seed=4), tmp_path / "other", register=False)
    assert (other.reference, [clip.position for clip in other.clips] == [clip.position for clip in made.clips]) == (
        None,
        False,
    )
    source, source_rate = soundfile.read(interview)
    for clip in (*made.clips, made.reference):
        assert clip is not None
        info = soundfile.info(clip.path)
        assert (info.samplerate, info.channels, info.subtype) == (44_100, 1, "PCM_16")
        samples, _ = soundfile.read(clip.path)
        first = round(clip.position * source_rate)
        part = source[first : first + round(clip.seconds * source_rate)]
        assert np.corrcoef(samples[::2][: len(part)], part[: len(samples[::2])])[0, 1] > 0.95
    assert [clip.path.name.startswith(f"clip_0{n}_from_") for n, clip in enumerate(made.clips, 1)] == [True] * 4
    assert made.reference is not None
    assert made.reference.path.name == f"clip_ref_from_{made.reference.position:.0f}s.wav"
    assert made.reference.seconds >= splitting.SHORTEST_REFERENCE
    speech = speech_of(SpeechTask(made.reference.path, tmp_path / "cache/stages"))
    assert sum(end - start for start, end in speech.spans) > 0.85 * made.reference.seconds


@pytest.mark.slow
@pytest.mark.exhaustive
def test_noise_behind_the_speech_is_lowered(interview: Path, tmp_path: Path) -> None:
    samples, rate = soundfile.read(interview, dtype="float32", frames=14 * 22_050)
    noise = np.random.default_rng(2).standard_normal(len(samples), dtype=np.float32)
    level = float(np.sqrt(np.mean(np.square(samples[samples != 0.0])))) * 10 ** (-12 / 20)
    noisy = tmp_path / "noisy.wav"
    soundfile.write(noisy, samples + noise * np.float32(level), rate)
    registry = WeightsRegistry(REPOSITORY / SHIPPED, tmp_path / "weights", REPOSITORY)
    separator = find_separator("auto", None, registry)
    if separator.model is None:
        pytest.skip(str(separator.missing))
    recording = _open(SourcePart(audio=noisy), tmp_path)
    options = SplitOptions(clips=1, length=6.0, seed=1)
    ratios = []
    for choice in (NEVER, separator):
        pool = clean_speech(recording, options, choice, tmp_path / "cache/stages", SilentObserver())
        clip = cut_clips(recording, pool, options, tmp_path / choice.mode, register=True).reference
        assert clip is not None
        found, rate = soundfile.read(clip.path, dtype="float32")
        ratios.append(quality.measure(found, rate).snr_db)
    assert ratios[1] > ratios[0] + 10.0
    assert find_separator("never", None, registry) == SeparatorChoice("never")


def test_a_part_of_a_recording(interview: Path, tmp_path: Path) -> None:
    part = _open(SourcePart(audio=interview, start=10.0, end=30.0), tmp_path)
    assert (part.name, part.offset, part.waveform.seconds) == (
        "The-interview_10_30",
        10.0,
        pytest.approx(20.0, abs=0.01),
    )
    assert (part.source.start_sec, part.source.end_sec) == (10.0, 30.0)
    scanned = _open(SourcePart(audio=interview, max_scan_seconds=12.0), tmp_path)
    assert scanned.waveform.seconds == pytest.approx(12.0, abs=0.01)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"start": 500.0}, "part_outside:The interview.wav"),
        ({"end": 500.0}, "part_outside:The interview.wav"),
        ({"end": 2.5}, "no_speech_in_part:The-interview_0_2.5"),
        ({"audio": Path("none.wav")}, "missing_audio_path:none.wav"),
    ],
)
def test_parts_that_cannot_be_used(interview: Path, tmp_path: Path, changes: dict[str, object], reason: str) -> None:
    assert _reason(lambda: _open(replace(SourcePart(audio=interview), **changes), tmp_path)) == reason  # type: ignore[arg-type]


def test_options_that_make_no_sense() -> None:
    for wrong in ({"length": 0.5}, {"length": 700.0}, {"length": 30.0, "window": 20.0}):
        with pytest.raises(UsageError):
            SplitOptions(**wrong)  # type: ignore[arg-type]
    for neither in ({}, {"audio": Path("a"), "url": "https://example.org"}):
        with pytest.raises(UsageError):
            SourcePart(**neither)  # type: ignore[arg-type]


class Whole:
    """Stands for the answer of a terminal."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)

    def __call__(self, *unused: object, default: str = "", **also: object) -> str:
        import click

        if not self._answers:
            raise click.Abort
        return self._answers.pop(0) or default


@pytest.mark.parametrize(
    ("answers", "expected"), [(("2",), 1), (("",), 0), ((), 0), (("9", "x", "-1", "3"), 2), (("\u00b2", "1"), 0)]
)
def test_the_menu_of_a_terminal(monkeypatch: pytest.MonkeyPatch, answers: tuple[str, ...], expected: int) -> None:
    monkeypatch.setattr("click.prompt", Whole(*answers))
    assert choose_on_terminal("Clips", ["a", "b", "c"], 0) == expected


class Tool:
    """Stands for yt-dlp: records its options, and writes a file as it would."""

    seen: dict[str, object]

    class version:  # noqa: N801
        __version__ = "1"

    class utils:  # noqa: N801
        YoutubeDLError = ValueError

    def __init__(self, sound: Path) -> None:
        self._sound = sound

    def YoutubeDL(self, options: dict[str, object]) -> Tool:  # noqa: N802
        self.seen = options
        return self

    def __enter__(self) -> Tool:
        return self

    def __exit__(self, *unused: object) -> None: ...

    def extract_info(self, url: str, download: bool) -> dict[str, object]:
        return {"_type": "video", "id": "aBc_1", "title": "A talk"}

    def process_ie_result(self, info: dict[str, object], download: bool) -> dict[str, object]:
        target = Path(str(self.seen["outtmpl"]).replace("%(ext)s", "wav"))
        target.write_bytes(self._sound.read_bytes())
        return {**info, "requested_downloads": [{"filepath": str(target)}]}


def test_an_address_with_cookies(interview: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = Tool(interview)
    monkeypatch.setattr(download, "_yt_dlp", lambda: tool)
    jar = tmp_path / "cookies.txt"
    jar.write_text("# Netscape HTTP Cookie File\nexample.org\tTRUE\t/\tTRUE\t0\tid\t1\n", "utf-8")
    before = jar.read_bytes()
    recording = _open(SourcePart(url="https://example.org/v", cookies=jar), tmp_path)
    assert recording.name == "aBc_1"
    assert recording.source == VoiceSource(type="youtube", url="https://example.org/v", video_id="aBc_1")
    assert "example.org" in tool.seen["cookiefile"].getvalue()  # type: ignore[attr-defined]
    assert jar.read_bytes() == before
    for damage in (b"{}", b"\xff\xfe", b""):
        jar.write_bytes(damage)
        other = SourcePart(url="https://example.org/w", cookies=jar)
        assert _reason(lambda other=other: _open(other, tmp_path)) == "cookies_unreadable:cookies.txt"
    missing = SourcePart(url="https://example.org/w", cookies=tmp_path / "none.txt")
    assert _reason(lambda: _open(missing, tmp_path)) == "cookies_unreadable:none.txt"


def test_the_app_registers_a_voice(
    interview: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    load_app: Callable[[str], object],
) -> None:  # fmt: skip
    from voicemill import console

    monkeypatch.setenv("WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setenv("CACHE_DIR", str(tmp_path / "cache"))
    main = load_app("voice-split").main  # type: ignore[attr-defined]
    options = ["--clips", "1", "--length", "6", "--separate", "never", "--seed", "1"]
    code = console.run(main, ["--audio", str(interview), "--voice-name", "Ann B", *options], program="voice-split")
    assert (code, "invalid_voice_slug" in capsys.readouterr().err) == (1, True)
    assert not (tmp_path / "work").exists()
    words = ["--consent", "I agree.", "--licence", "CC0-1.0"]
    code = console.run(
        main, ["--audio", str(interview), "--voice-name", "ann", *options, *words], program="voice-split"
    )
    out = capsys.readouterr().out
    assert (code, '"registered":"ann"' in out) == (0, True)
    voice = json.loads((tmp_path / "cache/voices/ann/voice.json").read_text("utf-8"))
    assert (voice["engine"], voice["source"]["n_clips"], voice["rights"]["licence"]) == ("clone_prompt", 1, "CC0-1.0")
    assert voice["rights"]["consent"] == "I agree."
    assert soundfile.info(tmp_path / "cache/voices/ann/source_clip.wav").samplerate == 44_100
    assert sorted(path.name.split("_from")[0] for path in (tmp_path / "work/ann").iterdir()) == ["clip_01", "clip_ref"]
    first = (tmp_path / "cache/voices/ann/voice.json").read_bytes()
    assert console.run(main, ["--audio", str(interview), "--voice-name", "ann", *options], program="voice-split") == 0
    assert (tmp_path / "cache/voices/ann/voice.json").read_bytes() == first
