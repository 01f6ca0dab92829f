"""Clauses of French, Spanish, Italian and Portuguese.

Theory of operation. The four share their order: subject, verb, object, receiver, place, time.
Articles, their contractions with prepositions and the endings of adjectives differ and follow
gender, number and, in French and Italian, the sound that comes next.
"""

from collections.abc import Callable

from qmpi.content.multilingual.grammar_west import Clause, named, ordered
from qmpi.content.multilingual.meaning import Chunks, Event, Phrase
from qmpi.content.multilingual.word_forms import Lexis, Row

Joined = Callable[[str, bool, str], str]
"""Article before a word: gender, plural, the words that follow."""

_FRENCH_BEFORE = {
    "vieux": "vieil", "nouveau": "nouvel", "beau": "bel", "grand": "grand", "petit": "petit",
    "long": "long",
}  # fmt: skip
_VOWELS = "aeiouyhàâéèêîôùûœAEIOUÉÈÀ"
_IMPURE = ("z", "gn", "ps", "pn", "x", "y", "sb", "sc", "sd", "sf", "sg", "sl", "sm", "sn", "sp",
           "sq", "sr", "st", "sv")  # fmt: skip
_ITALIAN_VOWELS = "aeiouàèéìòùh"
_STRESSED = ("agua", "águila")


def _french(before: str) -> Joined:
    whole = {"": ("le ", "la ", "les ", "l’"), "à": ("au ", "à la ", "aux ", "à l’"),
             "dans": ("dans le ", "dans la ", "dans les ", "dans l’")}[before]  # fmt: skip

    def join(gender: str, plural: bool, rest: str) -> str:  # noqa: FBT001
        if plural:
            return whole[2] + rest
        if rest[0] in _VOWELS:
            return whole[3] + rest
        return whole[gender == "f"] + rest

    return join


def _spanish(before: str) -> Joined:
    man, woman = {"": ("el ", "la "), "a": ("al ", "a la "), "en": ("en el ", "en la ")}[before]
    many = {"": "", "a": "a ", "en": "en "}[before]

    def join(gender: str, plural: bool, rest: str) -> str:  # noqa: FBT001
        if plural:
            return f"{many}{'las' if gender == 'f' else 'los'} {rest}"
        return (woman if gender == "f" and not rest.startswith(_STRESSED) else man) + rest

    return join


def _italian(before: str) -> Joined:
    whole = {
        "": ("il ", "lo ", "l’", "la ", "i ", "gli ", "le "),
        "a": ("al ", "allo ", "all’", "alla ", "ai ", "agli ", "alle "),
        "in": ("nel ", "nello ", "nell’", "nella ", "nei ", "negli ", "nelle "),
    }[before]

    def join(gender: str, plural: bool, rest: str) -> str:  # noqa: FBT001
        vowel = rest[0] in _ITALIAN_VOWELS
        if plural:
            if gender == "f":
                return whole[6] + rest
            return whole[5 if vowel or rest.startswith(_IMPURE) else 4] + rest
        if vowel:
            return whole[2] + rest
        if gender == "f":
            return whole[3] + rest
        return whole[1 if rest.startswith(_IMPURE) else 0] + rest

    return join


def _portuguese(before: str) -> Joined:
    whole = {"": ("o ", "a ", "os ", "as "), "a": ("ao ", "à ", "aos ", "às "),
             "em": ("no ", "na ", "nos ", "nas ")}[before]  # fmt: skip

    def join(gender: str, plural: bool, rest: str) -> str:  # noqa: FBT001
        return whole[2 * plural + (gender == "f")] + rest

    return join


_JOIN: dict[str, tuple[Callable[[str], Joined], str, str]] = {
    "fr": (_french, "à", "dans"),
    "es": (_spanish, "a", "en"),
    "it": (_italian, "a", "in"),
    "pt": (_portuguese, "a", "em"),
}
_CITY = {"fr": "à ", "es": "en ", "it": "a ", "pt": "em "}


def _one(language: str, gender: str, rest: str) -> str:
    if language == "it":
        if gender == "f":
            return ("un’" if rest[0] in _ITALIAN_VOWELS else "una ") + rest
        return ("uno " if rest.startswith(_IMPURE) else "un ") + rest
    if language == "es":
        return ("una " if gender == "f" and not rest.startswith(_STRESSED) else "un ") + rest
    man, woman = ("un ", "une ") if language == "fr" else ("um ", "uma ")
    return (woman if gender == "f" else man) + rest


def _described(row: Row, quality: Row | None, *, plural: bool, french: bool) -> str:
    noun = row[4 if plural else 3]
    if quality is None:
        return noun
    form = quality[1 + 2 * plural + (row[2] == "f")]
    if french and quality[1] in _FRENCH_BEFORE:
        if form == quality[1] and not plural and noun[0] in _VOWELS:
            form = _FRENCH_BEFORE[form]
        return f"{form} {noun}"
    return f"{noun} {form}"


def romance(words: Lexis) -> Clause:
    """Return the grammar of a Romance language.

    Args:
        words: of French, Spanish, Italian or Portuguese.

    Returns:
        A maker of clauses.
    """
    language, nouns, verbs = words.language, words.nouns, words.verbs
    french, personal = language == "fr", language == "es"
    qualities: list[Row | None] = [*words.adjectives, None]
    maker, to, inside = _JOIN[language]
    plain, toward, within = maker(""), maker(to), maker(inside)

    def phrase(item: Phrase, join: Joined, *, marked: bool = False) -> str:
        noun, count, quality = item
        if noun < 0:
            return named(words, item)
        row = nouns[noun]
        rest = _described(row, qualities[quality], plural=count > 1, french=french)
        if count == 1:
            return ("a " if marked else "") + _one(language, row[2], rest)
        return f"{count} {rest}" if count > 2 else join(row[2], count == 2, rest)

    def located(place: int) -> str:
        if place < 0:
            return _CITY[language] + words.cities[-1 - place][0]
        row = nouns[place]
        return (toward if row[1] == "à" else within)(row[2], False, row[3])  # noqa: FBT003

    def clause(event: Event, _sub: bool, style: int) -> Chunks:  # noqa: FBT001
        verb, tense, agent, patient, receiver, place, time = event
        plural = agent[0] >= 0 and agent[1] == 2
        form = verbs[verb][3 + (2, 0, 4)[tense] + plural]
        parts = [("S", phrase(agent, plain)), ("V", form)]
        if patient is not None:
            # Spanish marks persons that something happens to.
            marked = personal and nouns[patient[0]][0] == "p" and verbs[verb][0] == "t"
            parts.append(("O", phrase(patient, toward if marked else plain, marked=marked)))
        if receiver is not None:
            parts.append(("R", phrase(receiver, toward)))
        where = "" if place is None else located(place)
        when = "" if time is None else words.times[time][1]
        if style == 1 and when:
            when += ","
        elif style == 2 and where:
            where += ","
        return ordered(parts, when, where, style)

    return clause
