"""Inflected forms of Russian, for make_lexicons.py."""

import pymorphy3
from lexicon_european import Forms, frequent

RUSSIAN = pymorphy3.MorphAnalyzer()

_CASES = ("nomn", "accs", "gent", "datv", "loct")


def _bend(parsed: pymorphy3.analyzer.Parse, *marks: str) -> str:
    found = parsed.inflect(set(marks))
    return "" if found is None else found.word


def _first(parses: list[pymorphy3.analyzer.Parse], *marks: str) -> str:
    return next((made for made in (_bend(p, *marks) for p in parses) if made), "")


def russian_noun(word: str, *, sure: bool = False) -> Forms | None:
    """Return gender, a or i for life; five cases of the singular; four of the plural."""
    if word.startswith("="):
        return word[1:].split(",")
    parses = [p for p in RUSSIAN.parse(word) if "NOUN" in p.tag and p.normal_form == word]
    if not parses:
        return None
    best = parses[0]
    tag = best.tag
    if sure and (
        best.score < 0.5 or {"Name", "Surn", "Geox", "Orgn", "Abbr", "Sgtm", "Pltm"} & tag.grammemes
    ):
        return None
    gender = {"masc": "m", "femn": "f", "neut": "n"}.get(tag.gender or "", "m")
    forms = [_bend(best, "sing", case) for case in _CASES]
    # In the wood is v lesu, not v lese: a second locative where the word has one.
    forms[4] = _bend(best, "sing", "loc2") or forms[4]
    forms += [_bend(best, "plur", case) for case in ("nomn", "accs", "gent", "datv")]
    if not all(forms):
        return None
    return [gender, "a" if tag.animacy == "anim" else "i", *forms]


def russian_adjective(word: str) -> Forms | None:
    """Return m, f, n, plural in nominative; accusative f; genitive m, f, plural."""
    parses = [p for p in RUSSIAN.parse(word) if "ADJF" in p.tag and p.normal_form == word]
    if not parses:
        return None
    best = parses[0]
    wanted = (
        ("masc", "nomn"), ("femn", "nomn"), ("neut", "nomn"), ("plur", "nomn"), ("femn", "accs"),
        ("masc", "gent"), ("femn", "gent"), ("plur", "gent"),
    )  # fmt: skip
    forms = [_bend(best, *marks) for marks in wanted]
    return forms if all(forms) and forms[0] != forms[1] else None


def russian_verb(cell: str) -> Forms | None:
    """Return past m, f, n, plural; present singular, plural; future singular, plural."""
    lasting, _, done = cell.partition(" ")
    if lasting == "-" or done in {"", "-"}:
        return None
    # Homonyms differ in aspect: the reading that has the form wanted is taken.
    perfect = [p for p in RUSSIAN.parse(done) if "INFN" in p.tag]
    present = [p for p in RUSSIAN.parse(lasting) if "INFN" in p.tag]
    forms = [_first(perfect, "past", mark) for mark in ("masc", "femn", "neut", "plur")]
    forms += [_first(present, "pres", "3per", number) for number in ("sing", "plur")]
    forms += [_first(perfect, "futr", "3per", number) for number in ("sing", "plur")]
    return forms if all(forms) else None


def russian_many() -> tuple[list[Forms], list[Forms]]:
    """Return lifeless nouns and qualities that the dictionary knows for certain."""
    nouns, adjectives = [], []
    for word in frequent("ru", 40000):
        if not RUSSIAN.word_is_known(word):
            continue
        best = RUSSIAN.parse(word)[0]
        if "NOUN" in best.tag and "inan" in best.tag and best.normal_form == word:
            noun = russian_noun(word, sure=True)
            if noun and best.tag.gender:
                nouns.append(noun)
        elif {"ADJF", "masc", "nomn"} <= set(best.tag.grammemes) and best.normal_form == word:
            adjective = None if "Apro" in best.tag else russian_adjective(word)
            if adjective:
                adjectives.append(adjective)
    return nouns, adjectives
