from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from voicemill import files
from voicemill.dataset.request import ClipFolderSource, LJSpeechSource, ManifestSource, SourceOptions, recording_source
from voicemill.dataset.sources import ClipText, gather
from voicemill.errors import AudioError, DatasetError, UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files that look like recordings to somebody who does not decode them, each with its text."""
    for name, text in (("b", "Second clip."), ("a", "First clip.")):
        (tmp_path / f"{name}.wav").write_bytes(b"RIFF" + bytes(4000))
        (tmp_path / f"{name}.txt").write_text(text)
    return tmp_path


def test_a_recording_and_its_script(folder: Path) -> None:
    script = folder / "script.md"
    script.write_text("One.\nTwo.\n")
    sources = gather(recording_source(folder / "a.wav", script))
    assert [recording.name for recording in sources.recordings] == ["a.wav"]
    assert (sources.script, sources.texts) == (("One.", "Two."), ())
    digests = sources.digests()
    assert [(item.name, item.role) for item in digests] == [("a.wav", "recording"), ("script.md", "text")]
    assert digests[0].sha256 == files.sha256_file(folder / "a.wav")


def test_a_folder_that_reads_one_script_by_name(folder: Path) -> None:
    sources = gather(recording_source(folder, folder / "a.txt"))
    assert [recording.name for recording in sources.recordings] == ["a.wav", "b.wav"]
    assert sources.script == ("First clip.",)


def test_a_text_beside_each_clip(folder: Path) -> None:
    sources = gather(recording_source(folder))
    assert sources.texts == (ClipText("First clip."), ClipText("Second clip."))
    assert sources.script == ()


def test_a_text_beside_one_recording_is_its_script(folder: Path) -> None:
    assert gather(recording_source(folder / "b.wav")).script == ("Second clip.",)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_ljspeech(folder: Path, elsewhere: bool) -> None:
    metadata = folder / ("texts" if elsewhere else "") / "metadata.csv"
    metadata.parent.mkdir(exist_ok=True)
    metadata.write_text("a|Dr. A.|Doctor A.\nb|Second.\n")
    sources = gather(LJSpeechSource(metadata, folder if elsewhere else None))
    assert sources.texts == (ClipText("Dr. A.", "Doctor A."), ClipText("Second."))
    assert [recording.path for recording in sources.recordings] == [folder / "a.wav", folder / "b.wav"]


def test_a_nemo_manifest(folder: Path) -> None:
    lines = [
        {"audio_filepath": "a.wav", "text": "First.", "speaker": 4},
        {"audio_filepath": str(folder / "b.wav"), "text": "Part.", "offset": 1.5, "duration": 2.0, "speaker": 4},
    ]
    manifest = folder / "m.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    sources = gather(ManifestSource(manifest))
    first, second = sources.recordings
    assert (first.path, first.start, first.end) == (folder / "a.wav", None, None)
    assert (second.path, second.name, second.start, second.end) == (folder / "b.wav", "b.wav", 1.5, 3.5)
    assert sources.texts[1] == ClipText("Part.", None, 4)


def test_a_voice_has_one_speaker(folder: Path) -> None:
    lines = [{"audio_filepath": "a.wav", "text": "First.", "speaker": speaker} for speaker in (1, 2)]
    (folder / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(DatasetError) as caught:
        gather(ManifestSource(folder / "m.jsonl"))
    assert caught.value.reason == "dataset_many_speakers"


def test_one_missing_clip_of_many_is_for_the_report_a_single_one_is_an_error(folder: Path) -> None:
    lines = [{"audio_filepath": name, "text": "First."} for name in ("a.wav", "gone.wav")]
    (folder / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [item.sha256 for item in gather(ManifestSource(folder / "m.jsonl")).digests()][1] == "missing"
    (folder / "m.jsonl").write_text(json.dumps(lines[1]))
    with pytest.raises(AudioError) as caught:
        gather(ManifestSource(folder / "m.jsonl")).digests()
    assert caught.value.code == "missing_audio_path"


def test_text_is_never_invented(folder: Path) -> None:
    (folder / "c.wav").write_bytes(bytes(4000))
    for audio in (folder, folder / "c.wav"):
        with pytest.raises(DatasetError) as caught:
            gather(recording_source(audio))
        assert caught.value.code == "missing_transcript"


@pytest.mark.parametrize(
    ("audio", "script", "metadata", "dataset"),
    [(None, None, None, None), ("a", "s", "m", None), ("a", None, None, "d"), (None, "s", None, None)],
)
def test_contradicting_options(
    audio: str | None, script: str | None, metadata: str | None, dataset: str | None
) -> None:
    options = SourceOptions(
        audio=audio,
        script=Path(script) if script else None,
        metadata=Path(metadata) if metadata else None,
        dataset=Path(dataset) if dataset else None,
    )
    if (audio, script, metadata, dataset) == (None, None, None, None):
        assert options.source() is None
        return
    with pytest.raises(UsageError):
        options.source()


def test_no_such_recording(tmp_path: Path) -> None:
    with pytest.raises(AudioError) as caught:
        gather(recording_source(tmp_path / "none.wav"))
    assert caught.value.code == "missing_audio_path"


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("Words.")
    (tmp_path / "audio").mkdir()
    for script in (None, tmp_path / "s.txt"):
        with pytest.raises(DatasetError) as caught:
            gather(recording_source(tmp_path / "audio", script))
        assert caught.value.reason == "dataset_no_valid_audio"


def test_a_part_of_one_recording(folder: Path) -> None:
    (recording,) = gather(recording_source(folder / "a.wav", start=90.0)).recordings
    assert (recording.start, recording.end, recording.offset) == (90.0, None, 90.0)
    for options in (
        SourceOptions(audio=str(folder), end="3"),
        SourceOptions(metadata=folder / "m.csv", end="3"),
        SourceOptions(dataset=folder / "m", end="3"),
    ):
        with pytest.raises(UsageError, match="one recording"):
            options.source()


@pytest.mark.parametrize("recognise", [False, True])
def test_a_recording_whose_name_is_not_utf8_is_refused(folder: Path, recognise: bool) -> None:
    bad = os.fsdecode(b"caf\xe9.wav")
    (folder / bad).write_bytes(b"RIFF" + bytes(4000))
    (folder / bad).with_suffix(".txt").write_text("Third clip.")
    script = folder / "script.md"
    script.write_text("One.\n")
    for source in (recording_source(folder, None), recording_source(folder, script)):
        with pytest.raises(UsageError) as caught:
            gather(source, recognise=recognise)
        assert caught.value.reason == "name_not_utf8:caf\\udce9.wav"


def test_recordings_that_the_metadata_does_not_list_are_mentioned(folder: Path) -> None:
    metadata = folder / "metadata.csv"
    metadata.write_text("a|First.\n")
    assert gather(LJSpeechSource(metadata)).notes == ("metadata.csv does not list 1 of the recordings: b.wav",)


def test_metadata_has_one_speaker(folder: Path) -> None:
    for name in "cdef":
        (folder / f"{name}.wav").write_bytes(b"RIFF" + bytes(4000))
    metadata = folder / "metadata.csv"
    rows = [
        f"{clip}|Text number {clip}.|{speaker}\n"
        for clip, speaker in zip("abcdef", ["ann"] * 4 + ["ben"] * 2, strict=True)
    ]
    metadata.write_text("".join(rows))
    with pytest.raises(DatasetError, match=r"ann \(4\), ben \(2\)") as caught:
        gather(LJSpeechSource(metadata))
    assert caught.value.reason == "dataset_many_speakers"


def test_metadata_lies_beside_its_recordings_where_the_default_recording_does_not_exist(folder: Path) -> None:
    options = SourceOptions(metadata=folder / "metadata.csv")
    assert options.source(folder / "none.wav") == LJSpeechSource(folder / "metadata.csv", None)
    assert options.source(folder) == LJSpeechSource(folder / "metadata.csv", folder)


def test_hidden_files_are_skipped_and_clips_in_subfolders_are_found(tmp_path: Path) -> None:
    for name in ("one/a.wav", "two/b.wav", "one/._a.wav", ".cache/c.wav"):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")
        path.with_suffix(".txt").write_text("A sentence.")
    found = gather(ClipFolderSource(tmp_path / "clips"))
    assert [recording.name for recording in found.recordings] == ["one/a.wav", "two/b.wav"]
    assert found.notes == ("2 hidden files of clips were skipped", "the recordings lie in subfolders of clips")
