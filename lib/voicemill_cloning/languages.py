"""The ten languages of Qwen3-TTS: names, ISO codes and typing errors."""

from __future__ import annotations

import difflib

from voicemill.errors import UsageError

AUTO = "Auto"
"""The language that the text seems to be in."""
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


def of_code(code: str | None) -> str | None:
    """The language of an ISO code, if it is one of the ten."""
    return next((language for language, each in CODES.items() if each == code), None)


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
