"""The ten languages of Qwen3-TTS: names, ISO codes and typing errors."""

from __future__ import annotations

import difflib
import unicodedata

from voicemill.errors import UsageError
from voicemill_cloning.engines.engine import AUTO

CODES = {
    "Chinese": "zh",
    "English": "en",
    "Japanese": "ja",
    "Korean": "ko",
    "German": "de",
    "French": "fr",
    "Russian": "ru",
    "Portuguese": "pt",
    "Spanish": "es",
    "Italian": "it",
}
"""Name -> ISO 639-1 code."""
LANGUAGES = tuple(CODES)


def find_language(name: str) -> str:
    """The language of that name or code, without regard to case; `AUTO` too.

    Raises:
        UsageError: `unknown_language:<name>`.
    """
    wanted = name.strip().casefold()
    known = {AUTO.casefold(): AUTO} | {language.casefold(): language for language in LANGUAGES}
    known |= {code: language for language, code in CODES.items()}
    if wanted in known:
        return known[wanted]
    near = difflib.get_close_matches(wanted, known, n=1)
    raise UsageError(
        f"There is no language {name!r}.",
        reason=f"unknown_language:{name}",
        hint=(f"Did you mean {known[near[0]]}? " if near else "") + f"Choose one of: {AUTO}, {', '.join(LANGUAGES)}.",
    )


def by_script(text: str) -> str:
    """The language whose script a text is in; texts in Latin letters count as English.

    Kana make a text Japanese, Hangul Korean, other Chinese characters Chinese, and mostly Cyrillic letters Russian.
    """
    scripts = [unicodedata.name(sign, "").partition(" ")[0] for sign in text if sign.isalpha()]
    if "HIRAGANA" in scripts or "KATAKANA" in scripts:
        return "Japanese"
    for script, language in (("HANGUL", "Korean"), ("CJK", "Chinese"), ("CYRILLIC", "Russian")):
        if 2 * scripts.count(script) > len(scripts):
            return language
    return "English"
