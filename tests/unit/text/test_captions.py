from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.errors import DatasetError
from voicemill.text.captions import Caption, find_timed, is_timed, read_captions

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Good morning,</i>
<font color="red">Ann.</font>

2
00:00:03,000 --> 00:00:04,000
[music]

3
01:00:05,250 --> 01:00:06,000  X1:10 X2:20
{\\an8}Fish &amp; chips.
"""
VTT = """WEBVTT - a title
Kind: captions

NOTE
Nobody says this --> or this

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 align:start position:10%
<v Ann>Good morning,
<00:00:01.900><c>Ann.</c>

00:00:03.000 --> 00:00:04.000
♪ (humming) ♪

1:00:05.250 --> 1:00:06.000
Fish &amp; chips.
"""
LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 3606
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 3606
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 3606
            text = "AH"
    item [2]:
        class = "TextTier"
        name = "points"
        xmin = 0
        xmax = 3606
        points: size = 1
        points [1]:
            number = 1.5
            mark = "here"
    item [3]:
        class = "IntervalTier"
        name = "Sentences 1"
        xmin = 0
        xmax = 3606
        intervals: size = 3
        intervals [1]:
            xmin = 1
            xmax = 2.5
            text = "Good morning,
Ann."
        intervals [2]:
            xmin = 2.5
            xmax = 3605.25
            text = ""
        intervals [3]:
            xmin = 3605.25
            xmax = 3606
            text = "Fish & chips. "
"""
SHORT = (
    'File type = "ooTextFile short"\n"TextGrid"\n\n0\n3606\n<exists>\n1\n"IntervalTier"\n"anything"\n0\n3606\n3\n'
    '1\n2.5\n"Good morning, Ann."\n2.5\n3605.25\n""\n3605.25\n3606\n"Fish & chips."\n'
)
FILES = {"a.srt": SRT, "a.vtt": VTT, "a.TextGrid": LONG, "b.TextGrid": SHORT}
SAID = [(1.0, 2.5, "Good morning, Ann."), (3605.25, 3606.0, "Fish & chips.")]


def _said(captions: list[Caption]) -> list[tuple[float, float, str]]:
    return [(one.start, one.end, one.text) for one in captions]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_all_forms_say_the_same(name: str, encoding: str, newline: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name].replace("\n", newline).encode(encoding))
    assert is_timed(path)
    assert _said(read_captions(path)) == SAID


@pytest.mark.parametrize("name", ["a.TextGrid", "b.TextGrid"])
def test_praat_writes_utf_16(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name].replace("Ann", "Ännchen").encode("utf-16"))
    assert read_captions(path)[0].text == "Good morning, Ännchen."


def test_a_quote_in_a_label(tmp_path: Path) -> None:
    path = tmp_path / "a.TextGrid"
    path.write_text(SHORT.replace("Ann.", 'say ""no 3 times"".'))
    assert read_captions(path)[0].text == 'Good morning, say "no 3 times".'


BAD = {
    "no_arrow.srt": ("1\n00:00:01,000\nHello.\n", 1),
    "bad_time.srt": ("1\n00:00:01 --> 00:00:02\nHello.\n", 1),
    "backwards.srt": ("1\n00:00:03,000 --> 00:00:02,000\nHello.\n", 2),
    "rolling.srt": ("1\n00:00:01,000 --> 00:00:03,000\nOne.\n\n2\n00:00:02,000 --> 00:00:04,000\nTwo.\n", 6),
    "no_head.vtt": ("00:01.000 --> 00:02.000\nHello.\n", 1),
    "loose_text.vtt": ("WEBVTT\n\nHello.\n", 3),
    "plain.TextGrid": ("Hello, nobody.\n", 1),
    "cut_off.TextGrid": (LONG[: LONG.index("Good")] + '"', 37),
    "swapped.TextGrid": (SHORT.replace("1\n2.5", "2.5\n1"), 15),
    "kind.TextGrid": (SHORT.replace("IntervalTier", "Tier"), 8),
    "other.TextGrid": (SHORT.replace('"TextGrid"', '"Sound"'), 2),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_name_the_line(name: str, tmp_path: Path) -> None:
    text, line = BAD[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError) as caught:
        read_captions(tmp_path / name)
    assert caught.value.code == "captions_invalid"
    assert abs(int(caught.value.reason.rpartition(":")[2]) - line) <= 1, caught.value.reason
    assert caught.value.hint


@pytest.mark.parametrize("name", ["a.srt", "a.vtt", "b.TextGrid"])
def test_nothing_said(name: str, tmp_path: Path) -> None:
    text = (
        FILES[name]
        .replace("Good morning,", "")
        .replace("Ann.", "")
        .replace("Fish &amp; chips", "")
        .replace("Fish & chips", "")
    )
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError) as caught:
        read_captions(tmp_path / name)
    assert caught.value.code == "missing_transcript"


def test_which_tier(tmp_path: Path) -> None:
    path = tmp_path / "a.TextGrid"
    path.write_text(LONG.replace("Sentences 1", "Anna"))
    with pytest.raises(DatasetError, match="'phones', 'Anna'") as caught:
        read_captions(path)
    assert caught.value.reason == "textgrid_tier"
    assert _said(read_captions(path, "Anna")) == SAID


def test_beside_a_recording(tmp_path: Path) -> None:
    audio = tmp_path / "take.flac"
    assert find_timed(audio) is None
    (tmp_path / "take.TextGrid").write_text(SHORT)
    assert find_timed(audio) == tmp_path / "take.TextGrid"


@given(st.text(max_size=300), st.sampled_from(["x.srt", "x.vtt", "x.TextGrid"]))
def test_no_text_makes_it_stumble(tmp_path_factory: pytest.TempPathFactory, text: str, name: str) -> None:
    path = tmp_path_factory.mktemp("any") / name
    head = {"x.srt": "", "x.vtt": "WEBVTT\n\n", "x.TextGrid": 'File type = "ooTextFile"\n"TextGrid" 0 1 <exists>\n'}[
        name
    ]
    path.write_text(head + text, encoding="utf-8", errors="replace", newline="")
    captions = []
    with contextlib.suppress(DatasetError):  # any other exception is a stumble
        captions = read_captions(path)
    assert all(one.end > one.start for one in captions)


def test_a_named_tier_and_one_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.TextGrid"
    path.write_text(SHORT)
    assert _said(read_captions(path, "anything")) == _said(read_captions(path))
    with pytest.raises(DatasetError, match=r"no interval tier 'words'.*'anything'") as caught:
        read_captions(path, "words")
    assert caught.value.reason == "textgrid_tier"
    assert "--tier" in caught.value.hint
