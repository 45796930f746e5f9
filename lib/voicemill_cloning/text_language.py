"""The language that a text is in, by its script, or by frequent words and letters."""

from __future__ import annotations

import re
import unicodedata

from voicemill.text.lexicon import default_lexicon

_FREQUENT = {
    language: frozenset(words.split())
    for language, words in {
        "English": "the of and to a in is it you that he was for on are with as i his they be at have this from or had "
        "by but what we can there an your she will my not were which their would has her him more when who "
        "do its our",
        "German": "der die das und ist nicht ein eine einen einem einer den dem des zu mit sich auf für von im ich du "
        "er sie es wir ihr wie war auch an als aber aus bei nach noch nur oder wenn so was hat haben sind "
        "wird werden vor zum zur über kein keine mein dein sein uns mir dir heute dass guten bitte danke",
        "French": "le la les un une des du de et est pas ne que qui dans ce cette ces il elle nous vous ils elles je "
        "tu on se sur pour par avec mais ou où son sa ses au aux plus y en tout très été être avoir ont "
        "sont leur comme bien mon ma mes votre notre fait c'est j'ai bonjour merci tous",
        "Spanish": "el la los las un una unos de del y es no que en se por con para su sus lo como más pero este esta "
        "eso al ya o si yo tú él ella nosotros ellos muy también hay fue era son está están cuando donde "
        "qué ha han mi tu le les todo sin sobre hoy buenos buenas gracias hola",
        "Portuguese": "o a os as um uma de do da dos das e é não que em no na nos nas se por com para seu sua como "
        "mais mas este esta isso ao à já ou eu ele ela nós eles muito também há foi era são está estão quando "
        "onde meu minha pelo pela você todo sem sobre hoje tem bom boa dia obrigado obrigada às",
        "Italian": "il lo la i gli le un uno una di del della dei delle e è non che in si per con da dal su nel nella "
        "come più ma questo questa al alla o io tu lui lei noi loro molto anche c'è ci sono era ha hanno "
        "quando dove mi ti suo sua tutto tutti senza sul sulla oggi buongiorno buona grazie alle al andiamo",
    }.items()
}
"""Frequent words of the languages in Latin letters."""
_LETTERS = {
    "German": "äöüß",
    "French": "çœèêëîïûù",
    "Spanish": "ñ¿¡áíóú",
    "Portuguese": "ãõçâêôáíóú",
    "Italian": "àèìòù",
}
"""Letters that a language has and English lacks."""
_LETTER, _LISTED = 0.6, 0.3
"""What such a letter counts, and another word of the English dictionary, which lists many foreign ones; a frequent word
counts 1."""
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")


def by_text(text: str) -> str:
    """The language that a text is most probably in; English where nothing speaks for another one."""
    return language_if_clear(text) or "English"


def language_if_clear(text: str) -> str | None:
    """The language that a text is in, if it can be determined.

    Kana make a text Japanese, Hangul Korean, other Chinese characters Chinese, and mostly Cyrillic letters Russian.
    Among the languages in Latin letters, frequent words and letters that English lacks decide, against the words of the
    English dictionary; None where none of them is there.
    """
    scripts = [unicodedata.name(sign, "").partition(" ")[0] for sign in text if sign.isalpha()]
    if "HIRAGANA" in scripts or "KATAKANA" in scripts:
        return "Japanese"
    for script, language in (("HANGUL", "Korean"), ("CJK", "Chinese"), ("CYRILLIC", "Russian")):
        if 2 * scripts.count(script) > len(scripts):
            return language
    plain = unicodedata.normalize("NFC", text).lower().replace("\u2019", "'")
    words = [part for word in _WORD.findall(plain) for part in {word, *word.split("'")}]
    signs = set(plain)
    scores = {
        language: sum(word in known for word in words) + _LETTER * len(signs & set(_LETTERS.get(language, "")))
        for language, known in _FREQUENT.items()
    }
    if not any(scores.values()):
        return None
    lexicon = default_lexicon()
    scores["English"] += _LISTED * sum(word in lexicon for word in words if word not in _FREQUENT["English"])
    return max(scores, key=lambda language: scores[language])  # English is the first of equals
