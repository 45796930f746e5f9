"""Written text without its markup: HTML entities, Markdown, emoji, typographic characters.

What remains is plain text that the patterns can read. Paragraph breaks stay as newlines. Every step is linear in the
length of the text.
"""

from __future__ import annotations

import functools
import re
import unicodedata

from voicemill.text.frontend import special_signs
from voicemill.text.unspoken import unescape

_QUOTES = dict.fromkeys("\u2018\u2019\u201a\u201b\u0060\u00b4\u02bc", "'")
_DOUBLE_QUOTES = dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a", '"')
_INVISIBLE = dict.fromkeys("\u00ad\u200b\u200c\u200d\ufeff\u2060\ufe0f\ufe0e", "")
_LETTERS = {
    "\u00e6": "ae",
    "\u00c6": "Ae",
    "\u0153": "oe",
    "\u0152": "Oe",
    "\u00f8": "o",
    "\u00d8": "O",
    "\u00df": "ss",
    "\u0142": "l",
    "\u0141": "L",
    "\u00f0": "d",
    "\u00d0": "D",
    "\u0111": "d",
    "\u0110": "D",
    "\u00fe": "th",
    "\u00de": "Th",
}
_CHARACTERS = str.maketrans(
    {
        **_QUOTES,
        **_DOUBLE_QUOTES,
        **_INVISIBLE,
        **_LETTERS,
        "\u2010": "-",
        "\u2011": "-",
        "\u2012": "\u2013",
        "\u2015": "\u2014",
        "\u2212": "-",
        "\u207b": "-",
        "\u2026": "...",
        "\u2032": "'",
        "\u2033": '"',
        "\u2044": "/",
        "\u2022": "\n",
        "\u00b7": " ",
        "\u2122": "",
        "\u00ae": "",
        "\u00a9": " copyright ",
        "\u00ba": "\u00b0",
        "\u03c0": " pi ",
        "\u2103": "\u00b0C",
        "\u2109": "\u00b0F",
    }
)
_VULGAR = {
    "\u00bd": "1/2",
    "\u2153": "1/3",
    "\u2154": "2/3",
    "\u00bc": "1/4",
    "\u00be": "3/4",
    "\u2155": "1/5",
    "\u2156": "2/5",
    "\u2157": "3/5",
    "\u2158": "4/5",
    "\u2159": "1/6",
    "\u215a": "5/6",
    "\u215b": "1/8",
    "\u215c": "3/8",
    "\u215d": "5/8",
    "\u215e": "7/8",
}
_VULGAR_FRACTION = re.compile(rf"(?<=(\d))?([{''.join(_VULGAR)}])")
_COPYRIGHT_TWICE = re.compile(r"(?i)\b(copyright)\s{0,3}(?:\u00a9|\(c\))")
_SECTION_TWICE = re.compile(r"(?i)\b(section)\s{0,3}\u00a7")
_ET_CETERA = re.compile(r"(?<=[\s,])&c\.?(?!\w)")
_HYPHENED_MIXED = re.compile(r"(?<![\w./-])(\d{1,3})-(\d{1,2}/(?:2|3|4|5|6|8|10|12|16|32|64))(?![\w/-])")
"""`2-3/8` inches."""
_FOOTNOTE = re.compile(
    r"\[\^[^\]\s]{1,20}\]:?|(?<=[.,;:!?\"\u201d])(?:\[\d{1,3}\]){1,9}(?!\w)|\[citation needed\]"
    r"|(?:(?<=[.,;:!?\"\u201d])|(?<=(?<!sin)(?<!cos)(?<!tan)(?<!log)(?<!ile)(?<!ter)(?<!eet)(?<!nch)[a-z]{4}))"
    r"[\u00b9\u00b2\u00b3\u2074-\u2079][\u2070\u00b9\u00b2\u00b3\u2074-\u2079]?(?!\w)"
)
"""The sign of a footnote or a source: `[^1]`, `.[12]`, `results\u00b9`."""
_VARIABLES = re.compile(r"(?<![\w'])(?<!\d )(?!mm|cm|km|dm|nm|ft|in|mi|yd)([a-z])([a-z])(?=[\u00b2\u00b3]|\^\d)")
"""A product of two quantities: `mc\u00b2`."""
_PRODUCT = re.compile(
    r"(?<=[=+] )(?!(?:is|of|in|to|it|on|at|by|as|or|an|no|so|we|he|me|my|up|us|do|go|if|pi|ln|ok)\b)([a-z])([a-z])"
    r"(?=\s*(?:[-+=.,;)*/]|$))",
    re.MULTILINE,
)
"""A product of two quantities in a formula: `= ma`."""
_TRADEMARK = re.compile(r"(?<=\w)\s?\((?:tm|TM|SM)\)|(?<=\w)\(R\)")
_PLACEHOLDER = re.compile(r"(?<![\w<])<([A-Za-z][\w.:-]{0,40})>")
"""A word in angle brackets: a placeholder or who speaks in a chat."""
_APOSTROPHE_ORDINAL = re.compile(r"(?<=\d)'(?=(?:st|nd|rd|th)\b)")
_OF_WINDOWS = "[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122]"
_MISREAD = re.compile(f"[\u00c2\u00c3]{_OF_WINDOWS}|\u00e2\u20ac{_OF_WINDOWS}?")
"""Bytes of UTF-8 that were read as Windows-1252, as in `don\u00e2\u20ac\u2122t`."""
_NUMBER_SIGNS = re.compile(r"(?<![\w&#])#'?s\b")
_FEDERAL_RULE = re.compile(r"\bFed\. ?R\. ?(Civ\. ?P|Crim\. ?P|App\. ?P|Evid)\.")
_PROCEDURES = {"Ci": "Civil Procedure", "Cr": "Criminal Procedure", "Ap": "Appellate Procedure", "Ev": "Evidence"}
_POWER = re.compile(r"(?<=[\w)])\^[23](?![\w.])|(?<=[\w)])\^[23](?=\.(?!\d))")
_STYLED = re.compile(r"(?<![A-Za-z])([A-Z])!(?=[a-z]{2})|(?<=[A-Za-z])\$(?=[a-zA-Z]{2})")
"""Signs for letters in names: `P!nk`, `Ke$ha`."""
_FENCE = re.compile(r"^\s{0,3}(?:```|~~~).*$", re.MULTILINE)
_RULE = re.compile(r"^\s{0,3}(?:[-*_][ \t]?){3,}$", re.MULTILINE)
_LINE_MARK = re.compile(r"^[ \t]{0,8}(?:#{1,6}[ \t]+|>[ \t]?|[-*+][ \t]+(?:\[[ xX]\][ \t]+)?)", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\[\]\n]{1,300})\]\([^()\s]{1,2000}\)")
_BRACKETED_ADDRESS = re.compile(r"<((?:https?://|mailto:)[^\s<>]{1,500}|[\w.+-]{1,64}@[\w.-]{1,250})>")
"""An address in angle brackets, as Markdown and the headers of e-mail have it."""
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3}|~~)(?=\S)([^*~\n]{1,500}?)(?<=\S)\1(?![\w*])")
_UNDERLINE = re.compile(r"(?<!\w)(_{1,3})(?=[^\s_])([^_\n]{1,500}?)(?<=[^\s_])\1(?!\w)")
_TAG = re.compile(
    r"</?(?:b|i|u|em|strong|p|br|div|span|h[1-6]|li|ul|ol|a|code|sup|sub)\s?(?:\s[^<>]{0,250}=[^<>]{0,250})?/?>", re.I
)
_SUPERSCRIPT = re.compile(
    r"(?<=[\da-z)])(?:\u207b[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+|[\u2070\u00b9\u2074-\u2079][\u2070\u00b9\u00b2\u00b3\u2074-\u2079]*"
    r"|[\u00b2\u00b3][\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+)"
)
_CHARGE = re.compile("([\u00b9\u00b2\u00b3\u2074-\u2079]?)([\u207a\u207b])(?![\u2070\u00b9\u00b2\u00b3\u2074-\u2079])")
"""Of an ion."""
_SUPERSCRIPTS = str.maketrans("\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079", "-0123456789")
_HEART = re.compile(r"(?<=[A-Za-z] )<3(?= (?!(?:and|but|or|so|for)\b)[A-Za-z])")
_EMOTICON = re.compile(r"(?<!\S)[:;=8][-o^']?[)(\]\[dDpPoO/\\|*](?!\w)|(?<!\S)<3(?!\S)")
_MARKS = 30
"""Most combining marks in a row that are kept, as in Unicode's Stream-Safe Text Format (UAX 15, section 13). No
language has longer runs, and Unicode normalisation sorts a run in quadratic time.
"""
_COMPOSED_SIGNS = {
    ">=": "\u2265",
    "<=": "\u2264",
    "!=": "\u2260",
    "=/=": "\u2260",
    "==": "=",
    "->": "\u2192",
    "=>": "\u2192",
}
_COMPOSED_SIGN = re.compile(r"(?<![<>=!-])(?:>=|<=|!=|=/=|==|->|=>)(?![<>=-])")
_MINUS = re.compile(r"(?<=[\w)\u00b2\u00b3]) \u2212 (?=[\w(.])")
_MINUS_OF_TERM = re.compile(r"([\u00d7\u00f7+=] ?[\d.,]{1,12}) - (?=\d)")
_LOGICAL_AND = re.compile(r"(?<= )&&(?= )")
_LOGICAL_OR = re.compile(r"(?<=[\w)] )\|\|(?= )")
_GROUPED_BY_DOTS = re.compile(
    r"(?<![\w.,])\d{1,3}(?:(?:\.\d{3}){2,12}(?:,\d{1,2})?|(?:\.\d{3}),\d{1,2})(?![\w]|[.,]\d)"
)
_GROUPED_BY_SPACES = re.compile(
    r"(?<![\w.,+])(?<!\d )\d{1,3}(?:[ '\u00a0\u2009\u202f]\d{3}){2,12}(?![\w-]|[ .,]\d)"
    r"|(?<![\w.,+])\d{1,3}[\u2009\u202f]\d{3}(?!\w)"
)
_SWAPPED = str.maketrans(".,", ",.")
_DOTTED_LABEL = re.compile(r"(?<=\d)\.\)(?= )")
_CALL = re.compile(r"(?<=\w)\(\)")
_ROMAN_LABELS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
_ROMAN_LABEL = re.compile(rf"(?<![\w)])\(?({'|'.join(sorted(_ROMAN_LABELS, key=len, reverse=True))})\)(?=\s)")
_PICTURES = {"So", "Cs", "Co", "Cn", "Sk"}
BOUNDARY = "\ue000"
"""Stands between the parts of a text that `reading.read_parts` reads; a private character, which no text needs."""
_KEPT_PICTURES = frozenset("\u00b0^")


