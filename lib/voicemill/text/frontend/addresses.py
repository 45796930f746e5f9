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
from voicemill.text.frontend.units import word_list

_TOP_LEVEL = (
    "com|org|net|edu|gov|mil|io|dev|info|biz|co\\.uk|ac\\.uk|org\\.uk|gov\\.uk|nhs\\.uk|com\\.au|edu\\.au|gov\\.au|co\\.nz|co\\.za|co\\.jp|"
    "co\\.in|com\\.br|de|fr|nl|eu|ch|at|se|no|jp|au|ca|us|tv|ai|cc|ie|nz|pl|cz|dk|fi|pt|gr|es|br|mx|ru|cn|kr|tk|ly|"
    "gg|fm|app|tech|online|site|store|shop|blog|cloud|page|xyz|news|media|museum|academy|studio|design|co|me|int|club|link|wiki|games|agency|health|bank"
)
_FILE_SUFFIX = (
    "txt|pdf|py|json|csv|tsv|jpe?g|png|gif|svg|mp3|mp4|wav|flac|docx?|xlsx?|pptx?|html?|zip|exe|md|ya?ml|xml|sh|"
    "js|ts|css|cpp|rs|rb|php|ini|cfg|conf|log|bat|dll|rtf|odt|epub|mkv|mov|avi|ogg|opus|webp|tar|gz|toml|ipynb|onnx|"
    "java|kt|swift|go|lua|sql|vue|jsx|tsx|scss|hpp|cc|iso|dmg|apk|deb|rpm|msi|jar|lock|cmake|tex|bib|srt|vtt|aiff|"
    "m4a|aac|mid|psd|tiff?|bmp|ico|heic|webm|bak|diff|patch|pem|crt|db|sqlite|parquet|npz|npy|pth|pkl|ckpt"
)
_SPOKEN_SUFFIXES = frozenset(word_list("go lua vue bat log zip tar lock"))
_SHORT_SUFFIX = r"(?<![\w.@-])[A-Za-z_][A-Za-z0-9_-]{1,63}\.(?:[chRodfvys]|so|hh|mk|pl|pt|h5|7z|rc)(?![\w-]|\.\w)"
"""A file's name with a suffix of one or two letters: `main.c`."""


_INITIALISMS = frozenset(
    word_list(
        "irs usa usda epa eia ibm aol imdb espn eff ietf ieee acm aaa aclu aarp ups usps ucla mit osu ico ilo imf itu "
        "oecd iaea icao fao iea eia un uci ucsd ucsb isbn issn api abc nbc msn ubs ing eon ea"
    )
)
"""Parts of web addresses that are spelled although they have vowels."""
_KEYS = {"ctrl": "control", "cmd": "command", "alt": "alt", "esc": "escape", "del": "delete", "win": "windows"}


_RELATIVE_PATH = (
    r"(?<![\w/.~@-])(?:(?:src|lib|usr|bin|var|tmp|opt|pkg|cmd|dist|node_modules|origin|upstream|refs|hotfix|bugfix)/"
    r"|(?:docs?|tests?|apps?|scripts?|internal|build|public|static|assets|configs?|data|models?|include|examples?|feature|"
    r"release|api|images?|home)/(?=[\w-]*[/._\d-]))(?:[\w.-]{0,62}\w)(?:/[\w.-]{0,62}\w){0,12}/?(?![\w/])"
)
"""A path that begins with a customary folder: `src/app`."""


def _address_part(part: str) -> Reading:
    """One part of a web address: a word, or letters where it cannot be spoken."""
    found: Reading = []
    for chunk in re.findall(r"[A-Za-z]+|\d+|[^A-Za-z\d]", part):
        if chunk.isalpha():
            lower = chunk.lower()
            spell = (
                lower
                in {
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
                }
                or lower in _INITIALISMS
                or not re.search("[aeiouy]", lower)
            )
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
                "\\": ["backslash"],
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
    word = suffix.lower() in _SPOKEN_SUFFIXES or (re.search("[aeiou]", suffix) and len(suffix) > 3)
    spoken = [suffix.lower()] if word else spelled(suffix)
    return [[*_address_part(name), "dot", *spoken]]


def _suffix(text: str, _: Neighbours) -> list[Reading]:
    suffix = text[1:].lower()
    return [["dot", *([suffix] if suffix == "net" else _file("x" + text.lower(), _)[0][2:])]]


def _shortcut(text: str, _: Neighbours) -> list[Reading]:
    keys = re.split("[+-]", text)
    return [[word for key in keys for word in _key_words(key)]]


def _key_words(key: str) -> Reading:
    if len(key) == 1:
        return spelled(key)
    if re.fullmatch(r"F\d+", key):
        return ["f", *numbers.cardinal(int(key[1:]))]
    return [_KEYS.get(key.lower(), key.lower())]


