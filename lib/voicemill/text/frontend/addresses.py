"""Web addresses, e-mail, file names, handles and telephone numbers."""

from __future__ import annotations

import re

from voicemill.text.frontend import numbers
from voicemill.text.frontend.forms import (
    Form,
    Neighbours,
    Reading,
    spelled,
)

_TOP_LEVEL = "com|org|net|edu|gov|io|dev|info|co\\.uk|ac\\.uk|org\\.uk|de|fr|nl|eu|ch|at|se|no|jp|au|ca"
_FILE_SUFFIX = (
    "txt|pdf|py|json|csv|tsv|jpe?g|png|gif|svg|mp3|mp4|wav|flac|docx?|xlsx?|pptx?|html?|zip|exe|md|ya?ml|xml|sh"
)


def _address_part(part: str) -> Reading:
    """One part of a web address: a word, or letters where it cannot be spoken."""
    found: Reading = []
    for chunk in re.findall(r"[A-Za-z]+|\d+|[^A-Za-z\d]", part):
        if chunk.isalpha():
            lower = chunk.lower()
            spell = lower in {
                "uk",
                "eu",
                "ac",
                "io",
                "ai",
                "tv",
                "de",
                "fr",
                "nl",
                "ch",
                "www",
                "faq",
            } or not re.search("[aeiouy]", lower)
            found += spelled(chunk) if spell or len(lower) == 1 else [lower]
        elif chunk.isdigit():
            found += numbers.cardinal(int(chunk)) if len(chunk) <= 2 and chunk[0] != "0" else numbers.digits(chunk)
        else:
            found += {
                ".": ["dot"],
                "/": ["slash"],
                "-": ["dash"],
                "_": ["underscore"],
                "@": ["at"],
                ":": ["colon"],
                "~": ["tilde"],
                "+": ["plus"],
                "?": ["question", "mark"],
                "=": ["equals"],
                "&": ["and"],
                "#": ["hash"],
                "%": ["percent"],
            }.get(chunk, [])
    return found


def _url(text: str, around: Neighbours) -> list[Reading]:
    scheme, _, rest = text.partition("://")
    rest = rest.rstrip("/")
    return [_address_part(rest), [*spelled(scheme), "colon", "slash", "slash", *_address_part(rest)]]


def _address(text: str, _: Neighbours) -> list[Reading]:
    return [_address_part(text.rstrip("/"))]


def _file(text: str, around: Neighbours) -> list[Reading]:
    name, _, suffix = text.rpartition(".")
    spoken = [suffix] if re.search("[aeiou]", suffix) and len(suffix) > 3 else spelled(suffix)
    return [[*_address_part(name), "dot", *spoken]]


def _handle(text: str, _: Neighbours) -> list[Reading]:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text[1:]).replace("_", " ").lower()
    words = [word for chunk in name.split() for word in _address_part(chunk)]
    return [[*(["hashtag"] if text[0] == "#" else ["at"]), *words]]


def _language(text: str, _: Neighbours) -> list[Reading]:
    return [[*spelled(text[0]), *(["sharp"] if text[1] == "#" else ["plus", "plus"])]]


def _phone(text: str, _: Neighbours) -> list[Reading]:
    words: Reading = []
    for group in re.findall(r"\+|\d+", text):
        if group == "+":
            words.append("plus")
        elif group in ("800", "900") and words:
            words += [*numbers.digits(group[0]), "hundred"]
        else:
            words += numbers.digits(group)
    return [words, ["oh" if word == "zero" else word for word in words]]


FORMS = {
    "url": Form(r"https?://[^\s<>\"]{0,1998}[^\s<>\".,;:!?)']", _url),
    "email": Form(r"(?<![\w.+-])[\w+-]{1,64}(?:\.[\w+-]{1,64}){0,8}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", _address),
    "site": Form(
        rf"(?<![\w.@-])(?:[A-Za-z0-9-]{{1,63}}\.){{1,6}}(?:{_TOP_LEVEL})(?:/[^\s<>\"]{{0,500}}[\w/])?(?![\w-]|\.\w)",
        _address,
    ),
    "file": Form(rf"(?<![\w.@-])[A-Za-z0-9_-]{{1,64}}\.(?:{_FILE_SUFFIX})(?![\w-])", _file),
    "handle": Form(r"(?<![\w&])[#@][A-Za-z]\w{0,60}", _handle),
    "language": Form(r"(?<!\w)(?:[A-Z]\+\+|[CF]#)(?!\w)", _language),
    "phone": Form(
        r"(?<![\w+-])(?:\+\d{1,3}(?:[ -]\(?\d{1,4}\)?){2,5}|(?:\+?1[ .-])?(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}"
        r"|\d{3}-\d{4})(?![\w-]|[.,]\d)",
        _phone,
    ),
}
