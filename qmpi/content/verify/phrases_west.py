"""Noun phrases of English, German and the Romance languages, read back with all their agreement.

Theory of operation. Each reader offers, at a place and for a case, where a phrase may end and what
it means: (noun, count, adjective). It offers nothing unless article, adjective and noun agree.
"""

# The letters of other scripts are meant: this file is about them.
# ruff: noqa: RUF001

import re
from collections.abc import Iterator

from qmpi.content.verify.multilingual_lexicon import Tongue

Phrase = tuple[int, int, int]
Found = Iterator[tuple[int, Phrase]]
_NUMBER = re.compile(r"[1-9][0-9]{0,3}")


def counted(text: str, place: int, gap: str) -> tuple[int, int] | None:
    """Read a number that counts things.

    Args:
        text: any.
        place: in it.
        gap: what follows the number.

    Returns:
        Where the counted thing begins, and the number; None if there is none.
    """
    found = _NUMBER.match(text, place)
    if found is None or not text.startswith(gap, found.end()):
        return None
    return found.end() + len(gap), int(found.group())


def english(words: Tongue, text: str, place: int, _case: str) -> Found:
    """Read an English phrase.

    Args:
        words: of English.
        text: of the sentence.
        place: where the phrase begins.

    Yields:
        End and meaning.
    """
    number = counted(text, place, " ")
    if number is not None:
        for end, noun, field, quality in _plain(words, text, number[0]):
            if field == 3:
                yield end, (noun, number[1], quality)
    for article, ones in (("the ", 0), ("a ", 1), ("an ", 1)):
        if not text.startswith(article, place):
            continue
        start = place + len(article)
        if ones and (article == "an ") != _vowel_sound(text[start:]):
            continue
        for end, noun, field, quality in _plain(words, text, start):
            if field == 2:
                yield end, (noun, ones, quality)
            elif not ones:
                yield end, (noun, 2, quality)


def _vowel_sound(rest: str) -> bool:
    # A unit, a useful thing, a ubiquitous one; an umbrella, an honest man.
    if rest[:1] == "u":
        return rest[1:2] not in "bnst"
    return rest[:1] in "aeio" or rest[:6] == "honest" or rest[:4] == "hour"


def _plain(words: Tongue, text: str, place: int) -> Iterator[tuple[int, int, int, int]]:
    for start, quality in [(place, -1), *_qualities(words, text, place)]:
        for end, readings in words.nouns.at(text, start):
            for noun, field in readings:
                yield end, noun, field, quality


def _qualities(words: Tongue, text: str, place: int) -> Iterator[tuple[int, int]]:
    for end, readings in words.adjectives.at(text, place):
        if text.startswith(" ", end):
            for quality, _ in readings:
                yield end + 1, quality


_ARTICLES = {
    "nom": {"der": "m", "die": "fp", "das": "n", "ein": "mn", "eine": "f"},
    "acc": {"den": "m", "die": "fp", "das": "n", "einen": "m", "eine": "f", "ein": "n"},
    "dat": {"dem": "mn", "der": "f", "den": "p", "einem": "mn", "einer": "f"},
}
_FIELDS = {"nom": (3, 6), "acc": (4, 6), "dat": (5, 7)}


def german(words: Tongue, text: str, place: int, case: str) -> Found:
    """Read a German phrase.

    Args:
        words: of German.
        text: of the sentence.
        place: where the phrase begins.
        case: nom, acc or dat.

    Yields:
        End and meaning.
    """
    number = counted(text, place, " ")
    if number is not None:
        yield from _german_rest(words, text, number[0], case, "p", (number[1], "e"))
    found = re.compile(r"\w+ ").match(text, place)
    article = found.group()[:-1] if found else ""
    for gender in _ARTICLES[case].get(article, ""):
        known = article[0] == "d"
        count = 2 if gender == "p" else 0 if known else 1
        ending = _ending(case, gender, known=known)
        start = place + len(article) + 1
        yield from _german_rest(words, text, start, case, gender, (count, ending))


