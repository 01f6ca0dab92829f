"""Clauses of Arabic.

Theory of operation. Verb first and in the singular; after `inna`, `anna` and `li-anna` the subject
comes first, in the accusative, and the verb agrees (agents there are single). Case shows, without
vowel signs, in the indefinite accusative and the sound plural. Three to ten ask for the plural,
more for the singular accusative. What is not human is feminine singular in the plural.
"""

# The letters of other scripts are meant: this file is about them.
# ruff: noqa: RUF001

from qmpi.content.multilingual.grammar_west import named
from qmpi.content.multilingual.meaning import Chunks, Event, Phrase
from qmpi.content.multilingual.word_forms import Lexis

_BARE_ENDS = ("ة", "اء", "ى", "ا")


class Arabic:
    """The grammar of Arabic."""

    def __init__(self, words: Lexis) -> None:
        """Keep the tables.

        Args:
            words: of Arabic.
        """
        self._words = words

    def _phrase(self, item: Phrase, *, accusative: bool) -> str:
        noun, count, quality = item
        if noun < 0:
            return named(self._words, item)
        row = self._words.nouns[noun]
        mark = self._words.adjectives[quality][1] if quality >= 0 else ""
        few = 3 <= count % 100 <= 10
        if mark and (row[2] == "f" or count == 2 or (count > 2 and few)):
            mark += "ة"
        if count > 2:
            if few:
                return f"{count} {row[5]}{' ' + mark if mark else ''}"
            return f"{count} {_tanwin(row[3])}{' ' + _tanwin(mark) if mark else ''}"
        if count == 1:
            bend = _tanwin if accusative else str
            return f"{bend(row[3])}{' ' + bend(mark) if mark else ''}"
        word = row[3] if count == 0 else row[5 if accusative else 4]
        return f"{_the(word)}{' ' + _the(mark) if mark else ''}"

    def clause(self, event: Event, style: int = 0, *, sub: bool = False) -> Chunks:
        """Return the parts of a clause in order; as `Grammar.clause`.

        Args:
            event: what happens.
            style: 1 puts the time first, 2 the place.
            sub: the subject comes first.

        Returns:
            Role and words.
        """
        verb, tense, agent, patient, receiver, place, time = event
        nouns = self._words.nouns
        woman = agent[0] == -1 if agent[0] < 0 else nouns[agent[0]][2] == "f"
        form = self._words.verbs[verb][3 + (2 if tense else 0) + woman]
        form = "س" + form if tense == 2 else form
        subject = ("S", self._phrase(agent, accusative=sub))
        parts = [subject, ("V", form)] if sub else [("V", form), subject]
        if patient is not None:
            parts.append(("O", self._phrase(patient, accusative=True)))
        if receiver is not None:
            parts.append(("R", "لل" + nouns[receiver[0]][3].removeprefix("ل")))
        first: Chunks = []
        if place is not None:
            city = self._words.cities[-1 - place][0] if place < 0 else _the(nouns[place][3])
            (first if style == 2 and not sub else parts).append(("P", "في " + city))
        if time is not None:
            (first if style == 1 and not sub else parts).append(("T", self._words.times[time][1]))
        return first + parts


def _tanwin(word: str) -> str:
    return word if word.endswith(_BARE_ENDS) else word + "\u064b\u0627"


def _the(word: str) -> str:
    return " ".join(["ال" + part for part in word.split(" ")])
