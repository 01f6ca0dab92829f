"""English forms: articles by sound, plurals that people write."""

import re

import pytest

from qmpi.content.english.lexicon import english, with_article


@pytest.mark.parametrize(
    "text",
    [
        "an onerous", "a onetime", "a unit", "an unidentified", "a unidirectional",
        "an unimportant", "an unintended", "a unanimous", "an umbrella", "a useful", "an usher",
        "a usable", "a utensil", "an utter", "a uranium", "an urgent", "a urinary", "a uvular",
        "a ubiquitous", "a ukulele", "an honest", "a house", "an hourly", "a houri", "an heirloom",
        "a eulogy", "an ytterbium",
    ],
)  # fmt: skip
def test_articles_go_by_sound(text):
    article, word = text.split()
    assert with_article(word) == f"{article} {word}"


def test_forms_have_no_spaces_or_hyphens():
    words = english()
    forms = [f for noun in words.nouns for f in (noun.singular, noun.plural)]
    forms += [f for verb in words.verbs for f in (verb.third, verb.past, verb.participle, verb.ing)]
    assert len(forms) > 50_000
    assert [form for form in forms if not form.isalpha()] == []


def test_plurals_are_those_of_english():
    plurals = {noun.singular: noun.plural for noun in english().nouns}
    assert plurals["lobsterman"] == "lobstermen"
    assert plurals["shaman"] == "shamans"
    assert plurals["informatics"] == "informatics"
    assert plurals["lens"] == "lenses"
    assert "shorts" not in plurals
    assert [p for p in plurals.values() if re.search(r"(womans|icses|.sises)$", p)] == []
