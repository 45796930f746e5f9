"""The text front end: a text, read sentence by sentence.

    text -> cleanup -> scanner: words, written forms, marks -> sentences -> words with phones

Sentences are cut once, here: at a full stop, question or exclamation mark that is not part of an abbreviation, a
number or an address, and at the end of a paragraph.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from voicemill.text.frontend import abbreviation_lists, abbreviations, capitals, chat, heteronyms, patterns, symbols
from voicemill.text.frontend.cleanup import BOUNDARY, clean, strip_accents
from voicemill.text.frontend.forms import Neighbours, Reading, spelled
from voicemill.text.frontend.spoken_words import ReadingChoice, ReadSentence, SpokenWord
from voicemill.text.lexicon import Lexicon, Phones

LETTER_A: Phones = ("EY",)
"""The name of the letter, which the article does not have."""
_SCANNER = re.compile(
    patterns.PATTERN
    + rf"|(?P<latin>(?<![\w.])(?i:{abbreviation_lists.DOTTED})\.?(?!\w))"
    + r"|(?P<initials>(?<![\w.])(?:[A-Za-z]\.){2,8}(?:[A-Za-z](?![\w.]))?)"
    + r"|(?P<ampersand>(?<!\w)[A-Z]{1,4}&[A-Z]{1,4}s?(?!\w))"
    + r"|(?P<word>[^\W\d_\u00b2\u00b3]+(?:'[^\W\d_\u00b2\u00b3]+)*)"
    + r"|(?P<ellipsis>\.{2,})"
    + r"|(?P<mark>[.?!]+|[,;:])"
    + r"|(?P<dash>(?:[\u2013\u2014]|(?<=\s)-{1,3}(?=\s)|--+))"
    + r"|(?P<bracket>[()\[\]{}])"
    + r"|(?P<sign>[^\s\w\"'-])"
)
_MARKS = frozenset(("mark", "bracket", "dash", "ellipsis", "sign"))
_READ_SIGNS = frozenset("&@#")
"""Signs that are words, so that no sentence ends before them."""
_WITHOUT_ENDING = _MARKS | {"word"}
"""Words, whose pattern includes a possessive ending, and what has none."""
_ENDING = re.compile(r"'s(?!\w)")
_DOTTED_FORMS = frozenset(
    ("clock", "clock_range", "dotted_clock", "hour", "unit", "fraction_unit", "state", "state_dotted", "old_money")
)
"""Forms whose pattern may include a last dot."""
_CLOSES = re.compile(r"[\"')\]]*(?:\s|$)")
_OPERATOR = re.compile(r"\s*(?:[=<>\u2264\u2265\u2260\u2248\u00d7\u00f7\u00b1]|[+*/-] )")
"""A sign between two terms, which begins no sentence: `2 hrs. = 120 min.`."""
_QUOTED = re.compile(r"[\"']\s+[a-z]")
_LAST_OR_CAPITAL = re.compile(r"\s*$|[\"')\]]*\s+[\"'(]*[A-Z]")
_STARTER = re.compile(
    r"(?:The|A|An|He|She|It|We|They|I|You|This|That|These|Those|There|Here|But|And|Or|So|If|When|Then|Now|Later|After|"
    r"Before|Once|Until|While|As|In|On|At|By|For|From|With|To|My|Our|Your|His|Her|Its|Their|What|Who|Why|How|Where|Which|"
    r"Is|Are|Was|Were|Do|Does|Did|Can|Could|Will|Would|No|Not|Yes|Please|Let|All|Some|Many|Most|Both|Each|Every|One|"
    r"However|Also|Still|Just)\b"
)
_LABEL = re.compile(r"[aA](?:[,;:)?!]|\.(?!\.))|A(?:[-/]\w|[+&])")
"""The letter and not the article: `a) bread`, `A, B or C`, `A-frame`."""
_VARIABLE = re.compile(r"[\u00b2\u00b3^]|\s*[<>=+\u00d7\u00f7*/\u2264\u2265\u2260]\s")


_SYMBOLS = frozenset(("symbol", "symbols", "Symbol", "Symbols"))
"""Before the letters of a chemical element."""
_JOINERS = frozenset((",", "and", "or", "&", "to", "through", "\u2013"))
"""Between Roman numerals of one series."""


@dataclass(frozen=True)
class _Place:
    """Where a word stands in its line.

    Attributes:
        written: words and numbers of the line as written; an empty string for a mark.
        index: of the word.
        shouting: most words of the line are in capitals.
        series: how the Roman numeral before is read, see `capitals.Surroundings`.
        listed: whether the dictionary lists a word that is not spoken as the names of its letters.
    """

    written: Sequence[str]
    index: int
    shouting: bool
    series: str
    listed: Callable[[str], bool]

    def surroundings(self, *, shouting: bool) -> capitals.Surroundings:
        """The words around, for words in capitals."""
        before, earlier, after = (_adjacent(self.written, self.index + step) for step in (-1, -2, 1))
        return capitals.Surroundings(before, earlier, after, shouting, self.series)


@dataclass
class _Token:
    """A piece of a paragraph: readings of a word or written form, or a mark."""

    written: str
    start: int
    end: int
    readings: list[Reading] = field(default_factory=list)
    mark: str = ""
    ends_sentence: bool = False
    plain: bool = False
    capital: bool = False


def read(text: str, lexicon: Lexicon | None = None) -> list[ReadSentence]:
    """How a text is read.

    Args:
        text: English text as people write it, Markdown and HTML entities included.
        lexicon: pronunciations; the CMU dictionary by default.

    Returns:
        Its sentences in order; sentences without a word are left out. Letters of other scripts are skipped: callers
        that must refuse them ask `foreign_letters` first.
    """
    lexicon = lexicon or Lexicon.load()
    plain = clean(text.replace(BOUNDARY, " "))
    return [sentence for line in plain.splitlines() for sentence in _paragraph(line, lexicon)]


def read_parts(parts: Sequence[str], lexicon: Lexicon | None = None) -> list[ReadSentence]:
    """How a text in parts is read: as `read` reads the whole text, with each word's part.

    Args:
        parts: of one text, for example what SSML elements enclose; a sentence or word may span several.
        lexicon: pronunciations; the CMU dictionary by default.
    """
    lexicon = lexicon or Lexicon.load()
    parts = [part.replace(BOUNDARY, " ") for part in parts]
    text = clean(BOUNDARY.join(parts))
    if text.count(BOUNDARY) != len(parts) - 1:  # one stood inside markup that is not spoken
        text = BOUNDARY.join(f" {clean(part)} " for part in parts)
    sentences: list[ReadSentence] = []
    first = 0
    for line in text.splitlines():
        plain, starts = _without_boundaries(line)
        sentences += _paragraph(plain, lexicon, starts, first)
        first += len(starts)
    return sentences


def _without_boundaries(line: str) -> tuple[str, list[int]]:
    """A line without the boundaries of parts, and where each part after the first begins in it."""
    first, *others = line.split(BOUNDARY)
    pieces, starts, length = [first], [], len(first)
    for piece in others:
        starts.append(length)
        if piece.startswith(" ") and (not length or pieces[-1].endswith(" ")):
            piece = piece[1:]
        if piece:
            pieces.append(piece)
            length += len(piece)
    return "".join(pieces), starts


def foreign_letters(text: str) -> list[str]:
    """Letters of the text that English spelling cannot express, sorted, once each."""
    if text.isascii() and "&" not in text:  # no letter and no entity of one
        return []
    plain = strip_accents(clean(text))
    return sorted({c for c in plain if c.isalpha() and not c.isascii()})


def _paragraph(line: str, lexicon: Lexicon, starts: Sequence[int] = (), first_part: int = 0) -> Iterator[ReadSentence]:
    tokens = list(_tokens(line, lambda word: _is_word(word, lexicon)))
    first = start = 0
    for index, token in enumerate(tokens):
        if token.ends_sentence or index + 1 == len(tokens):
            end = token.end if index + 1 < len(tokens) else len(line)
            end += len(line[end : end + 2]) - len(line[end : end + 2].lstrip("\"')"))
            origins = [first_part + bisect_right(starts, each.start) for each in tokens[first : index + 1]]
            sentence = _sentence(line[start:end].strip(), tokens[first : index + 1], origins, lexicon)
            if sentence.words:
                yield sentence
            first, start = index + 1, end


def _is_word(word: str, lexicon: Lexicon) -> bool:
    """Whether the lexicon lists a word that is not spoken as the names of its letters."""
    phones = lexicon.phones(word)
    if phones is None or not word.isascii() or not word.isalpha():
        return phones is not None
    letters = [LETTER_A if letter == "a" else lexicon.phones(letter) or () for letter in word]
    return phones != tuple(phone for named in letters for phone in named)


def _tokens(line: str, listed: Callable[[str], bool]) -> Iterator[_Token]:
    matches = list(_SCANNER.finditer(line))
    written = [match[0] if match[0] in _READ_SIGNS or match.lastgroup not in _MARKS else "" for match in matches]
    shouting = _is_shouting(line)
    numerals: dict[int, str] = {}
    skip = -1
    for index, match in enumerate(matches):
        if index <= skip:
            continue
        kind, text = match.lastgroup or "", match[0]
        token = _Token(text, match.start(), match.end())
        around = Neighbours(line[max(0, match.start() - 48) : match.start()], line[match.end() : match.end() + 48])
        if kind == "word":
            dot = line[match.end() : match.end() + 1] == "."
            following = line[match.end() + 1 : match.end() + 3] if dot else ""
            context = abbreviations.WordContext(
                dotted=dot and not following.startswith("."),
                before=_adjacent(written, index - 1),
                after=_adjacent(written, index + (2 if dot else 1)),
                mark=following[:1] if following[:1] in tuple(",;:?!") else "",
            )
            short = abbreviations.expand(text, context)
            if short is not None:
                token.readings, token.ends_sentence = [short.words], short.ends_sentence
                token.capital = text[0].isupper()
                token.mark = "." if short.ends_sentence else ""
                if context.dotted:
                    skip, token.end = index + 1, match.end() + 1
                    written[index + 1] = short.counted
            else:
                place = _Place(written, index, shouting, _series(matches, numerals, index), listed)
                token.readings, dotted_initial = _word(text, context, place)
                numerals[index] = capitals.numeral_kind(text, token.readings[0])
                if (text == "a" and _VARIABLE.match(around.after)) or (
                    text in "aA" and _LABEL.match(line, match.start())
                ):
                    token.readings = [["A"]]
                token.plain = token.readings == [[strip_accents(text).lower()]]
                if dotted_initial:
                    skip, token.end = index + 1, match.end() + 1
        elif kind == "latin":
            token.readings = [abbreviations.expand_dotted(text)]
        elif kind == "initials":
            token.readings = [spelled(text.replace(".", ""))]
            token.ends_sentence = _dot_ends(text, around)
            token.mark = "." if token.ends_sentence else ""
        elif kind == "ampersand":
            first, _, second = text.partition("&")
            names = spelled(second.removesuffix("s"))
            names[-1] += "'s" if second.endswith("s") else ""
            token.readings = [[*spelled(first), "and", *names]]
        elif kind in ("mark", "ellipsis", "dash", "bracket"):
            _punctuate(token, kind, line)
        elif kind == "sign":
            token.readings = symbols.sign(text, around)
        else:
            token.readings = patterns.readings(kind, text, around)
            token.ends_sentence = kind in _DOTTED_FORMS and _dot_ends(text, around)
            token.mark = "." if token.ends_sentence else ""
        if kind not in _WITHOUT_ENDING and _ENDING.match(line, match.end()):
            token.readings = [[*words[:-1], words[-1] + "'s"] for words in token.readings if words] or [[]]
            skip, token.end = index + 1, match.end() + len("'s")
        if token.ends_sentence and token.written[-1:] not in "?!" and _OPERATOR.match(line, token.end):
            token.ends_sentence, token.mark = False, ""
        yield token


def _adjacent(written: Sequence[str], index: int) -> str:
    return written[index] if 0 <= index < len(written) else ""


def _series(matches: Sequence[re.Match[str]], numerals: Mapping[int, str], index: int) -> str:
    """How the Roman numeral is read that `and`, `or` or a comma joins with the word at `index`; empty without one."""
    for before in range(index - 1, max(-1, index - 4), -1):
        if matches[before][0] not in _JOINERS:
            return numerals.get(before, "") if before < index - 1 else ""
    return ""


def _word(text: str, context: abbreviations.WordContext, place: _Place) -> tuple[list[Reading], bool]:
    """Readings of a word that is no abbreviation, and whether the dot after it belongs to it (an initial)."""
    plain = strip_accents(text)
    if len(text) == 1 and text.isupper():
        if compass := _compass(text, context, place):
            return [[compass]], context.dotted and bool(context.after)
        named = context.after[:1].isupper() or context.before[:1].isupper()
        initial = context.dotted and (named or (context.after[:1].islower() and text not in "AI"))
        single = capitals.read_capitals(text, place.surroundings(shouting=False), place.listed)
        if single and (not initial or not context.after or _STARTER.match(context.after)):
            return single, False
        if text in "AI" and not initial:
            return [["A" if text == "A" and _names_letter(context) else text.lower()]], False
        return [spelled(text)], initial
    if text in ("NE", "NW", "SE", "SW") and (compass := _compass(text, context, place)):
        return [[compass]], False
    if re.fullmatch(symbols.ELEMENT, text) and _SYMBOLS & set(place.written[max(0, place.index - 8) : place.index]):
        return [spelled(text)], False
    found = capitals.read_capitals(plain, place.surroundings(shouting=place.shouting), place.listed)
    if found is not None:
        return found, False
    small = chat.read_small(text, place.listed)
    if small:
        return [small], False
    ascii_word = "".join(c for c in plain if c.isascii() and (c.isalpha() or c == "'")).strip("'")
    return ([[ascii_word.lower()]] if ascii_word else [[]]), False


def _compass(text: str, context: abbreviations.WordContext, place: _Place) -> str:
    """The direction that a letter abbreviates before or after a street's name, with or without dots; else empty."""
    first = place.index + (2 if context.dotted else 1)
    after = [_adjacent(place.written, first + step) for step in range(5)]
    before = [_adjacent(place.written, place.index - step) for step in (1, 2)]
    return abbreviations.direction(text, before, after)


