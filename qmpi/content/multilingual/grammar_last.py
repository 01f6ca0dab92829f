"""Clauses of Turkish, Hindi, Japanese and Chinese.

Theory of operation. The first three put the verb last. Turkish: the object has the accusative if it
is known, none after `bir` or a number. Hindi: in the perfective the agent takes `ne` and the verb
agrees with a bare object; living objects take `ko`, and the verb nothing. Japanese: particles,
counters, polite outside and plain inside. Chinese: measure words, `le` for the past.
"""

# The letters of other scripts are meant: this file is about them.

from qmpi.content.multilingual.grammar_west import named
from qmpi.content.multilingual.meaning import Chunks, Event, Phrase
from qmpi.content.multilingual.word_forms import Lexis


def framed(subject: Chunks, where: str, when: str, style: int) -> Chunks:
    """Put time and place around a subject; the verb comes last.

    Args:
        subject: one chunk.
        where: words or nothing.
        when: words or nothing.
        style: 1 puts the time first, 2 the place.

    Returns:
        The beginning of a clause.
    """
    times: Chunks = [("T", when)] if when else []
    places: Chunks = [("P", where)] if where else []
    if style == 1:
        return times + subject + places
    return places + subject + times if style == 2 else subject + times + places


class Turkish:
    """The grammar of Turkish."""

    def __init__(self, words: Lexis) -> None:
        """Keep the tables.

        Args:
            words: of Turkish.
        """
        self._words = words
        self._qualities = [row[1] + " " for row in words.adjectives]
        self._qualities.append("")

    # Case: 0 bare, 1 accusative, 2 dative.
    def _phrase(self, item: Phrase, case: int) -> str:
        noun, count, quality = item
        if noun < 0:
            return named(self._words, item)
        row, mark = self._words.nouns[noun], self._qualities[quality]
        if count == 0:
            return mark + row[2 + case]
        if count == 1:
            return f"{mark}bir {row[2]}"
        return mark + row[6 + case] if count == 2 else f"{count} {mark}{row[2]}"

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
        words = self._words
        where = ""
        if place is not None:
            where = words.cities[-1 - place][1] if place < 0 else words.nouns[place][5]
        when = "" if time is None else words.times[time][1]
        parts = framed([("S", self._phrase(agent, 0))], where, when, style)
        if receiver is not None:
            parts.append(("R", self._phrase(receiver, 2)))
        if patient is not None:
            parts.append(("O", self._phrase(patient, 1)))
        parts.append(("V", words.verbs[verb][3 + tense]))
        return parts


class Hindi:
    """The grammar of Hindi."""

    def __init__(self, words: Lexis) -> None:
        """Keep the tables.

        Args:
            words: of Hindi.
        """
        self._words = words

    def _phrase(self, item: Phrase, *, oblique: bool) -> str:
        noun, count, quality = item
        if noun < 0:
            return named(self._words, item)
        row = self._words.nouns[noun]
        plural = count > 1
        word = row[3 + oblique + 2 * plural]
        if quality >= 0:
            shape = 3 if row[2] == "f" else 2 if plural or oblique else 1
            word = f"{self._words.adjectives[quality][shape]} {word}"
        if count == 1:
            return "एक " + word
        return f"{count} {word}" if count > 2 else word

    def _governor(self, event: Event) -> tuple[bool, bool]:
        # Feminine and plural of what the verb agrees with.
        agent, item = event[2:4]
        nouns = self._words.nouns
        if event[1] == 0:
            if item is None or nouns[item[0]][0] in "pa":
                return False, False
            return nouns[item[0]][2] == "f", item[1] > 1
        if agent[0] < 0:
            return agent[0] == -1, False
        return nouns[agent[0]][2] == "f", agent[1] == 2

    def _verb(self, event: Event) -> str:
        row = self._words.verbs[event[0]]
        woman, plural = self._governor(event)
        if event[1] == 0:
            return row[3 + 2 * woman + plural]
        if event[1] == 1:
            return f"{row[9] if woman else row[7 + plural]} {'हैं' if plural else 'है'}"
        return row[10 + 2 * woman + plural]

    def clause(self, event: Event, style: int = 0, *, sub: bool = False) -> Chunks:  # noqa: ARG002
        """Return the parts of a clause in order; as `Grammar.clause`.

        Args:
            event: what happens.
            style: 1 puts the time first, 2 the place.
            sub: makes no difference here.

        Returns:
            Role and words.
        """
        _, tense, agent, patient, receiver, place, time = event
        words = self._words
        ergative = tense == 0
        where = ""
        if place is not None:
            where = words.cities[-1 - place][0] if place < 0 else words.nouns[place][4]
            where += " में"
        when = "" if time is None else words.times[time][1]
        subject = self._phrase(agent, oblique=ergative) + (" ने" if ergative else "")
        parts = framed([("S", subject)], where, when, style)
        if receiver is not None:
            parts.append(("R", self._phrase(receiver, oblique=True) + " को"))
        if patient is not None:
            alive = words.nouns[patient[0]][0] in "pa"
            parts.append(("O", self._phrase(patient, oblique=alive) + (" को" if alive else "")))
        parts.append(("V", self._verb(event)))
        return parts