def clean(text: str) -> str:
    """Plain text: no markup, no emoji, ASCII quotes and apostrophes, spaces collapsed, paragraphs kept as lines."""
    text = unicodedata.normalize("NFC", _without_long_runs_of_marks(text))
    if not text.isascii():
        text = _MISREAD.sub(_decoded, text)
    text = special_signs.spell_out(_ET_CETERA.sub("etc.", _TAG.sub(" ", unescape(text))))
    text = _BRACKETED_ADDRESS.sub(lambda match: match[1].removeprefix("mailto:"), text)
    text = _FEDERAL_RULE.sub(lambda match: f"Federal Rule of {_PROCEDURES[match[1][:2]]}", text)
    text = _NUMBER_SIGNS.sub("numbers", text)
    text = _APOSTROPHE_ORDINAL.sub("", _PLACEHOLDER.sub(r" \1 ", _TRADEMARK.sub("", text)))
    text = _COPYRIGHT_TWICE.sub(r"\1", text)
    text = _SECTION_TWICE.sub(r"\1", text)
    text = _COMPOSED_SIGN.sub(lambda match: _COMPOSED_SIGNS[match[0]], _CALL.sub("", text))
    text = _MINUS_OF_TERM.sub(r"\1 minus ", _MINUS.sub(" minus ", text))
    text = _LOGICAL_OR.sub("or", _LOGICAL_AND.sub("and", text))
    text = _GROUPED_BY_DOTS.sub(lambda match: match[0].translate(_SWAPPED), text)
    text = _GROUPED_BY_SPACES.sub(lambda match: re.sub(r"\D", ",", match[0]), text)
    text = _VARIABLES.sub(r"\1 \2", _FOOTNOTE.sub("", _HYPHENED_MIXED.sub(r"\1 \2", text)))
    text = _PRODUCT.sub(r"\1 \2", text) if "=" in text else text
    text = _STYLED.sub(lambda match: match[1] + "i" if match[1] else "s", text)
    text = _POWER.sub(lambda match: "\u00b2" if match[0] == "^2" else "\u00b3", text)
    text = _DOTTED_LABEL.sub(")", text)
    if "ii)" in text:
        text = _ROMAN_LABEL.sub(lambda match: f"{_ROMAN_LABELS.index(match[1]) + 1})", text)
    text = _FENCE.sub("", text)
    text = _RULE.sub("", text)
    text = _LINE_MARK.sub("", text)
    text = _LINK.sub(r"\1", text)
    text = _EMPHASIS.sub(r"\2", text)
    text = _UNDERLINE.sub(r"\2", text)
    text = text.replace("`", "")
    text = _EMOTICON.sub(" ", _HEART.sub("love", text))
    text = _VULGAR_FRACTION.sub(lambda match: (" " if match[1] else "") + _VULGAR[match[2]], text)
    text = _CHARGE.sub(lambda match: match[1].translate(_SUPERSCRIPTS) + ("+" if match[2] == "\u207a" else "-"), text)
    text = _SUPERSCRIPT.sub(lambda match: "^" + match[0].translate(_SUPERSCRIPTS), text)
    text = text.translate(_CHARACTERS)
    text = "".join(map(_compatible, text))
    return "\n".join(line for line in (" ".join(line.split()) for line in text.splitlines()) if line)