def _ending(case: str, gender: str, *, known: bool) -> str:
    if case == "dat" or gender == "p" or (case == "acc" and gender == "m"):
        return "en"
    if known or gender == "f":
        return "e"
    return "er" if gender == "m" else "es"


def _german_rest(
    words: Tongue, text: str, place: int, case: str, gender: str, said: tuple[int, str]
) -> Found:
    count, ending = said
    starts = [(place, -1)]
    found = re.compile(r"(\w+) ").match(text, place)
    if found is not None and found.group(1).endswith(ending):
        stem = found.group(1)[: -len(ending)]
        for end, readings in words.adjectives.at(stem, 0):
            if end == len(stem):
                starts += [(found.end(), quality) for quality, _ in readings]
    field = _FIELDS[case][gender == "p"]
    for start, quality in starts:
        for end, readings in words.nouns.at(text, start):
            for noun, shown in readings:
                if shown == field and gender in {"p", words.rows["n"][noun][2]}:
                    yield end, (noun, count, quality)


# Article, gender, singular, and before what it stands: v vowel, i impure consonant, c others.
_ROMANCE: dict[str, dict[str, tuple[tuple[str, str, bool, str], ...]]] = {
    "fr": {
        "": (("le ", "m", True, "ci"), ("la ", "f", True, "ci"), ("l’", "mf", True, "v"),
             ("les ", "mf", False, "vci")),
        "à": (("au ", "m", True, "ci"), ("à la ", "f", True, "ci"), ("à l’", "mf", True, "v"),
              ("aux ", "mf", False, "vci")),
        "dans": (("dans le ", "m", True, "ci"), ("dans la ", "f", True, "ci"),
                 ("dans l’", "mf", True, "v")),
        "one": (("un ", "m", True, "vci"), ("une ", "f", True, "vci")),
    },
    "es": {
        "": (("el ", "m", True, "vci"), ("la ", "f", True, "vci"), ("los ", "m", False, "vci"),
             ("las ", "f", False, "vci")),
        "a": (("al ", "m", True, "vci"), ("a la ", "f", True, "vci"), ("a los ", "m", False, "vci"),
              ("a las ", "f", False, "vci")),
        "en": (("en el ", "m", True, "vci"), ("en la ", "f", True, "vci")),
        "one": (("un ", "m", True, "vci"), ("una ", "f", True, "vci")),
        "a one": (("a un ", "m", True, "vci"), ("a una ", "f", True, "vci")),
    },
    "it": {
        "": (("il ", "m", True, "c"), ("lo ", "m", True, "i"), ("la ", "f", True, "ci"),
             ("l’", "mf", True, "v"), ("i ", "m", False, "c"), ("gli ", "m", False, "iv"),
             ("le ", "f", False, "vci")),
        "a": (("al ", "m", True, "c"), ("allo ", "m", True, "i"), ("alla ", "f", True, "ci"),
              ("all’", "mf", True, "v"), ("ai ", "m", False, "c"), ("agli ", "m", False, "iv"),
              ("alle ", "f", False, "vci")),
        "in": (("nel ", "m", True, "c"), ("nello ", "m", True, "i"), ("nella ", "f", True, "ci"),
               ("nell’", "mf", True, "v")),
        "one": (("un ", "m", True, "cv"), ("uno ", "m", True, "i"), ("una ", "f", True, "ci"),
                ("un’", "f", True, "v")),
    },
    "pt": {
        "": (("o ", "m", True, "vci"), ("a ", "f", True, "vci"), ("os ", "m", False, "vci"),
             ("as ", "f", False, "vci")),
        "a": (("ao ", "m", True, "vci"), ("à ", "f", True, "vci"), ("aos ", "m", False, "vci"),
              ("às ", "f", False, "vci")),
        "em": (("no ", "m", True, "vci"), ("na ", "f", True, "vci")),
        "one": (("um ", "m", True, "vci"), ("uma ", "f", True, "vci")),
    },
}  # fmt: skip
_IMPURE = re.compile(r"z|gn|p[sn]|[xy]|s[bcdfglmnpqrtv]")
_LIAISON = {"vieil": "vieux", "nouvel": "nouveau", "bel": "beau"}
_FIRST = {"vieux", "nouveau", "beau", "grand", "petit", "long"}


