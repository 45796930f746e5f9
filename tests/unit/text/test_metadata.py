"""Metadata of clips in the dialects of several tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.errors import DatasetError
from voicemill.text.transcripts import read_metadata, read_script

TEXTS = ("One fish swims.", "Two dogs ran away.", "Three birds, I think.")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "wavs").mkdir()
    for name in "abc":
        (tmp_path / "wavs" / f"{name}.wav").write_bytes(b"")
    return tmp_path


def read(corpus: Path, data: str | bytes) -> tuple[list[tuple[str, str, str | None]], list[str]]:
    """(clip, text, speaker) of each row, and the notes."""
    path = corpus / "metadata.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    notes: list[str] = []
    return [(clip.audio.stem, clip.text, clip.speaker) for clip in read_metadata(path, None, notes.append)], notes


def lines(form: str) -> str:
    return "".join(form.format(clip=clip, text=text) + "\n" for clip, text in zip("abc", TEXTS, strict=True))


@pytest.mark.parametrize(
    ("data", "dialect"),
    [
        (lines("{clip}|{text}|anna"), "Coqui or XTTS"),
        (lines("wavs/{clip}.wav|{text}|anna"), "Coqui or XTTS"),
        ("audio_file|text|speaker_name\n" + lines("wavs/{clip}.wav|{text}|anna"), "a table with a header"),
        (lines("{clip}|anna|{text}"), "Piper"),
        (lines("{clip}|{text}|{text}|anna"), "LJSpeech with a speaker"),
        (lines("output\\\\slicer\\\\{clip}.wav|anna|EN|{text}"), "GPT-SoVITS"),
        (lines("C:\\data\\{clip}.wav|anna|en|{text}"), "GPT-SoVITS"),
        (
            "File;Speaker;Text\r\n" + lines('{clip}.wav;anna;"{text}"'),
            "a table with a header, columns separated by semi",
        ),
        (
            "file\tspeaker\ttext\n" + lines("{clip}.wav\tanna\t{text}"),
            "a table with a header, columns separated by tabs",
        ),
        (
            "file,speaker,text\n" + lines('{clip}.wav,anna,"{text}"'),
            "a table with a header, columns separated by commas",
        ),
    ],
)
def test_dialects(corpus: Path, data: str, dialect: str) -> None:
    data = data.replace("output\\\\slicer\\\\", ".\\")
    found, notes = read(corpus, data)
    assert found == [(clip, text, "anna") for clip, text in zip("abc", TEXTS, strict=True)]
    assert notes[0].startswith(f"metadata.csv: read as {dialect}")


def test_f5_tts_with_absolute_paths(corpus: Path) -> None:
    found, notes = read(corpus, "audio_file|text\n" + lines("/data/other/{clip}.wav|{text}"))
    assert found == [(clip, text, None) for clip, text in zip("abc", TEXTS, strict=True)]
    assert notes[1] == "metadata.csv: 3 clips have absolute paths; their recordings are looked up by name"


def test_ljspeech_needs_no_note(corpus: Path) -> None:
    for data in (lines("{clip}|{text}"), lines("{clip}|{text}|{text}"), "a|Yes.|Yes.\nb|Yes.|Yes.\nc|Yes|Yes\n"):
        found, notes = read(corpus, data)
        assert [speaker for _, _, speaker in found] == [None] * 3
        assert notes == []


@pytest.mark.parametrize(
    ("encoding", "note"), [("utf-16", "metadata.csv: read as UTF-16"), ("cp1252", "metadata.csv: read as Windows-1252")]
)
def test_encodings_of_spreadsheets(corpus: Path, encoding: str, note: str) -> None:
    found, notes = read(corpus, "a|The café’s door.\nb|Two.\n".encode(encoding))
    assert found == [("a", "The café’s door.", None), ("b", "Two.", None)]
    assert notes[0].startswith(note)


def test_other_encodings_need_a_note(corpus: Path) -> None:
    path = corpus / "script.txt"
    path.write_bytes("The café.".encode("cp1252"))
    with pytest.raises(DatasetError, match="not UTF-8"):
        read_script(path)
    assert read_script(path, [].append) == ["The café."]


@pytest.mark.parametrize(("data", "kind"), [(b"{\\rtf1 Hello.}", "Rich Text"), (b"PK\x03\x04abc", r"\.docx")])
def test_documents_of_word_processors(corpus: Path, data: bytes, kind: str) -> None:
    path = corpus / "script.txt"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=kind) as caught:
        read_script(path)
    assert caught.value.code == "missing_transcript"
    assert "plain text" in (caught.value.hint or "")


def test_missing_clips_are_counted(corpus: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"csv:2: there are no recordings of 4 of 5 clips: w, x, y, \.\.\."
    ) as caught:
        read(corpus, "a|One.\nw|Two.\nx|Three.\ny|Four.\nz|Five.\n")
    assert caught.value.reason == "missing_clip:w"


def test_the_folder_that_the_metadata_name_may_be_given(corpus: Path) -> None:
    path = corpus / "metadata.csv"
    path.write_text("audio_file|text\n" + lines("wavs/{clip}.wav|{text}"), encoding="utf-8")
    found = read_metadata(path, corpus / "wavs", lambda note: None)
    assert [clip.audio for clip in found] == [corpus / f"wavs/{name}.wav" for name in "abc"]
    (corpus / "other").mkdir()
    with pytest.raises(DatasetError) as caught:
        read_metadata(path, corpus / "other")
    assert caught.value.code.startswith("missing_clip")


def test_a_spreadsheet_exports_cells_in_quotes_with_tabs(corpus: Path) -> None:
    data = 'file\ttext\na\t"She said ""no"", twice."\nb\t"Yes," he said.\nc\t"Three, I think."\n'
    found, _ = read(corpus, data)
    assert [text for _, text, _ in found] == ['She said "no", twice.', '"Yes," he said.', "Three, I think."]
