from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.errors import DatasetError
from voicemill.text.frontend.sentences import split_sentences
from voicemill.text.transcripts import ClipTranscript, read_metadata, read_script, read_sidecars


def script(folder: Path, text: str) -> list[str]:
    path = folder / "script.txt"
    path.write_text(text, encoding="utf-8")
    return read_script(path)


def test_a_sentence_a_line(tmp_path: Path) -> None:
    assert script(tmp_path, "\ufeffOne fish.\r\nTwo fish? Red fish!\r\n\r\n\u201cBlue fish.\u201d\r\n") == [
        "One fish.",
        "Two fish?",
        "Red fish!",
        "\u201cBlue fish.\u201d",
    ]


def test_lines_without_punctuation(tmp_path: Path) -> None:
    assert script(tmp_path, "hello there\ngood morning\n") == ["hello there", "good morning"]


def test_wrapped_prose(tmp_path: Path) -> None:
    text = (
        "It was a bright day in\nApril, and the clocks\nstruck. Mr. Fox met J. Lee\nin town.\n\nA heading\n\nThe end. "
    )
    assert script(tmp_path, text) == [
        "It was a bright day in April, and the clocks struck.",
        "Mr. Fox met J. Lee in town.",
        "A heading",
        "The end.",
    ]


def test_lines_without_words_are_no_sentences(tmp_path: Path) -> None:
    assert script(tmp_path, "One.\n***\n---\nTwo.\nThree.\nFour.\nFive.\nSix.\nSeven.\nEight.\n") == [
        "One.",
        "Two.",
        "Three.",
        "Four.",
        "Five.",
        "Six.",
        "Seven.",
        "Eight.",
    ]


def test_the_demo_script(demo_script: Path) -> None:
    lines = demo_script.read_text(encoding="utf-8").split("\n")
    assert read_script(demo_script) == [line for line in lines if line]


def test_sentence_ends() -> None:
    assert split_sentences('He said "Stop." Then he left... Really? Yes, at 5 p.m. sharp.') == [
        'He said "Stop."',
        "Then he left...",
        "Really?",
        "Yes, at 5 p.m. sharp.",
    ]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("J. R. R. Tolkien wrote it. I read it.", ["J. R. R. Tolkien wrote it.", "I read it."]),
        ("Gen. Lee lives in St. Louis now. She does not.", ["Gen. Lee lives in St. Louis now.", "She does not."]),
        ("\u201cStop!\u201d she said. \u201cWhy?\u201d", ["\u201cStop!\u201d she said.", "\u201cWhy?\u201d"]),
        ("We ate at 9 a.m. Then the sun rose, 2\u00bd hours late\u2026 Really?",
         ["We ate at 9 a.m.", "Then the sun rose, 2\u00bd hours late\u2026", "Really?"]),
        ("\u2026 One *two.* Three", ["\u2026 One *two.*", "Three"]),
        (" ", []),
    ],
)  # fmt: skip
def test_scripts_are_cut_as_the_front_end_cuts_and_keep_their_characters(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences
    assert "".join("".join(sentences).split()) == "".join(text.split())


@pytest.mark.parametrize("data", [b"", b"\n \n", b"... !\n", b"caf\xe9\n", b"RIFF\0\0\0\0WAVE"])
def test_no_script(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "script.txt"
    path.write_bytes(data)
    with pytest.raises(DatasetError) as caught:
        read_script(path)
    assert caught.value.code == "missing_transcript"
    assert caught.value.hint
    with pytest.raises(DatasetError, match="Cannot read"):
        read_script(tmp_path / "none.txt")


def metadata(folder: Path, *lines: str) -> Path:
    path = folder / "metadata.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "wavs").mkdir()
    for name in ("wavs/a-1.wav", "wavs/a-2.flac", "b.wav"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_metadata(corpus: Path) -> None:
    path = metadata(corpus, "a-1|In 1999.|In nineteen ninety nine.", "", "a-2|Two.", "b|Three.|")
    assert read_metadata(path) == [
        ClipTranscript(corpus / "wavs" / "a-1.wav", "In 1999.", "In nineteen ninety nine.", f"{path}:1"),
        ClipTranscript(corpus / "wavs" / "a-2.flac", "Two.", None, f"{path}:3"),
        ClipTranscript(corpus / "b.wav", "Three.", None, f"{path}:4"),
    ]


@pytest.mark.parametrize(
    ("lines", "code", "line"),
    [
        (["a-1|One.", "a-1|Again."], "metadata_invalid", 2),
        (["a-1"], "metadata_invalid", 1),
        (["a-1|b|c|d"], "metadata_invalid", 1),
        (["a-1|One.", "../b|Up."], "metadata_invalid", 2),
        (["a-1|One.", "a-2| |"], "missing_transcript", 2),
        (["c|No such clip."], "missing_clip", 1),
        (["", ""], "missing_transcript", None),
    ],
)
def test_bad_metadata(corpus: Path, lines: list[str], code: str, line: int | None) -> None:
    path = metadata(corpus, *lines)
    with pytest.raises(DatasetError) as caught:
        read_metadata(path)
    assert caught.value.code == code
    if line is not None:
        assert f"{path}:{line}" in str(caught.value)


def test_sidecars(tmp_path: Path) -> None:
    for name in ("two.wav", "one.FLAC", "notes.md"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "one.txt").write_text("The first\nclip.\n", encoding="utf-8")
    (tmp_path / "two.lab").write_text("The second.", encoding="utf-8")
    found = read_sidecars(tmp_path)
    assert [(clip.audio.name, clip.text) for clip in found] == [
        ("one.FLAC", "The first clip."),
        ("two.wav", "The second."),
    ]


def test_text_is_never_made_of_a_file_name(tmp_path: Path) -> None:
    (tmp_path / "good_morning.wav").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"good_morning\.wav") as caught:
        read_sidecars(tmp_path)
    assert caught.value.code == "missing_transcript"
    (tmp_path / "good_morning.txt").write_text(" \n", encoding="utf-8")
    with pytest.raises(DatasetError, match="no words"):
        read_sidecars(tmp_path)


def test_a_folder_without_recordings(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        read_sidecars(tmp_path)
    assert caught.value.code == "dataset_no_valid_audio"


@pytest.mark.parametrize(("encoding", "name"), [("utf-16", "UTF-16"), ("cp1252", "Windows-1252")])
def test_texts_beside_recordings_in_other_encodings(tmp_path: Path, encoding: str, name: str) -> None:
    caption = "1\n00:00:01,000 --> 00:00:02,500\nThe café’s door.\n"
    texts = {"a.txt": "A naïve café’s door.", "b.txt": "A “second” one.", "c.srt": caption}
    for file, text in texts.items():
        (tmp_path / file).with_suffix(".wav").write_bytes(b"")
        (tmp_path / file).write_bytes(text.encode(encoding))
    notes: list[str] = []
    found = read_sidecars(tmp_path, note=notes.append)
    assert [clip.text for clip in found] == [texts["a.txt"], texts["b.txt"], "The café’s door."]
    assert notes == [f"a.txt and 2 more: read as {name}; save it as UTF-8 if characters look wrong"]


def test_documents_of_word_processors_beside_recordings_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    (tmp_path / "a.rtf").write_bytes(b"{\\rtf1 x}")
    with pytest.raises(DatasetError) as caught:
        read_sidecars(tmp_path)
    assert caught.value.code == "missing_transcript"
    assert "a.rtf" in str(caught.value)