def _decoded(match: re.Match[str]) -> str:
    """The character whose bytes were read in another encoding; the match where they are none."""
    if len(match[0]) == 2 and match[0][0] == "\u00e2":  # a quotation mark whose last byte is no character
        return '"'
    try:
        return b"".join(
            character.encode("latin-1" if ord(character) < 256 else "cp1252") for character in match[0]
        ).decode("utf-8")
    except UnicodeError:
        return match[0]


def _without_long_runs_of_marks(text: str) -> str:
    """The text with at most `_MARKS` combining marks in a row."""
    if text.isascii():
        return text
    kept, marks = [], 0
    for character in text:
        marks = marks + 1 if _is_mark(character) else 0
        if marks <= _MARKS:
            kept.append(character)
    return "".join(kept)


@functools.lru_cache(maxsize=4096)
def _is_mark(character: str) -> bool:
    """Whether a character, or the first one of its decomposition, combines with the one before it."""
    return unicodedata.combining(unicodedata.normalize("NFKD", character)[0]) != 0


def strip_accents(text: str) -> str:
    """Letters without their accents: `café` -> `cafe`."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


def _compatible(character: str) -> str:
    """Ligatures and full-width forms as their plain letters; pictures, modifiers and control characters as a space.
    Superscripts two and three stay, because units need them.
    """
    if character.isascii():
        return character if character.isprintable() or character == "\n" else " "
    if character in ("\u00b2", "\u00b3", BOUNDARY):
        return character
    category = unicodedata.category(character)
    if category == "Mn":
        return ""
    if (category in _PICTURES and character not in _KEPT_PICTURES) or category[0] == "C":
        return " "
    return unicodedata.normalize("NFKC", character)
