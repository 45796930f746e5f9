"""Every form of good and bad input that issue 2 names."""

from __future__ import annotations

import collections
import dataclasses
import http.server
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicemill.audio import decode
from voicemill.audio.decode import analyse, check_source, probe, read_mono, resample
from voicemill.errors import AudioError, DependencyError, StorageError

RATE = 22_050
ENTRIES = (probe, check_source, read_mono)


def tone(seconds: float, rate: int = RATE, hertz: float = 440.0, amplitude: float = 0.5) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def convert(source: Path, target: Path, *options: str) -> Path:
    subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", f"file:{source}", *options, f"file:{target}"],
        check=True,
    )
    return target


def refused(function: Callable[..., object], *arguments: object, code: str) -> AudioError:
    with pytest.raises(AudioError) as caught:
        function(*arguments)
    assert caught.value.code == code
    assert caught.value.exit_code == 1
    assert caught.value.hint
    return caught.value


def decoded(source: Path, folder: Path, **options: object) -> tuple[decode.AudioInfo, np.ndarray]:
    target = folder / "decoded.wav"
    info = decode.decode(source, target, sample_rate=RATE, **options)  # type: ignore[arg-type]
    samples, rate = soundfile.read(target, dtype="float32")
    assert rate == RATE
    return info, samples


# --- what is not there or is not sound
# ------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ENTRIES)
def test_no_file(function: Callable[..., object], tmp_path: Path) -> None:
    error = refused(function, tmp_path / "nobody.wav", code="missing_audio_path")
    assert str(tmp_path / "nobody.wav") in str(error)


def test_a_file_as_folder(wav: Callable[..., Path]) -> None:
    refused(check_source, wav("a.wav", tone(1), RATE) / "b.wav", code="missing_audio_path")


@pytest.mark.parametrize("function", ENTRIES)
def test_folder(function: Callable[..., object], tmp_path: Path) -> None:
    assert "folder" in str(refused(function, tmp_path, code="missing_audio_path"))


def test_fifo_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    refused(check_source, tmp_path / "pipe.wav", code="missing_audio_path")


