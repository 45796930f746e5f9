from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.errors import DatasetError
from voicemill.text.language import require_english
from voicemill.text.lexicon import Lexicon

REPOSITORY = Path(__file__).parents[3]
OTHERS = {
    "German": "Alle Menschen sind frei und gleich an Rechten geboren. Sie sind mit Vernunft und Gewissen begabt und sollen "
    "einander im Geist der Solidarit\u00e4t begegnen.",
    "French": "Tous les \u00eatres humains naissent libres et \u00e9gaux en dignit\u00e9 et en droits. Ils sont dou\u00e9s de raison et de "
    "conscience et doivent agir les uns envers les autres dans un esprit de fraternit\u00e9.",
    "Spanish": "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como est\u00e1n de raz\u00f3n y "
    "conciencia, deben comportarse fraternalmente los unos con los otros.",
    "Italian": "Nel mezzo del cammin di nostra vita mi ritrovai per una selva oscura, ch\u00e9 la diritta via era smarrita. Ahi "
    "quanto a dir qual era \u00e8 cosa dura, esta selva selvaggia e aspra e forte.",
    "Dutch": "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren. Zij zijn begiftigd met verstand en "
    "geweten, en behoren zich jegens elkander in een geest van broederschap te gedragen.",
}


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon.load()


@pytest.mark.parametrize("language", OTHERS)
def test_another_language_is_refused(language: str, lexicon: Lexicon) -> None:
    with pytest.raises(DatasetError, match="probably not English") as caught:
        require_english(OTHERS[language].split(". "), lexicon)
    assert caught.value.reason == "text_not_english"


@pytest.mark.parametrize(
    "text",
    [
        "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience and "
        "should act towards one another in a spirit of brotherhood.",
        "Kwaxel and Tromblin went to the Vorrish Keep with Zephandra, and there they met Ulgoth of Brannoch, who was the "
        "last of the Skarvald.",
        " ".join(["zero one two three four five six seven eight nine"] * 3),
        "nur drei Worte",
        "",
    ],
)
def test_english_and_short_texts_pass(text: str, lexicon: Lexicon) -> None:
    require_english([text], lexicon)


@pytest.mark.parametrize("name", ["data/demo/script.txt", "tests/data/people/lj/metadata.csv"])
def test_the_texts_of_the_repository_pass(name: str, lexicon: Lexicon) -> None:
    require_english((REPOSITORY / name).read_text("utf-8").splitlines(), lexicon)
