"""Input of synthesis: plain text or SSML, as passages that are spoken in one go and the pauses between them.

The elements are `speak, p, s, break, sub, say-as, phoneme, prosody, emphasis, mark` (W3C SSML 1.1). A text that begins
with `<speak>` is an XML document; in any other text the tags of these elements count as markup, and every other `<`
and `&` is spoken. Documents with a DTD, and so with entities of their own, are refused before anything is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from xml.parsers import expat

from voicemill.errors import UsageError
from voicemill.synthesis import prosody
from voicemill.synthesis.phone_alphabets import ALPHABETS, phones_of_words
from voicemill.synthesis.prosody import Style
from voicemill.synthesis.say_as import KINDS, read_as
from voicemill.text.lexicon import Phones

ELEMENTS = ("speak", "p", "s", "break", "sub", "say-as", "phoneme", "prosody", "emphasis", "mark")
MAX_CHARACTERS = 1_000_000
"""Of a text with markup."""
MAX_DEPTH = 32
_ATTRIBUTES = {
    "speak": ("version", "xmlns", "xml:lang", "xml:base", "xmlns:xsi", "xsi:schemaLocation"),
    "p": ("xml:lang",),
    "s": ("xml:lang",),
    "break": ("time", "strength"),
    "sub": ("alias",),
    "say-as": ("interpret-as", "format", "detail"),
    "phoneme": ("alphabet", "ph"),
    "prosody": ("rate", "pitch", "volume"),
    "emphasis": ("level",),
    "mark": ("name",),
}
_NAME = r"[A-Za-z_][\w.-]*(?::[\w.-]+)?"
_TAG = re.compile(
    rf"<(?P<close>/)?(?P<name>{_NAME})(?P<attributes>(?:\s+{_NAME}\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*)\s*(?P<empty>/)?>"
)
_DOCUMENT = re.compile(
    r"\s*(?:<\?xml\b[^<>]*\?>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*(?:<!DOCTYPE\b|<speak[\s>/])", re.IGNORECASE | re.DOTALL
)
_MISWRITTEN = re.compile(r"</?(?P<name>speak|break|sub|say-as|phoneme|prosody|emphasis|mark|voice|audio)(?=[\s/>])")
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n")
_WRAPPED_LINE = re.compile(r"(?<=[\w,;:])[^\S\n]*\n[^\S\n]*(?=[a-z])")
_LEAVES = ("sub", "say-as", "phoneme", "break", "mark")
"""Elements that hold no others."""
_NEEDED = {"sub": "alias", "say-as": "interpret-as", "phoneme": "ph", "mark": "name"}
_STAND_IN = "thing"
"""What the front end reads in place of words that the markup gives."""


PLAIN = Style()


@dataclass(frozen=True)
class GivenWord:
    """A word that the markup gives: its text, and its phones unless the front end finds them."""

    text: str
    phones: Phones | None = None


@dataclass(frozen=True)
class Part:
    """A part of a passage in one style.

    Attributes:
        text: what the front end reads.
        style: relative to the voice as trained.
        given: the words that are spoken in place of the text, if the markup gives them.
    """

    text: str
    style: Style = PLAIN
    given: tuple[GivenWord, ...] = ()


@dataclass(frozen=True)
class Mark:
    """A `<mark>`: it stands before part `part` of its passage."""

    name: str
    part: int


@dataclass(frozen=True)
class Passage:
    """Text without a pause that the markup sets."""

    parts: tuple[Part, ...]
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Pause:
    """Silence, in seconds."""

    seconds: float


def parse(
    text: str,
    *,
    sentence_pause: float = 0.3,
    paragraph_pause: float = 0.7,
    mean_pitch: float = prosody.MEAN_PITCH,
) -> list[Passage | Pause]:
    """Passages and pauses of a text, in order.

    Args:
        text: plain, plain with tags of SSML, or an SSML document.
        sentence_pause: seconds around `<s>`.
        paragraph_pause: seconds between paragraphs: around `<p>`, and at blank lines of plain text.
        mean_pitch: the voice's, in Hz, for pitches in Hz.

    Raises:
        UsageError: `markup_unsupported:<element>`: an element, attribute or value outside the list;
            `markup_invalid:<line>`: no well-formed XML, a DTD, elements too deep; `markup_too_long`.
    """
    document = _DOCUMENT.match(text) is not None
    builder = _Builder({"s": sentence_pause, "p": paragraph_pause}, mean_pitch, document=document)
    if document:
        _limit(text)
        _read_xml(text, builder)
    elif tags := _tags(text):
        _limit(text)
        _read_xml(_as_document(text, tags), builder)
    else:
        builder.characters(text)
    return builder.items()


def _limit(text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise UsageError(
            f"The text with markup is longer than {MAX_CHARACTERS} characters.",
            reason="markup_too_long",
            hint="Synthesise it in parts.",
        )


def _tags(text: str) -> list[re.Match[str]]:
    """The tags of a text that is no document; a name in angle brackets that is glued to a word, as in `List<int>`, and
    never closed is none.
    """
    if "<" not in text:
        return []
    found = list(_TAG.finditer(text))
    starts = {match.start() for match in found}
    for almost in _MISWRITTEN.finditer(text):
        if almost.start() not in starts:
            name = almost["name"]
            raise _unsupported(name, f"<{name} ...>", f'Write it as XML, for example <{name} name="value"/>.')
    closed = {match["name"] for match in found if match["close"]}
    return [
        match
        for match in found
        if any(match.group("close", "empty", "attributes"))
        or match["name"] in ELEMENTS
        or match["name"] in closed
        or not text[max(0, match.start() - 1) : match.start()].isalnum()
    ]


def _as_document(text: str, tags: Sequence[re.Match[str]]) -> str:
    pieces: list[str] = []
    position = 0
    for tag in tags:
        pieces += [_escaped(text[position : tag.start()]), _with_escaped_ampersands(tag[0])]
        position = tag.end()
    return f"<speak>{''.join(pieces)}{_escaped(text[position:])}</speak>"


def _escaped(text: str) -> str:
    return "".join(c for c in text if c >= " " or c in "\t\r\n").replace("&", "&amp;").replace("<", "&lt;")


def _with_escaped_ampersands(tag: str) -> str:
    return re.sub(r"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9A-Fa-f]{1,6});)", "&amp;", tag)


def _read_xml(text: str, builder: _Builder) -> None:
    parser = expat.ParserCreate("utf-8")

    def refuse_dtd(*_: object) -> None:
        raise _invalid("A document type declaration is not allowed.", parser, "Leave out <!DOCTYPE ...>.")

    def start(name: str, attributes: dict[str, str]) -> None:
        if builder.depth >= MAX_DEPTH:
            raise _invalid(f"Elements are nested deeper than {MAX_DEPTH}.", parser, "Nest fewer elements.")
        builder.start(name, attributes)

    parser.StartDoctypeDeclHandler = refuse_dtd
    parser.StartElementHandler = start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        what = f"The markup is not well-formed XML: {expat.ErrorString(error.code)}."
        hint = "Close every element; write &amp; for & and &lt; for <."
        raise _invalid(what, parser, hint) from error


def _invalid(what: str, parser: expat.XMLParserType, hint: str) -> UsageError:
    line = parser.CurrentLineNumber
    return UsageError(f"Line {line}: {what}", reason=f"markup_invalid:{line}", hint=hint)


def _unsupported(element: str, what: str, hint: str) -> UsageError:
    return UsageError(f"Unsupported markup: {what}.", reason=f"markup_unsupported:{element}", hint=hint)


@dataclass
class _Element:
    """An open element; `content` is the text inside an element that replaces it."""

    name: str
    attributes: dict[str, str]
    style: Style
    content: str = ""


class _Builder:
    """Collects passages and pauses from the events of the parser.

    Attributes:
        pauses: seconds around `s` and `p`.
        mean_pitch: in Hz.
        document: line breaks are spaces; in other texts a blank line separates paragraphs.
    """

    def __init__(self, pauses: dict[str, float], mean_pitch: float, *, document: bool) -> None:
        self.pauses, self.mean_pitch, self.document = pauses, mean_pitch, document
        self._open: list[_Element] = []
        self._text: list[str] = []
        self._items: list[Passage | Pause] = []
        self._parts: list[Part] = []
        self._marks: list[Mark] = []
        self._has_speech = False
        self._boundary = 0.0
        """Seconds of the pause that sentences and paragraphs ask for before the next passage."""
        self._break: float | None = None
        """Seconds of the breaks before the next passage, which replace that pause."""

    @property
    def depth(self) -> int:
        return len(self._open)

    def items(self) -> list[Passage | Pause]:
        self._flush()
        self._close_passage()
        if self._break:
            self._items.append(Pause(self._break))
        return self._items

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._flush()
        inside = self._open[-1] if self._open else None
        if name not in ELEMENTS:
            raise _unsupported(name[:40], f"<{name[:40]}>", f"The elements are {', '.join(ELEMENTS)}.")
        if (name == "speak") != (inside is None):
            raise _unsupported(name, f"<{name}> at this place", "Write one <speak> around the whole text.")
        if inside is not None and inside.name in _LEAVES:
            raise _unsupported(name, f"<{name}> inside <{inside.name}>", f"Close <{inside.name}> before it.")
        _check_attributes(name, attributes)
        style = _style(name, attributes, inside.style if inside else PLAIN, self.mean_pitch)
        self._open.append(_Element(name, attributes, style))
        if name in self.pauses:
            self._end_of(name)
        elif name == "break":
            self._set_break(attributes)
        elif name == "mark":
            self._marks.append(Mark(attributes["name"].strip(), len(self._parts)))

    def end(self, name: str) -> None:
        self._flush()
        element = self._open.pop()
        if name in self.pauses:
            self._end_of(name)
        elif name == "sub":
            self._add(Part(element.attributes["alias"], element.style))
        elif name == "say-as":
            self._add(_say_as(element))
        elif name == "phoneme":
            self._add(_phonemes(element))

    def characters(self, text: str) -> None:
        self._text.append(text)

    def _flush(self) -> None:
        """Take the text since the last tag."""
        text = "".join(self._text)
        self._text.clear()
        element = self._open[-1] if self._open else None
        style = element.style if element else PLAIN
        if element is not None and element.name in _LEAVES:
            if element.name in ("break", "mark") and text.strip():
                raise _unsupported(element.name, f"text inside <{element.name}>", f"Write <{element.name} .../>.")
            element.content += text
        elif self.document:
            self._add(Part(re.sub(r"\s+", " ", text), style))
        else:
            for index, paragraph in enumerate(_PARAGRAPH.split(text)):
                if index:
                    self._end_of("p")
                self._add(Part(_WRAPPED_LINE.sub(" ", paragraph), style))

    def _add(self, part: Part) -> None:
        if not part.text or (not part.text.strip() and not self._parts):
            return
        if not self._parts:
            self._add_pause()
        last = self._parts[-1] if self._parts else None
        marked = bool(self._marks) and self._marks[-1].part == len(self._parts)
        if last and not last.given and not part.given and last.style == part.style and not marked:
            self._parts[-1] = Part(last.text + part.text, part.style)
            return
        if last and (last.given or part.given) and last.text[-1:].isalnum() and part.text[:1].isalnum():
            part = replace(part, text=f" {part.text}")
        self._parts.append(part)

    def _add_pause(self) -> None:
        boundary = self._boundary if self._has_speech else 0.0
        seconds = boundary if self._break is None else self._break
        if seconds:
            self._items.append(Pause(seconds))
        self._boundary, self._break, self._has_speech = 0.0, None, True

    def _close_passage(self) -> None:
        if self._parts or self._marks:
            self._items.append(Passage(tuple(self._parts), tuple(self._marks)))
        self._parts, self._marks = [], []

    def _end_of(self, structure: str) -> None:
        self._close_passage()
        self._boundary = max(self._boundary, self.pauses[structure])

    def _set_break(self, attributes: dict[str, str]) -> None:
        time, strength = attributes.get("time"), attributes.get("strength")
        try:
            seconds = prosody.pause(time, strength)
        except ValueError as error:
            shown = f'<break {"time" if time is not None else "strength"}="{error.args[0][:40]}"/>'
            strengths = ", ".join(prosody.STRENGTHS)
            hint = f"A time is 500ms or 2s, at most {prosody.LONGEST_BREAK:g} s; a strength {strengths}."
            raise _unsupported("break", shown, hint) from error
        if seconds or not self._parts:
            self._close_passage()
            self._break = (self._break or 0.0) + seconds


def _check_attributes(name: str, attributes: dict[str, str]) -> None:
    for attribute in attributes:
        if attribute not in _ATTRIBUTES[name]:
            hint = f"The attributes of <{name}> are {', '.join(_ATTRIBUTES[name])}."
            raise _unsupported(name, f"the attribute {attribute[:40]} of <{name}>", hint)
    needed = _NEEDED.get(name)
    if needed is not None and not attributes.get(needed, "").strip():
        raise _unsupported(name, f"<{name}> without {needed}", f'Write <{name} {needed}="...">.')
    language = attributes.get("xml:lang", "en")
    if not re.match(r"en(?:[-_]|$)", language, re.IGNORECASE):
        raise _unsupported(name, f'xml:lang="{language[:40]}"', "The voices speak English.")


def _style(name: str, attributes: dict[str, str], outer: Style, mean_pitch: float) -> Style:
    if name == "emphasis":
        level = attributes.get("level", "moderate")
        if level not in prosody.EMPHASES:
            hint = f"The levels are {', '.join(prosody.EMPHASES)}."
            raise _unsupported(name, f'<emphasis level="{level[:40]}">', hint)
        style = prosody.EMPHASES[level].inside(outer)
    elif name == "prosody":
        style = Style(
            _value("rate", attributes, prosody.rate, 1.0),
            _value("pitch", attributes, lambda value: prosody.semitones(value, mean_pitch), 0.0),
            _value("volume", attributes, prosody.decibels, 0.0),
        ).inside(outer)
    else:
        return outer
    if wrong := prosody.out_of_range(style):
        hint = "Stay within a quarter to four times the rate, 12 semitones and 12 dB."
        raise _unsupported(name, f"{wrong} beyond what a voice speaks, in <{name}>", hint)
    return style


def _say_as(element: _Element) -> Part:
    kind = element.attributes["interpret-as"].strip().lower()
    try:
        words = read_as(element.content, kind, element.attributes.get("format", ""))
    except LookupError as error:
        raise _unsupported("say-as", f'interpret-as="{kind[:40]}"', f"The kinds are {', '.join(KINDS)}.") from error
    except ValueError as error:
        shown = element.content.strip()[:40]
        raise _unsupported("say-as", f"{shown!r} as {kind}", "Correct the text, or take the element away.") from error
    if words is None:
        return Part(element.content, element.style)
    given = tuple(GivenWord(word.lower(), ("EY",) if word == "A" else None) for word in words)
    return Part(_STAND_IN, element.style, given)


def _phonemes(element: _Element) -> Part:
    alphabet = element.attributes.get("alphabet", "ipa").strip().lower()
    if alphabet not in ALPHABETS:
        raise _unsupported("phoneme", f'alphabet="{alphabet[:40]}"', f"The alphabets are {', '.join(ALPHABETS)}.")
    try:
        words = phones_of_words(element.attributes["ph"], alphabet)
    except ValueError as error:
        shown = str(error.args[0])[:40]
        raise _unsupported("phoneme", f"{shown!r} in {alphabet}", "Write phones of English.") from error
    texts = element.content.lower().split() or [element.attributes["ph"].strip()]
    if len(texts) != len(words):
        words, texts = [tuple(phone for word in words for phone in word)], [" ".join(texts)]
    return Part(_STAND_IN, element.style, tuple(map(GivenWord, texts, words)))


def _value(name: str, attributes: dict[str, str], read: Callable[[str], float], default: float) -> float:
    value = attributes.get(name)
    if value is None:
        return default
    try:
        return read(value.strip())
    except ValueError as error:
        hint = "Write a label such as slow, high or soft, or a number such as 90%, +2st or -6dB."
        raise _unsupported("prosody", f'<prosody {name}="{value[:40]}">', hint) from error