@pytest.mark.parametrize("function", ENTRIES)
@pytest.mark.parametrize("content", [b"", b"RIFF"])
def test_empty_file(function: Callable[..., object], content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    path.write_bytes(content)
    assert f"{len(content)} bytes" in str(refused(function, path, code="audio_too_small"))


@pytest.mark.parametrize("function", ENTRIES)
def test_lfs_pointer(function: Callable[..., object], tmp_path: Path) -> None:
    path = tmp_path / "demo.flac"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 27101972\n")
    assert "git lfs pull" in refused(function, path, code="audio_lfs_pointer").hint


@pytest.mark.parametrize("function", ENTRIES)
@pytest.mark.parametrize(
    "content",
    [
        b"This is not a recording, it is a text. " * 50,
        b"\0" * 5000,
        bytes(range(256)) * 40,
        b"RIFF\xff\xff\xff\xffWAVEfmt " + b"\xff" * 200,
    ],
)
def test_text_or_noise_named_wav(function: Callable[..., object], content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_bytes(content)
    refused(function, path, code="audio_unreadable")


def test_header_without_samples(wav: Callable[..., Path]) -> None:
    path = wav("nothing.wav", np.zeros(0, dtype=np.float32), RATE)
    path.write_bytes(path.read_bytes() + b"LIST" + b"\x64\0\0\0" + b"\0" * 100)
    assert "0.00 seconds" in str(refused(check_source, path, code="audio_too_small"))


def test_video_without_audio(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "color=size=16x16:duration=1", str(path)],
        check=True,
    )
    assert "stream" in str(refused(check_source, path, code="audio_unreadable"))


# --- files that name other files or addresses
# -------------------------------------------------------------------------------


@pytest.fixture
def visitors() -> Iterator[tuple[int, list[str]]]:
    """A web server that records who asks."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1], asked
    server.shutdown()
    server.server_close()
    thread.join()


SCRIPTS = {
    "concat": "ffconcat version 1.0\nfile 'secret.wav'\nduration 1.0\nfile 'http://127.0.0.1:{port}/a.wav'\n",
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10.0,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
    "m3u": "#EXTM3U\n#EXTINF:10, a song that plays somewhere else\nhttp://127.0.0.1:{port}/a.mp3\nsecret.wav\n",
    "pls": "[playlist]\nFile1=http://127.0.0.1:{port}/a.mp3\nNumberOfEntries=1\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
    '<AdaptationSet mimeType="audio/mp4"><Representation id="0"><BaseURL>http://127.0.0.1:{port}/a.mp4</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n",
}


@pytest.mark.parametrize(
    ("kind", "suffix"), [*((kind, "wav") for kind in SCRIPTS), ("hls", "m3u8"), ("concat", "flac")]
)
def test_playlists_are_refused_and_nothing_is_fetched(
    kind: str, suffix: str, tmp_path: Path, wav: Callable[..., Path], visitors: tuple[int, list[str]]
) -> None:
    port, asked = visitors
    wav("secret.wav", tone(2), RATE)
    path = tmp_path / f"list.{suffix}"
    path.write_text(SCRIPTS[kind].format(port=port))
    for function in (probe, check_source, read_mono):
        refused(function, path, code="audio_unreadable")
    refused(analyse, path, "ebur128", code="audio_unreadable")
    with pytest.raises(AudioError):
        decode.decode(path, tmp_path / "out.wav", sample_rate=RATE)
    assert asked == []
    assert not (tmp_path / "out.wav").exists()


# --- sound that cannot be used
# ----------------------------------------------------------------------------------------------


def test_too_short(wav: Callable[..., Path], tmp_path: Path) -> None:
    path = wav("short.wav", tone(0.2), RATE)
    assert "0.20 seconds" in str(refused(check_source, path, code="audio_too_small"))
    assert check_source(path, min_seconds=0.1).duration == pytest.approx(0.2)
    with pytest.raises(AudioError, match=r"0\.20 seconds"):
        decode.decode(path, tmp_path / "out.wav", sample_rate=RATE)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["short.wav"]


@pytest.mark.parametrize("level", [0.0, 5e-4])
def test_silence(level: float, wav: Callable[..., Path], tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-level, level, 3 * RATE).astype(np.float32)
    path = wav("silence.wav", noise, RATE, subtype="FLOAT")
    refused(check_source, path, code="audio_silent")
    with pytest.raises(AudioError) as caught:
        decode.decode(path, tmp_path / "out.wav", sample_rate=16_000)
    assert caught.value.code == "audio_silent"
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_a_number(value: float, wav: Callable[..., Path], tmp_path: Path) -> None:
    samples = tone(3)
    samples[2 * RATE + 7] = value
    path = wav("nan.wav", samples, RATE, subtype="FLOAT")
    assert "second 2.000" in str(refused(check_source, path, code="audio_not_finite"))
    refused(read_mono, path, code="audio_not_finite")
    with pytest.raises(AudioError, match=r"second 2\.000"):
        decode.decode(path, tmp_path / "out.wav", sample_rate=16_000)
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("name", ["long.flac", "long.wav", "long.aiff", "long.m4a"])
def test_truncated(name: str, babble: Callable[..., np.ndarray], wav: Callable[..., Path], tmp_path: Path) -> None:
    whole = convert(
        wav("source.wav", babble(RATE, 8.0), RATE),
        tmp_path / name,
        *(("-movflags", "faststart") if "m4a" in name else ()),
    )
    assert check_source(whole).duration == pytest.approx(8.0, abs=0.1)
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) * 5 // 8])
    error = refused(check_source, whole, code="audio_truncated")
    assert any(f"second {second:.1f}" in str(error) for second in np.arange(4.0, 6.0, 0.1)), error
    with pytest.raises(AudioError):
        decode.decode(whole, tmp_path / "out.wav", sample_rate=RATE)
    assert not (tmp_path / "out.wav").exists()


def test_unknown_length_in_the_header(
    babble: Callable[..., np.ndarray], wav: Callable[..., Path], tmp_path: Path
) -> None:
    path = tmp_path / "streamed.wav"
    source = wav("source.wav", babble(RATE, 3.0), RATE).read_bytes()
    known = b"data" + (2 * 3 * RATE).to_bytes(4, "little")
    assert known in source
    path.write_bytes(source.replace(known, b"data\xff\xff\xff\xff"))
    assert check_source(path).duration == pytest.approx(3.0)


def test_damaged_in_the_middle(babble: Callable[..., np.ndarray], wav: Callable[..., Path]) -> None:
    path = wav("damaged.flac", babble(RATE, 8.0), RATE)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(2000)
    path.write_bytes(data)
    refused(check_source, path, code="audio_truncated")


# --- sound that can be used
# -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("channels", "rate"),
    [*((2, rate) for rate in (8_000, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000)), (1, 8_000), (1, 192_000)]
    + [(channels, 48_000) for channels in (3, 4, 6, 7, 8)]
    + [(6, 8_000), (6, 192_000)],
)
def test_channels_and_rates(channels: int, rate: int, wav: Callable[..., Path], tmp_path: Path) -> None:
    path = wav("x.wav", np.repeat(tone(1.5, rate)[:, None], channels, axis=1), rate, subtype="PCM_24")
    info, samples = decoded(path, tmp_path)
    assert abs(info.offset) < 1e-4  # measured while decoding; the header does not tell
    assert dataclasses.replace(info, offset=0.0) == probe(path) == check_source(path)
    assert (info.sample_rate, info.channels, info.codec, info.container) == (rate, channels, "pcm_s24le", "wav")
    assert info.duration == pytest.approx(1.5)
    assert len(samples) == pytest.approx(1.5 * RATE, abs=1)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert np.argmax(spectrum) * RATE / len(samples) == pytest.approx(440.0, abs=1.0)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("x.flac", ()),
        ("x.mp3", ()),
        ("x.ogg", ("-c:a", "libvorbis")),
        ("x.opus", ("-c:a", "libopus")),
        ("x.m4a", ("-c:a", "aac")),
        ("x.m4a", ("-c:a", "alac")),
        ("x.aiff", ()),
        ("x.au", ()),
        ("x.caf", ()),
        ("x.webm", ("-c:a", "libopus")),
        ("x.mka", ("-c:a", "flac")),
        ("x.mov", ("-c:a", "pcm_s16le")),
        ("x.w64", ()),
        ("x.wma", ()),
        ("x.aac", ()),
        ("x.wav", ("-c:a", "pcm_f64le")),
        ("x.wav", ("-c:a", "pcm_u8")),
        ("x.wav", ("-rf64", "always")),
    ],
)
def test_codecs(
    name: str, options: tuple[str, ...], babble: Callable[..., np.ndarray], wav: Callable[..., Path], tmp_path: Path
) -> None:
    speech = babble(44_100, 4.0)
    path = convert(wav("source.wav", speech, 44_100), tmp_path / name, *options)
    assert path.suffix in decode.SOURCE_SUFFIXES
    info, samples = decoded(path, tmp_path)
    assert info.duration == pytest.approx(4.0, abs=0.12)
    reference = resample(speech, 44_100, RATE)
    size = min(len(samples), len(reference))
    likeness = np.fft.irfft(np.fft.rfft(samples[:size], 2 * size) * np.conj(np.fft.rfft(reference[:size], 2 * size)))
    energy = np.linalg.norm(samples[:size]) * np.linalg.norm(reference[:size])
    assert likeness.max() / energy > 0.9


FILMS = {
    "film.mkv": ("-c:v", "mpeg4", "-c:a", "aac"),
    "film.mp4": ("-c:v", "mpeg4", "-c:a", "aac", "-movflags", "faststart"),
    "film.webm": ("-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"),
}


def film(name: str, source: Path) -> Path:
    """A moving picture with the sound of `source`, the picture first."""
    target = source.parent / name
    subprocess.run(
        [
            "ffmpeg",
            "-nostdin",
            "-loglevel",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=64x48:rate=5",
            "-i",
            f"file:{source}",
            "-shortest",
            *FILMS[name],
            str(target),
        ],
        check=True,
    )
    return target


@pytest.mark.parametrize("name", FILMS)
def test_audio_of_a_video(
    name: str, babble: Callable[..., np.ndarray], wav: Callable[..., Path], tmp_path: Path
) -> None:
    speech = babble(48_000, 4.0)
    path = film(name, wav("source.wav", speech, 48_000))
    assert path.suffix in decode.SOURCE_SUFFIXES
    info, samples = decoded(path, tmp_path)
    assert info.duration == pytest.approx(4.0, abs=0.12)
    reference = resample(speech, 48_000, RATE)
    size = min(len(samples), len(reference))
    likeness = np.fft.irfft(np.fft.rfft(samples[:size], 2 * size) * np.conj(np.fft.rfft(reference[:size], 2 * size)))
    assert likeness.max() / (np.linalg.norm(samples[:size]) * np.linalg.norm(reference[:size])) > 0.9


@pytest.mark.parametrize("name", ["long.mp3", "long.ogg", "long.opus", "long.mka", *FILMS])
def test_truncated_lossy_files(name: str, babble: Callable[..., np.ndarray], wav: Callable[..., Path]) -> None:
    source = wav("source.wav", babble(48_000, 8.0), 48_000)
    whole = film(name, source) if name in FILMS else convert(source, source.parent / name)
    assert check_source(whole).duration == pytest.approx(8.0, abs=0.2)
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) * 5 // 8])
    error = refused(check_source, whole, code="audio_truncated")
    assert any(f"second {second:.1f}" in str(error) for second in np.arange(3.0, 6.5, 0.1)), error


@pytest.mark.parametrize(
    "name",
    [
        "-i.wav",
        "--help.wav",
        "-",
        "ünïcödé 录音 🎤.wav",
        "concat:a|b.wav",
        "%03d.wav",
        "new\nline.wav",
        "file:x.wav",
        "C:\\x.wav",
        "[a]*?.wav",
    ],
)
def test_names(name: str, wav: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = wav("plain.wav", tone(1.0), RATE)
    monkeypatch.chdir(tmp_path)
    made.rename(name)
    path = Path(name)
    assert check_source(path).duration == pytest.approx(1.0)
    assert "Summary:" in analyse(path, "ebur128=framelog=verbose")
    target = Path(f"-out {name}.wav".replace("/", ""))
    decode.decode(path, target, sample_rate=16_000)
    assert len(read_mono(target)[0]) == 16_000


def test_part_is_exact(wav: Callable[..., Path], tmp_path: Path) -> None:
    ramp = np.linspace(-0.9, 0.9, 5 * RATE).astype(np.float32)
    path = wav("ramp.flac", ramp, RATE)
    info, samples = decoded(path, tmp_path, start=1.25, end=3.5)
    np.testing.assert_allclose(samples, ramp[round(1.25 * RATE) : round(3.5 * RATE)], atol=2 / 32768)
    assert info.duration == pytest.approx(2.25, abs=1 / RATE)


@pytest.mark.parametrize(("start", "end"), [(-1.0, None), (2.0, 2.0), (None, 0.0), (3.0, 1.0)])
def test_invalid_part(start: float | None, end: float | None, wav: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no time"):
        decode.decode(wav("a.wav", tone(1), RATE), tmp_path / "o.wav", sample_rate=RATE, start=start, end=end)


def test_part_of_a_truncated_file(babble: Callable[..., np.ndarray], wav: Callable[..., Path], tmp_path: Path) -> None:
    path = wav("broken.flac", babble(RATE, 8.0), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert decoded(path, tmp_path, start=0.5, end=2.5)[0].duration == pytest.approx(2.0)
    with pytest.raises(AudioError) as caught:
        decode.decode(path, tmp_path / "late.wav", sample_rate=RATE, start=2.0, end=7.0)
    assert caught.value.code == "audio_truncated"


def test_part_behind_the_end(wav: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(AudioError) as caught:
        decode.decode(wav("a.wav", tone(1), RATE), tmp_path / "o.wav", sample_rate=RATE, start=5.0)
    assert caught.value.code == "audio_too_small"
    assert "ends before second 5" in str(caught.value)


def test_float_is_not_clipped_by_a_gain(wav: Callable[..., Path], tmp_path: Path) -> None:
    path = wav("a.wav", tone(1), RATE)
    _, samples = decoded(path, tmp_path, subtype="FLOAT", gain_db=12.0)
    assert soundfile.info(tmp_path / "decoded.wav").subtype == "FLOAT"
    assert np.abs(samples).max() == pytest.approx(0.5 * 10 ** (12 / 20), rel=1e-3)


def test_stereo_is_averaged(wav: Callable[..., Path], tmp_path: Path) -> None:
    path = wav("a.wav", np.stack([tone(1), np.zeros(RATE, dtype=np.float32)], axis=1), RATE, subtype="FLOAT")
    assert np.abs(decoded(path, tmp_path)[1]).max() == pytest.approx(0.25, abs=0.01)
    assert np.abs(read_mono(path)[0]).max() == pytest.approx(0.25, abs=0.01)


def test_long_input_in_blocks_equals_one_call(
    babble: Callable[..., np.ndarray], wav: Callable[..., Path], tmp_path: Path
) -> None:
    speech = babble(48_000, 13.0)
    _, samples = decoded(wav("a.wav", speech, 48_000, subtype="FLOAT"), tmp_path, subtype="FLOAT")
    whole = resample(speech, 48_000, RATE)
    assert len(samples) == len(whole)
    np.testing.assert_allclose(samples, whole, atol=1e-5)


def test_two_decodes_are_the_same_bytes(
    babble: Callable[..., np.ndarray], wav: Callable[..., Path], tmp_path: Path
) -> None:
    path = wav("a.wav", babble(44_100, 2.0), 44_100)
    for name in ("one.wav", "two.wav"):
        decode.decode(path, tmp_path / name, sample_rate=RATE)
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()


def test_failed_decode_keeps_the_old_target(wav: Callable[..., Path], tmp_path: Path) -> None:
    target = tmp_path / "out.wav"
    target.write_bytes(b"old")
    with pytest.raises(AudioError):
        decode.decode(wav("short.wav", tone(0.1), RATE), target, sample_rate=RATE)
    assert target.read_bytes() == b"old"


def test_target_that_cannot_be_written(wav: Callable[..., Path], tmp_path: Path) -> None:
    path = wav("a.wav", tone(1), RATE)
    with pytest.raises(StorageError) as caught:
        decode.decode(path, path / "below" / "out.wav", sample_rate=RATE)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("function", [probe, check_source])
def test_no_ffmpeg(function: Callable[..., object], wav: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = wav("a.wav", tone(1), RATE)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DependencyError) as caught:
        function(path)
    assert caught.value.reason == "runtime_dependency_missing:ffprobe"
    assert "apt-get install ffmpeg" in caught.value.hint


def test_resample_keeps_length_and_type() -> None:
    samples = tone(1.0, 44_100)
    assert resample(samples, 44_100, 44_100) is samples
    converted = resample(samples, 44_100, 16_000)
    assert converted.dtype == np.float32
    assert len(converted) == 16_000


def small_but_long(path: Path, seconds: int = 30_000) -> Path:
    """A FLAC of a few hundred kilobytes with `seconds` of silence, at most."""
    source = ["-f", "lavfi", "-i", f"anullsrc=r=48000:cl=mono:d={seconds}", "-c:a", "flac", "-frame_size", "65535"]
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", *source, f"file:{path}"], check=True)
    return path


@pytest.mark.slow
def test_a_recording_that_does_not_fit_on_the_disk_is_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = small_but_long(tmp_path / "bomb.flac")
    assert bomb.stat().st_size < 400_000
    free = collections.namedtuple("free", "total used free")(10**12, 0, 1_000_000_000)
    monkeypatch.setattr("voicemill.files.shutil.disk_usage", lambda _: free)
    monkeypatch.setattr(decode, "_blocks", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(StorageError) as caught:
        decode.decode(bomb, tmp_path / "out.wav", sample_rate=RATE, subtype="FLOAT")
    assert (caught.value.code, caught.value.exit_code) == ("disk_full", 2)
    assert "needs 2,646,000,000 bytes" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["bomb.flac"]


def test_a_part_of_a_long_recording_needs_the_space_of_the_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "long.wav", tone(20), RATE)
    free = collections.namedtuple("free", "total used free")(10**12, 0, 4 * RATE * 3)
    monkeypatch.setattr("voicemill.files.shutil.disk_usage", lambda _: free)
    decode.decode(tmp_path / "long.wav", tmp_path / "out.wav", sample_rate=RATE, start=17.5, subtype="FLOAT")
    with pytest.raises(StorageError):
        decode.decode(tmp_path / "long.wav", tmp_path / "out.wav", sample_rate=RATE, start=5, end=9, subtype="FLOAT")


def test_decoding_stops_before_a_file_of_unknown_length_fills_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "long.wav", tone(20), RATE)
    left = iter([10**12, 10**12, 1000])
    free = collections.namedtuple("free", "total used free")
    monkeypatch.setattr("voicemill.files.shutil.disk_usage", lambda _: free(10**12, 0, next(left)))
    monkeypatch.setattr(decode, "_CHECK_EVERY", 100)
    with pytest.raises(StorageError) as caught:
        decode.decode(tmp_path / "long.wav", tmp_path / "out.wav", sample_rate=RATE)
    assert caught.value.code == "disk_full"
    assert [path.name for path in tmp_path.iterdir()] == ["long.wav"]


# --- channels and headers of other programs
# ------------------------------------------------------------------------------------


def test_an_inverted_channel_is_turned(tmp_path: Path) -> None:
    sound = tone(1.0)
    path = tmp_path / "inverted.wav"
    soundfile.write(path, np.stack([sound, -sound], axis=1), RATE)
    info, samples = decoded(path, tmp_path)
    assert info.inverted
    assert check_source(path).inverted
    np.testing.assert_allclose(samples, sound, atol=1e-3)
    soundfile.write(path, np.stack([sound, 0.3 * sound], axis=1), RATE)
    info, samples = decoded(path, tmp_path)
    assert not info.inverted
    np.testing.assert_allclose(samples, 0.65 * sound, atol=1e-3)


@pytest.mark.parametrize(
    "stated",
    [0, 0x7FFFF000, 0x7FFFFFDB, 0x80000000, 0xFFFFFFFF, RATE, RATE + 1],
    ids=["0", "sox", "less its header", "arecord", "ffmpeg", "half of the data", "half, odd"],
)
def test_a_wav_header_without_the_length(stated: int, tmp_path: Path) -> None:
    path = tmp_path / "streamed.wav"
    soundfile.write(path, tone(1.0), RATE, subtype="PCM_16")
    data = path.read_bytes()
    path.write_bytes(data[:40] + stated.to_bytes(4, "little") + data[44:])
    info, samples = decoded(path, tmp_path)
    assert info.duration == pytest.approx(1.0)
    assert len(samples) == RATE


def test_a_wav_that_ends_within_a_sample(tmp_path: Path) -> None:
    path = tmp_path / "half.wav"
    soundfile.write(path, tone(1.0), RATE, subtype="PCM_16")
    data = path.read_bytes()
    path.write_bytes(data[:40] + (2 * RATE - 1).to_bytes(4, "little") + data[44:-1])
    info, _ = decoded(path, tmp_path)
    assert info.duration == pytest.approx(1.0, abs=1e-3)


def test_chunks_behind_the_data_are_not_sound(tmp_path: Path) -> None:
    path = tmp_path / "listed.wav"
    soundfile.write(path, tone(1.0), RATE, subtype="PCM_16")
    path.write_bytes(path.read_bytes() + b"LIST" + (6000).to_bytes(4, "little") + 6000 * b"x")
    assert check_source(path).duration == pytest.approx(1.0)


@pytest.mark.parametrize("codec", ["adpcm_ms", "adpcm_ima_wav"])
def test_adpcm_in_a_wav(codec: str, tmp_path: Path) -> None:
    whole = tmp_path / "whole.wav"
    soundfile.write(whole, tone(2.3), RATE, subtype="PCM_16")
    info, _ = decoded(convert(whole, tmp_path / "adpcm.wav", "-c:a", codec), tmp_path)
    assert info.duration == pytest.approx(2.3, abs=0.1)


def test_a_chained_ogg_of_two_rates(tmp_path: Path) -> None:
    whole = tmp_path / "whole.wav"
    soundfile.write(whole, tone(1.0), RATE, subtype="PCM_16")
    one = convert(whole, tmp_path / "one.ogg", "-c:a", "libvorbis")
    two = convert(whole, tmp_path / "two.ogg", "-c:a", "libvorbis", "-ar", "16000")
    chained = tmp_path / "chained.ogg"
    chained.write_bytes(one.read_bytes() + two.read_bytes())
    info, _ = decoded(chained, tmp_path)
    assert info.duration == pytest.approx(2.0, abs=0.05)