def _sound(code: str, rest: str) -> str:
    vowels = "aeiouyhàâéèêîôùûœ" if code == "fr" else "aeiouhàèéìòù"
    if rest[:1].lower() in vowels:
        return "v"
    return "i" if code == "it" and _IMPURE.match(rest) else "c"


def romance(words: Tongue, text: str, place: int, case: str) -> Found:
    """Read a phrase of French, Spanish, Italian or Portuguese.

    Args:
        words: of the language.
        text: of the sentence.
        place: where the phrase begins.
        case: preposition that the article holds, or nothing.

    Yields:
        End and meaning.
    """
    code = words.code
    if case == "":
        yield from _romance_counted(words, text, place)
    kinds = {case: 0}
    if case == "":
        kinds["one"] = 1
    elif case == "a" and code == "es":
        kinds["a one"] = 1
    for kind, ones in kinds.items():
        for article, genders, single, sounds in _ROMANCE[code][kind]:
            start = place + len(article)
            if text.startswith(article, place) and _sound(code, text[start:]) in sounds:
                for gender in _true_genders(code, genders, text[start:], single=single):
                    for end, noun, quality in _romance_rest(
                        words, text, start, gender, single=single
                    ):
                        yield end, (noun, ones if single else 2, quality)


def _romance_counted(words: Tongue, text: str, place: int) -> Found:
    number = counted(text, place, " ")
    for gender in "mf" if number else "":
        start, count = number or (0, 0)
        for end, noun, quality in _romance_rest(words, text, start, gender, single=False):
            yield end, (noun, count, quality)


def _true_genders(code: str, genders: str, rest: str, *, single: bool) -> str:
    # El agua: feminine under the masculine article, and never under its own.
    if code == "es" and single and re.match(r"(agua|águila)\b", rest):
        return "f" if genders == "m" else ""
    return genders


def _romance_rest(
    words: Tongue, text: str, place: int, gender: str, *, single: bool
) -> Iterator[tuple[int, int, int]]:
    wanted = 1 + (gender == "f") + 2 * (not single)
    french = words.code == "fr"
    if french:
        yield from _french_first(words, text, place, gender, single=single)
    for end, readings in words.nouns.at(text, place):
        for noun, field in readings:
            row = words.rows["n"][noun]
            if row[2] != gender or field != (3 if single else 4):
                continue
            yield end, noun, -1
            if not text.startswith(" ", end):
                continue
            for last, qualities in words.adjectives.at(text, end + 1):
                for quality, shown in qualities:
                    before = french and words.rows["a"][quality][1] in _FIRST
                    if _same_form(words, quality, shown, wanted) and not before:
                        yield last, noun, quality


def _same_form(words: Tongue, quality: int, shown: int, wanted: int) -> bool:
    row = words.rows["a"][quality]
    return row[shown] == row[wanted]


def _french_first(
    words: Tongue, text: str, place: int, gender: str, *, single: bool
) -> Iterator[tuple[int, int, int]]:
    found = re.compile(r"(\w+) ").match(text, place)
    if found is None:
        return
    shown = found.group(1)
    vowel = _sound("fr", text[found.end() :]) == "v"
    base = _LIAISON.get(shown)
    if (base is not None) != (
        single and gender == "m" and vowel and (base or shown) in _LIAISON.values()
    ):
        return
    wanted = 1 + (gender == "f") + 2 * (not single)
    for quality, row in enumerate(words.rows["a"]):
        if row[1] in _FIRST and row[wanted] == (base or shown):
            for end, readings in words.nouns.at(text, found.end()):
                for noun, field in readings:
                    if words.rows["n"][noun][2] == gender and field == (3 if single else 4):
                        yield end, noun, quality
