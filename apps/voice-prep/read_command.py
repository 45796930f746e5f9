"""`voice-prep read`: how a text is read, before it is recorded or spoken."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from voicemill.text.frontend import ReadSentence, SpokenWord

EXAMPLES = """\b
Examples:
  voice-prep read --text "Dr. Lee read it at 5:30 p.m."
  voice-prep read --file script.txt --json
  voice-prep read --file script.txt --lexicon names.dict
  echo "No. 5" | voice-prep read --file -

\b
Without --json: each sentence, and below it its words with their phones. JSON: a list of sentences with `text`, `spoken`
(lower-case words) and `phones` (one list of ARPABET symbols a word).

\b
Exit codes: 0 done, 1 refused (bad usage), 2 blocked (no such file, not UTF-8, letters of another script)."""


@click.command("read", epilog=EXAMPLES)
@click.option("--text", help="The text itself.")
@click.option("--file", "path", metavar="FILE", help="A UTF-8 text file, or - for stdin.")
@click.option("--lexicon", type=click.Path(path_type=Path), metavar="FILE", help="Additional pronunciations.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array on stdout.")
def read_command(text: str | None, path: str | None, lexicon: Path | None, as_json: bool) -> None:
    """Show how a text is read: its sentences, the spoken words and their phones."""
    from voicemill.errors import UsageError
    from voicemill.text.frontend import read
    from voicemill.text.lexicon import Lexicon

    if (text is None) == (path is None):
        raise UsageError("Give either --text or --file.", hint='voice-prep read --text "Dr. Lee read it."')
    content = text if text is not None else _content(str(path))
    _require_english(content)
    sentences = read(content, Lexicon.load(lexicon))
    if as_json:
        rows = (json.dumps(_as_json(sentence), ensure_ascii=False) for sentence in sentences)
        click.echo("[\n" + ",\n".join(rows) + "\n]" if sentences else "[]")
    elif sentences:
        click.echo("\n".join(line for sentence in sentences for line in _table(sentence)))
    else:
        click.echo("The text has no words.", err=True)


def _content(path: str) -> str:
    from voicemill.text.text_files import decode_text, read_text

    return decode_text(sys.stdin.buffer.read(), "standard input") if path == "-" else read_text(Path(path))


def _require_english(text: str) -> None:
    from voicemill.errors import DatasetError
    from voicemill.text.frontend.reading import foreign_letters

    foreign = foreign_letters(text)
    if foreign:
        raise DatasetError(
            f"The text contains {' '.join(foreign[:8])}, which English spelling lacks.",
            reason="text_not_english",
            hint="Write it in English letters, as it is spoken.",
        )


def _as_json(sentence: ReadSentence) -> dict[str, object]:
    return {
        "text": sentence.text,
        "spoken": sentence.spoken,
        "phones": [list(word.phones) for word in sentence.words],
    }


def _table(sentence: ReadSentence) -> Iterator[str]:
    """A sentence, a line for each of its words, and an empty line."""
    width = max(len(word.text) for word in sentence.words)
    yield sentence.text
    for word in sentence.words:
        yield f"  {word.text:<{width}}  {_phones(word)}"
    yield ""


def _phones(word: SpokenWord) -> str:
    others = " or ".join(" ".join(phones) for phones in word.alternatives)
    return " ".join(word.phones) + (f"   (not {others})" if others else "")
