"""Clauses of English and German.

Theory of operation. A grammar holds the tables of its language and turns an event into chunks.
German puts the verb second in a main clause whatever comes first, and last in a subordinate one;
articles and adjectives follow gender, case and definiteness.
"""

from typing import Protocol

from qmpi.content.multilingual.meaning import Chunks, Event, Phrase
from qmpi.content.multilingual.word_forms import Lexis


class Grammar(Protocol):
    """What all grammars do."""

    def clause(self, event: Event, style: int = 0, *, sub: bool = False) -> Chunks:
        """Return the parts of a clause in order.

        Args:
            event: what happens.
            style: 1 puts the time first, 2 the place.
            sub: as a subordinate clause.

        Returns:
            Role and words.
        """
        ...


def named(words: Lexis, phrase: Phrase) -> str:
    """Return a person's name.

    Args:
        words: of the language.
        phrase: an agent below 0.

    Returns:
        First name and surname.
    """
    first = (words.women if phrase[0] == -1 else words.men)[phrase[1]]
    return f"{first} {words.surnames[phrase[2]]}"


def several(agent: Phrase) -> bool:
    """Return whether the verb stands in the plural.

    Args:
        agent: of the event.

    Returns:
        True for "the several"; a person by name is one.
    """
    return agent[0] >= 0 and agent[1] == 2


def ordered(parts: Chunks, time: str, place: str, style: int) -> Chunks:
    """Put time and place into a clause whose other parts stand in order.

    Args:
        parts: subject, verb, objects.
        time: adverb or nothing.
        place: words or nothing.
        style: 1 puts the time first, 2 the place.

    Returns:
        The clause; a first part is set off by a comma.
    """
    if style == 2 and place:
        parts.insert(0, ("P", place + ","))
        place = ""
    elif style == 1 and time:
        parts.insert(0, ("T", time + ","))
        time = ""
    if place:
        parts.append(("P", place))
    if time:
        parts.append(("T", time))
    return parts


class English:
    """The grammar of English."""

    def __init__(self, words: Lexis) -> None:
        """Work out which words take an.

        Args:
            words: of English.
        """
        self._words = words
        self._of_noun = [_article(row[2]) for row in words.nouns]
        self._of_quality = [_article(row[1]) for row in words.adjectives]
        self._qualities = [row[1] + " " for row in words.adjectives]
        self._qualities.append("")

    def _phrase(self, item: Phrase) -> str:
        noun, count, quality = item
        if noun < 0:
            return named(self._words, item)
        row = self._words.nouns[noun]
        mark = self._qualities[quality]
        if count == 0:
            return f"the {mark}{row[2]}"
        if count == 1:
            article = self._of_quality[quality] if mark else self._of_noun[noun]
            return f"{article}{mark}{row[2]}"
        return f"the {mark}{row[3]}" if count == 2 else f"{count} {mark}{row[3]}"

    def _where(self, place: int | None) -> str:
        if place is None:
            return ""
        if place < 0:
            return "in " + self._words.cities[-1 - place][0]
        row = self._words.nouns[place]
        return f"{row[1] or 'in'} the {row[2]}"

    def clause(self, event: Event, style: int = 0, *, sub: bool = False) -> Chunks:  # noqa: ARG002
        """Return the parts of a clause in order; as `Grammar.clause`.

        Args:
            event: what happens.
            style: 1 puts the time first, 2 the place.
            sub: makes no difference in English.

        Returns:
            Role and words.
        """
        verb, tense, agent, patient, receiver, place, time = event
        row = self._words.verbs[verb]
        if tense == 0:
            form = row[5]
        elif tense == 1:
            form = row[3] if several(agent) else row[4]
        else:
            form = "will " + row[3]
        parts = [("S", self._phrase(agent)), ("V", form)]
        if patient is not None:
            parts.append(("O", self._phrase(patient)))
        if receiver is not None:
            parts.append(("R", "to " + self._phrase(receiver)))
        when = "" if time is None else self._words.times[time][1]
        return ordered(parts, when, self._where(place), style)


