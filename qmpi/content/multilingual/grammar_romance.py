"""Clauses of French, Spanish, Italian and Portuguese.

Theory of operation. The four share their order: subject, verb, object, receiver, place, time.
Articles, their contractions with prepositions and the endings of adjectives differ and follow
gender, number and, in French and Italian, the sound that comes next.
"""

# The letters of other scripts are meant: this file is about them.
# ruff: noqa: RUF001

from collections.abc import Callable
from typing import Protocol

from qmpi.content.multilingual.grammar_west import named, ordered, several
from qmpi.content.multilingual.meaning import Chunks, Event, Phrase
from qmpi.content.multilingual.word_forms import Lexis, Row


class Joined(Protocol):
    """Puts an article before words."""

    def __call__(self, gender: str, rest: str, *, plural: bool) -> str:
        """Return article and words.

        Args:
            gender: m or f.
            rest: the words that follow; their sound may change the article.
            plural: of the noun.

        Returns:
            With or without a blank between.
        """
        ...


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

    def join(gender: str, rest: str, *, plural: bool) -> str:
        if plural:
            return whole[2] + rest
        if rest[0] in _VOWELS:
            return whole[3] + rest
        return whole[gender == "f"] + rest

    return join


def _spanish(before: str) -> Joined:
    man, woman = {"": ("el ", "la "), "a": ("al ", "a la "), "en": ("en el ", "en la ")}[before]
    many = {"": "", "a": "a ", "en": "en "}[before]

    def join(gender: str, rest: str, *, plural: bool) -> str:
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

    def join(gender: str, rest: str, *, plural: bool) -> str:
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

    def join(gender: str, rest: str, *, plural: bool) -> str:
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


class Romance:
    """The grammar of French, Spanish, Italian or Portuguese."""

    def __init__(self, words: Lexis) -> None:
        """Choose articles and prepositions.

        Args:
            words: of one of the four.
        """
        self._words = words
        self._language = words.language
        self._qualities: list[Row | None] = [*words.adjectives, None]
        maker, to, inside = _JOIN[words.language]
        self._plain, self._toward, self._within = maker(""), maker(to), maker(inside)

    def _phrase(self, item: Phrase, join: Joined, *, marked: bool = False) -> str:
        noun, count, quality = item
        if noun < 0:
            return named(self._words, item)
        row = self._words.nouns[noun]
        french = self._language == "fr"
        rest = _described(row, self._qualities[quality], plural=count > 1, french=french)
        if count == 1:
            return ("a " if marked else "") + _one(self._language, row[2], rest)
        return f"{count} {rest}" if count > 2 else join(row[2], rest, plural=count == 2)

    def _where(self, place: int | None) -> str:
        if place is None:
            return ""
        if place < 0:
            return _CITY[self._language] + self._words.cities[-1 - place][0]
        row = self._words.nouns[place]
        join = self._toward if row[1] == "à" else self._within
        return join(row[2], row[3], plural=False)

    def clause(self, event: Event, style: int = 0, *, sub: bool = False) -> Chunks:  # noqa: ARG002
        """Return the parts of a clause in order; as `Grammar.clause`.

        Args:
            event: what happens.
            style: 1 puts the time first, 2 the place.
            sub: makes no difference here.

        Returns:
            Role and words.
        """
        verb, tense, agent, patient, receiver, place, time = event
        row = self._words.verbs[verb]
        form = row[(5, 3, 7)[tense] + several(agent)]
        parts = [("S", self._phrase(agent, self._plain)), ("V", form)]
        if patient is not None:
            # Spanish marks persons that something happens to.
            person = self._language == "es" and self._words.nouns[patient[0]][0] == "p"
            marked = person and row[0] == "t"
            join = self._toward if marked else self._plain
            parts.append(("O", self._phrase(patient, join, marked=marked)))
        if receiver is not None:
            parts.append(("R", self._phrase(receiver, self._toward)))
        when = "" if time is None else self._words.times[time][1]
        return ordered(parts, when, self._where(place), style)
