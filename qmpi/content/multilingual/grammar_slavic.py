"""Clauses of Russian.

Theory of operation. Nouns and adjectives have case, gender, number and, in the accusative, life.
After a numeral the last figures rule: one takes the singular, two to four the genitive singular,
the rest the genitive plural. The past agrees in gender; tenses of the perfective and imperfective
verb of a pair are already chosen in the data.
"""

# The letters of other scripts are meant: this file is about them.

from qmpi.content.multilingual.grammar_west import named, several
from qmpi.content.multilingual.meaning import Chunks, Event, Phrase
from qmpi.content.multilingual.word_forms import Lexis, Row

_SHAPES = "mfn"


class Russian:
    """The grammar of Russian."""

    def __init__(self, words: Lexis) -> None:
        """Keep the tables.

        Args:
            words: of Russian.
        """
        self._words = words

    def _subject(self, item: Phrase) -> str:
        noun, count, quality = item
        if noun < 0:
            return named(self._words, item)
        row = self._words.nouns[noun]
        shape = 4 if count == 2 else 1 + _SHAPES.index(row[2])
        before = self._words.adjectives[quality][shape] + " " if quality >= 0 else ""
        return before + row[9 if count == 2 else 4]

    def _object(self, item: Phrase) -> str:
        noun, count, quality = item
        row = self._words.nouns[noun]
        alive, gender = row[3] == "a", row[2]
        bend = self._words.adjectives[quality] if quality >= 0 else None
        if count > 2:
            return _counted(row, bend, count)
        if count == 2:
            return (bend[8 if alive else 4] + " " if bend else "") + row[10]
        place = 5 if gender == "f" else 6 if alive and gender == "m" else 1 + _SHAPES.index(gender)
        return (bend[place] + " " if bend else "") + row[5]

    def _verb(self, event: Event) -> str:
        verb, tense, agent = event[:3]
        row = self._words.verbs[verb]
        plural = several(agent)
        if tense:
            return row[5 + 2 * tense + plural]
        if plural:
            return row[6]
        gender = "mf"[agent[0] == -1] if agent[0] < 0 else self._words.nouns[agent[0]][2]
        return row[3 + _SHAPES.index(gender)]

    def _where(self, place: int) -> str:
        if place < 0:
            name = self._words.cities[-1 - place][1]
            # Vo before V or F and another consonant: vo Frantsii.
            hard = name[0] in "ВФ" and name[1] not in "аеёиоуыэюя"
            return ("во " if hard else "в ") + name
        row = self._words.nouns[place]
        return f"{row[1] or 'в'} {row[8]}"

    def clause(self, event: Event, style: int = 0, *, sub: bool = False) -> Chunks:  # noqa: ARG002
        """Return the parts of a clause in order; as `Grammar.clause`.

        Args:
            event: what happens.
            style: 1 puts the time first, 2 the place and the time.
            sub: makes no difference here.

        Returns:
            Role and words.
        """
        _, _, agent, patient, receiver, place, time = event
        parts = [("S", self._subject(agent)), ("V", self._verb(event))]
        if receiver is not None:
            parts.append(("R", self._words.nouns[receiver[0]][7]))
        if patient is not None:
            parts.append(("O", self._object(patient)))
        first: Chunks = []
        if place is not None:
            (first if style == 2 else parts).append(("P", self._where(place)))
        if time is not None:
            (parts if style == 0 else first).append(("T", self._words.times[time][1]))
        return first + parts


def _counted(row: Row, bend: Row | None, count: int) -> str:
    last, teens = count % 10, 10 < count % 100 < 20
    if last == 1 and not teens:
        shape, field = 5 if row[2] == "f" else 1 + _SHAPES.index(row[2]), 5
    elif last in {2, 3, 4} and not teens:
        shape, field = 4 if row[2] == "f" else 8, 6
    else:
        shape, field = 8, 11
    return f"{count} {bend[shape] + ' ' if bend else ''}{row[field]}"