def _joined(words: Lexis, item: Phrase) -> str:
    first = (words.women if item[0] == -1 else words.men)[item[1]]
    return words.surnames[item[2]] + first


class Japanese:
    """The grammar of Japanese."""

    def __init__(self, words: Lexis) -> None:
        """Keep the tables.

        Args:
            words: of Japanese.
        """
        self._words = words
        self._qualities = [row[1] for row in words.adjectives]
        self._qualities.append("")

    def _phrase(self, item: Phrase) -> str:
        noun, count, quality = item
        if noun < 0:
            return _joined(self._words, item) + "さん"
        row = self._words.nouns[noun]
        many = "たち" if count == 2 and row[0] == "p" else ""
        number = f"{count}{row[3]}の" if count > 2 else ""
        return f"{number}{self._qualities[quality]}{row[2]}{many}"

    def clause(self, event: Event, style: int = 0, *, sub: bool = False) -> Chunks:
        """Return the parts of a clause in order; as `Grammar.clause`.

        Args:
            event: what happens.
            style: 1 puts the time first, 2 the place.
            sub: plain form, and another particle.

        Returns:
            Role and words.
        """
        verb, tense, agent, patient, receiver, place, time = event
        words = self._words
        where = ""
        if place is not None:
            where = (words.cities[-1 - place][0] if place < 0 else words.nouns[place][2]) + "で"
        when = "" if time is None else words.times[time][1]
        subject = self._phrase(agent) + ("が" if sub else "は")
        parts = framed([("S", subject)], where, when, style)
        if receiver is not None:
            parts.append(("R", self._phrase(receiver) + "に"))
        if patient is not None:
            parts.append(("O", self._phrase(patient) + "を"))
        parts.append(("V", words.verbs[verb][3 + 2 * sub + (tense != 0)]))
        return parts


class Chinese:
    """The grammar of Chinese."""

    def __init__(self, words: Lexis) -> None:
        """Keep the tables.

        Args:
            words: of Chinese.
        """
        self._words = words
        self._qualities = [row[1] + "的" for row in words.adjectives]
        self._qualities.append("")

    def _phrase(self, item: Phrase) -> str:
        noun, count, quality = item
        if noun < 0:
            return _joined(self._words, item)
        row, mark = self._words.nouns[noun], self._qualities[quality]
        if count == 0:
            return mark + row[2]
        if count == 2:
            return f"{mark}{row[2]}们" if row[0] == "p" else f"这些{mark}{row[2]}"
        return f"{'一' if count == 1 else count}{row[3]}{mark}{row[2]}"

    def _verb(self, event: Event) -> str:
        row = self._words.verbs[event[0]]
        if event[1] == 2:
            return "会" + row[3]
        # What is said follows at once: no mark of the past.
        return row[3] + "了" if event[1] == 0 and row[0] != "s" else row[3]

    def clause(self, event: Event, style: int = 0, *, sub: bool = False) -> Chunks:  # noqa: ARG002
        """Return the parts of a clause in order; as `Grammar.clause`.

        Args:
            event: what happens.
            style: 1 puts the time first.
            sub: makes no difference here.

        Returns:
            Role and words.
        """
        _, _, agent, patient, receiver, place, time = event
        words = self._words
        when = "" if time is None else words.times[time][1]
        parts = framed([("S", self._phrase(agent))], "", when, style % 2)
        if place is not None:
            city = words.cities[-1 - place][0] if place < 0 else words.nouns[place][2]
            parts.append(("P", "在" + city))
        parts.append(("V", self._verb(event)))
        if receiver is not None:
            parts.append(("R", self._phrase(receiver)))
        if patient is not None:
            parts.append(("O", self._phrase(patient)))
        return parts