def _star(text: str, _: Neighbours) -> list[Reading]:
    return [["star", *numbers.digits(text), *(["pound"] if text.endswith("#") else [])]]


def _flag(text: str, _: Neighbours) -> list[Reading]:
    return [["dash", *spelled(text)], spelled(text)]


def _drive(text: str, _: Neighbours) -> list[Reading]:
    return [[*spelled(text[0]), *_address_part(text[1:].rstrip("\\/"))]]


def _handle(text: str, _: Neighbours) -> list[Reading]:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text[1:])
    name = name.replace("_", " " if text[0] == "#" else " underscore ").lower()
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


def _isbn(text: str, _: Neighbours) -> list[Reading]:
    last = spelled("X") if text.endswith("X") else numbers.digits(text[-1])
    return [[*numbers.digits(re.sub(r"\D", "", text[:-1])), *last]]


def _zip_code(text: str, _: Neighbours) -> list[Reading]:
    first, second = text.split("-")
    return [[*numbers.digits(first), *numbers.digits(second)]]


FORMS = {
    "url": Form(r"https?://[^\s<>\"]{0,1998}[^\s<>\".,;:!?)']", _url),
    "email": Form(r"(?<![\w.+-])[\w+-]{1,64}(?:\.[\w+-]{1,64}){0,8}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", _address),
    "host_port": Form(
        r"(?<![\w.])(?:localhost|(?:\d{1,3}\.){3}\d{1,3}|(?:[A-Za-z0-9-]{1,63}\.){1,6}(?:" + _TOP_LEVEL + r")):\d{2,5}"
        r"(?:/[^\s<>\"]{0,200}[\w/])?(?![\w:])",
        _address,
    ),
    "site": Form(
        rf"(?<![\w.@-])(?:www(?:\.[A-Za-z0-9-]{{1,63}}){{2,6}}|(?:[A-Za-z0-9-]{{1,63}}\.){{1,6}}(?:{_TOP_LEVEL}))(?:/[^\s<>\"]{{0,500}}[\w/])?"
        r"(?![\w-]|\.\w)",
        _address,
    ),
    "file": Form(
        rf"(?<![\w.@-])[A-Za-z0-9_-]{{1,64}}\.(?:[A-Za-z0-9_-]{{1,24}}\.)?(?:{_FILE_SUFFIX})(?![\w-])|{_SHORT_SUFFIX}",
        _file,
    ),
    "suffix": Form(rf"(?<![\w.])\.(?:NET|{_FILE_SUFFIX})(?!\w)", _suffix),
    "path": Form(
        r"(?<![\w/.~])(?:(?:\.{1,2})?(?:/[\w.-]{0,62}\w){2,12}|(?:~|\.{1,2})(?:/[\w.-]{0,62}\w){1,12})/?(?![\w/])"
        rf"|{_RELATIVE_PATH}",
        _address,
    ),
    "shortcut": Form(
        r"(?<!\w)(?:Ctrl|Control|Alt|Shift|Cmd|Command|Option|Win|Fn)"
        r"(?:[+-](?:Ctrl|Alt|Shift|Delete|Del|Tab|Enter|Esc|F\d{1,2}|[A-Z\d])){1,4}(?!\w)",
        _shortcut,
    ),
    "drive": Form(r"(?<!\w)[A-Z]:[\\/](?:[\w-][\w.\\/-]{0,200}[\w\\/])?", _drive),
    "flag": Form(r"(?<=\w )-(?:[B-HJ-Zb-z]|[Aa](?! [a-z]))(?![\w'-])", _flag),
    "star": Form(r"(?<!\S)\*\d{1,4}#?(?!\w)", _star),
    "handle": Form(r"(?<![\w&])(?:@|#(?![A-Z]{1,3}-?\d))[A-Za-z]\w{0,60}", _handle),
    "language": Form(r"(?<!\w)(?:[A-Z]\+\+|[CF]#)(?!\w)", _language),
    "zip_code": Form(r"(?<![\w-])\d{5}-\d{4}(?![\w-])", _zip_code),
    "isbn": Form(r"(?<![\w-])97[89](?:-\d{1,7}){3}-[\dX](?![\w-])", _isbn),
    "phone": Form(
        r"(?<![\w+-])(?:\+\d{1,3}(?: \(0\)\d{1,4})?(?:[ -]\(?\d{1,8}\)?){2,5}"
        r"|(?:\+?1[ .-])?(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}"
        r"|\d{3}-\d{4}|0\d{2,4}(?: \d{3,8}){1,3}"
        r"|(?<=[Tt]el[.:] )\d{3} \d{4}|1 ?[38]00[ -]\d{3}[ -]\d{3,4})(?![\w-]|[.,]\d)",
        _phone,
    ),
}