def _article(word: str) -> str:
    # A unit, a useful thing, a ubiquitous one; an umbrella, an honest man.
    if word.startswith(("honest", "hour")):
        return "an "
    return "an " if word[0] in "aeio" or (word[0] == "u" and word[1:2] not in "nstb") else "a "


_THE = {
    "m": ("der", "den", "dem"), "f": ("die", "die", "der"), "n": ("das", "das", "dem"),
    "p": ("die", "die", "den"),
}  # fmt: skip
_A = {
    "m": ("ein", "einen", "einem"), "f": ("eine", "eine", "einer"), "n": ("ein", "ein", "einem"),
}  # fmt: skip
_WEAK = {"m": ("e ", "en ", "en "), "f": ("e ", "e ", "en "), "n": ("e ", "e ", "en ")}
_MIXED = {"m": ("er ", "en ", "en "), "f": ("e ", "e ", "en "), "n": ("es ", "es ", "en ")}


class German:
    """The grammar of German."""

    def __init__(self, words: Lexis) -> None:
        """Take the stems of adjectives.

        Args:
            words: of German.
        """
        self._words = words
        self._stems = [row[1] for row in words.adjectives]

    # Case: 0 nominative, 1 accusative, 2 dative.
    def _phrase(self, item: Phrase, case: int) -> str:
        noun, count, quality = item
        if noun < 0:
            return named(self._words, item)
        row = self._words.nouns[noun]
        gender = row[2]
        stem = self._stems[quality] if quality >= 0 else ""
        if count == 0:
            tail = stem + _WEAK[gender][case] if stem else ""
            return f"{_THE[gender][case]} {tail}{row[3 + case]}"
        if count == 1:
            tail = stem + _MIXED[gender][case] if stem else ""
            return f"{_A[gender][case]} {tail}{row[3 + case]}"
        many = row[7] if case == 2 else row[6]
        if count == 2:
            return f"{_THE['p'][case]} {stem + 'en ' if stem else ''}{many}"
        return f"{count} {stem + 'e ' if stem else ''}{many}"

    def _where(self, place: int) -> str:
        if place < 0:
            return "in " + self._words.cities[-1 - place][0]
        row = self._words.nouns[place]
        article = _THE[row[2]][2]
        if row[1]:
            return f"{row[1]} {article} {row[5]}"
        return f"{'im' if article == 'dem' else 'in der'} {row[5]}"

    def _verb(self, event: Event) -> tuple[str, str]:
        row = self._words.verbs[event[0]]
        plural = several(event[2])
        if event[1] == 0:
            return row[6] if plural else row[5], ""
        if event[1] == 1:
            return row[3] if plural else row[4], ""
        return "werden" if plural else "wird", row[3]

    def clause(self, event: Event, style: int = 0, *, sub: bool = False) -> Chunks:
        """Return the parts of a clause in order; as `Grammar.clause`.

        Args:
            event: what happens.
            style: 1 puts the time first, 2 the place.
            sub: the verb comes last.

        Returns:
            Role and words.
        """
        _, _, agent, patient, receiver, place, time = event
        form, infinitive = self._verb(event)
        subject = ("S", self._phrase(agent, 0))
        middle: Chunks = []
        if time is not None:
            middle.append(("T", self._words.times[time][1]))
        if receiver is not None:
            middle.append(("R", self._phrase(receiver, 2)))
        if patient is not None:
            middle.append(("O", self._phrase(patient, 1)))
        if place is not None:
            middle.append(("P", self._where(place)))
        if sub:
            return [subject, *middle, ("V", f"{infinitive} {form}" if infinitive else form)]
        return _second(subject, form, infinitive, middle, style)


def _second(
    subject: tuple[str, str], form: str, infinitive: str, middle: Chunks, style: int
) -> Chunks:
    front = subject
    wanted = ("", "T", "P")[style]
    for part in middle:
        if part[0] == wanted:
            front = part
            middle.remove(part)
            break
    parts = [front, ("V", form)] if front is subject else [front, ("V", form), subject]
    parts += middle
    if infinitive:
        parts.append(("V", infinitive))
    return parts
