"""What the page in a bundle says of NeMo's own reader of texts is so, and its program makes texts that lose nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from voicemill.bundle.instructions import INSTRUCTIONS, instructions
from voicemill.text.frontend import read
from voicemill.text.lexicon import Lexicon

if TYPE_CHECKING:
    from voicemill.training.speaker import Speaker

TEXT = "The report was 42 pages long. Kathleen met Zyzzyrova at 5:30 p.m."
ALL = ("fastpitch.nemo", "hifigan.nemo", "voice.onnx")


def spoken(speaker: Speaker, text: str) -> str:
    """The symbols that NeMo's `parse` makes of a text."""
    (tokens,) = speaker.fastpitch.parse(text).tolist()
    return str(speaker.fastpitch.vocab.decode(tokens))


@pytest.mark.slow
def test_nemo_reads_every_word_of_a_text_that_the_pages_program_wrote(speaker: Speaker) -> None:
    sentences = read(TEXT, Lexicon.load(None))
    (program,) = re.findall(r"```python\n(.*?)```", instructions(ALL), re.DOTALL)
    rows = [{"text": one.text, "phones": [list(word.phones) for word in one.words]} for one in sentences]
    made = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(rows), capture_output=True, text=True, check=True
    ).stdout
    wanted = [phone for one in sentences for word in one.words for phone in word.phones]
    assert re.findall(r"[A-Z]+\d?", spoken(speaker, made)) == wanted
    assert len(re.findall(r"[A-Z]+\d?", spoken(speaker, TEXT))) < len(wanted) - 10, "NeMo alone loses words"
    assert not re.search(r"\d{2}", spoken(speaker, "42"))


@pytest.mark.parametrize("names", [ALL, ALL[:1], (ALL[0], ALL[2])])
def test_the_page_names_the_files_of_its_bundle(names: tuple[str, ...]) -> None:
    page = instructions(names)
    for name in ALL:
        assert (f"`{name}`" in page) == (name in names)
    assert "-23 LUFS" in page


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_bundle_has_its_page_and_one_of_a_dry_run_does_not(voice, dry_run: bool) -> None:
    page = voice.publish(dry_run=dry_run) / INSTRUCTIONS
    assert page.exists() != dry_run
    assert dry_run or page.read_text() == instructions(ALL[:2])