def _names_letter(context: abbreviations.WordContext) -> bool:
    """Whether `A` is the letter and not the article."""
    before = context.before.lower()
    if before in (
        "vitamin",
        "plan",
        "grade",
        "team",
        "letter",
        "hepatitis",
        "an",
        "section",
        "point",
        "option",
        "type",
        "appendix",
        "figure",
        "table",
        "exhibit",
        "suite",
    ):
        return True
    return bool(before) and (
        context.after in ("", "in", "to", "and", "or", "is", "for", "on") and not context.before.isupper()
    )


def _is_shouting(line: str) -> bool:
    words = re.findall(r"[A-Za-z]{2,}", line)
    capital = [word for word in words if word.isupper()]
    return len(words) >= 2 and len(capital) > 0.6 * len(words) and max(map(len, capital)) > 2


def _dot_ends(text: str, around: Neighbours) -> bool:
    """Whether the last dot of `U.S.` or `9 a.m.` ends the sentence too: nothing follows, or a word that begins one."""
    following = around.after.strip()
    return text.endswith(".") and (not following or _STARTER.match(following) is not None)


def _punctuate(token: _Token, kind: str, line: str) -> None:
    if kind == "mark":
        strongest = "?" if "?" in token.written else "!" if "!" in token.written else token.written[0]
        closes = _CLOSES.match(line, token.end) is not None
        token.mark = strongest
        quoted = _QUOTED.match(line, token.end) is not None
        token.ends_sentence = strongest in ".?!" and (closes or token.written != ".") and not quoted
        if strongest == "." and not closes:
            token.mark = ""
    elif kind == "ellipsis":
        token.ends_sentence = _LAST_OR_CAPITAL.match(line, token.end) is not None
        token.mark = "." if token.ends_sentence else ","
    else:
        token.mark = "," if token.start else ""


def _sentence(text: str, tokens: Sequence[_Token], origins: Sequence[int], lexicon: Lexicon) -> ReadSentence:
    spoken: list[str] = []
    parts: list[int] = []
    shown: list[str] = []
    marks: list[str] = []
    choices: list[ReadingChoice] = []
    for token, part in zip(tokens, origins, strict=True):
        if token.readings and token.readings[0]:
            first = len(spoken)
            spoken += token.readings[0]
            parts += [part] * len(token.readings[0])
            shown += _shown(token)
            marks += [""] * len(token.readings[0])
            others = list(dict.fromkeys(tuple(word.lower() for word in words) for words in token.readings))
            if len(others) > 1:
                choices.append(ReadingChoice(first, len(spoken), tuple(others)))
        if token.mark and marks:
            marks[-1] = _stronger(marks[-1], token.mark)
    lower = [word.lower() for word in spoken]
    if marks and marks[-1] in (",", ";", ":"):
        marks[-1] = "."
    words = tuple(_spoken_word(lower, index, spoken[index], shown, marks, lexicon) for index in range(len(lower)))
    if any(parts):
        words = tuple(replace(word, part=part) for word, part in zip(words, parts, strict=True))
    return ReadSentence(text, words, tuple(choices))


def _shown(token: _Token) -> list[str]:
    """The words of a token with the capital letters that they are written with."""
    if token.plain:
        return ["".join(c for c in strip_accents(token.written) if c.isascii())]
    first, *others = (word.lower() for word in token.readings[0])
    return [first.capitalize() if token.capital else first, *others]


def _stronger(first: str, second: str) -> str:
    order = ("", ",", ";", ":", ".", "!", "?")
    return max(first, second, key=order.index)


def _spoken_word(
    lower: Sequence[str], index: int, spoken: str, written: Sequence[str], marks: Sequence[str], lexicon: Lexicon
) -> SpokenWord:
    word, mark, shown = lower[index], marks[index], written[index]
    if spoken == "A":
        return SpokenWord(word, LETTER_A, mark, shown)
    if word not in lexicon.own and (chosen := heteronyms.choose(lower, index, marks, written)):
        others = tuple(phones for phones in heteronyms.pronunciations(word) if phones != chosen)
        return SpokenWord(word, chosen, mark, shown, others)
    return SpokenWord(word, lexicon.pronounce(word).phones, mark, shown)
