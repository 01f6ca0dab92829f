"""Clauses of English and German.

Theory of operation. A maker closes over the tables of its language and returns a function from an
event to chunks. German puts the verb second in a main clause whatever comes first, and last in a
subordinate one; articles and adjectives follow gender, case and definiteness.
"""

from collections.abc import Callable

from qmpi.content.multilingual.meaning import Chunks, Event, Phrase
from qmpi.content.multilingual.word_forms import Lexis

Clause = Callable[[Event, bool, int], Chunks]


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


def ordered(parts: Chunks, time: str, place: str, style: int) -> Chunks:
    """Put time and place into a clause whose other parts stand in order.

    Args:
        parts: subject, verb, objects.
        time: adverb or nothing.
        place: words or nothing.
        style: 1 puts the time first, 2 the place.

    Returns:
        The clause; first parts are set off by a comma where the language has one.
    """
    if style == 2 and place:
        parts.insert(0, ("P", place))
        place = ""
    elif style == 1 and time:
        parts.insert(0, ("T", time))
        time = ""
    if place:
        parts.append(("P", place))
    if time:
        parts.append(("T", time))
    return parts


def english(words: Lexis) -> Clause:
    """Return the grammar of English.

    Args:
        words: of English.

    Returns:
        A maker of clauses.
    """
    nouns, adjectives, verbs = words.nouns, words.adjectives, words.verbs
    article = [
        ["an " if word[0] in "aeio" or (word[0] == "u" and word[1:2] not in "nst") else "a "
         for word in column]
        for column in ([row[2] for row in nouns], [row[1] for row in adjectives])
    ]  # fmt: skip
    adjective = [row[1] + " " for row in adjectives]
    adjective.append("")
    before = ("to ", "in ", "at ")

    def phrase(item: Phrase) -> str:
        noun, count, quality = item
        if noun < 0:
            return named(words, item)
        row = nouns[noun]
        if count == 0:
            return f"the {adjective[quality]}{row[2]}"
        if count == 1:
            art = article[1][quality] if quality >= 0 else article[0][noun]
            return f"{art}{adjective[quality]}{row[2]}"
        if count == 2:
            return f"the {adjective[quality]}{row[3]}"
        return f"{count} {adjective[quality]}{row[3]}"

    def clause(event: Event, _sub: bool, style: int) -> Chunks:  # noqa: FBT001
        verb, tense, agent, patient, receiver, place, time = event
        row = verbs[verb]
        form = (
            row[5] if tense == 0 else f"will {row[3]}" if tense == 2
            else row[3] if agent[1] == 2 and agent[0] >= 0 else row[4]
        )  # fmt: skip
        parts = [("S", phrase(agent)), ("V", form)]
        if patient is not None:
            parts.append(("O", phrase(patient)))
        if receiver is not None:
            parts.append(("R", before[0] + phrase(receiver)))
        where = ""
        if place is not None:
            if place < 0:
                where = before[1] + words.cities[-1 - place][0]
            else:
                where = f"{nouns[place][1] or 'in'} the {nouns[place][2]}"
        when = words.times[time][1] if time is not None else ""
        if style == 1 and when:
            when += ","
        elif style == 2 and where:
            where += ","
        return ordered(parts, when, where, style)

    return clause


_THE = {
    "m": ("der", "den", "dem"), "f": ("die", "die", "der"), "n": ("das", "das", "dem"),
    "p": ("die", "die", "den"),
}  # fmt: skip
_A = {
    "m": ("ein", "einen", "einem"), "f": ("eine", "eine", "einer"), "n": ("ein", "ein", "einem"),
}  # fmt: skip
_WEAK = {"m": ("e ", "en ", "en "), "f": ("e ", "e ", "en "), "n": ("e ", "e ", "en ")}
_MIXED = {"m": ("er ", "en ", "en "), "f": ("e ", "e ", "en "), "n": ("es ", "es ", "en ")}


def german(words: Lexis) -> Clause:
    """Return the grammar of German.

    Args:
        words: of German.

    Returns:
        A maker of clauses.
    """
    nouns, verbs = words.nouns, words.verbs
    stems = [row[1] for row in words.adjectives]

    # Case: 0 nominative, 1 accusative, 2 dative.
    def phrase(item: Phrase, case: int) -> str:
        noun, count, quality = item
        if noun < 0:
            return named(words, item)
        row = nouns[noun]
        gender = row[2]
        stem = stems[quality] if quality >= 0 else ""
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

    def located(place: int) -> str:
        if place < 0:
            return "in " + words.cities[-1 - place][0]
        row = nouns[place]
        article = _THE[row[2]][2]
        if row[1]:
            return f"{row[1]} {article} {row[5]}"
        return f"{'im' if article == 'dem' else 'in der'} {row[5]}"

    def clause(event: Event, sub: bool, style: int) -> Chunks:  # noqa: FBT001
        verb, tense, agent, patient, receiver, place, time = event
        row = verbs[verb]
        plural = agent[0] >= 0 and agent[1] == 2
        form, infinitive = "", ""
        if tense == 0:
            form = row[6] if plural else row[5]
        elif tense == 1:
            form = row[3] if plural else row[4]
        else:
            form, infinitive = "werden" if plural else "wird", row[3]
        subject = ("S", phrase(agent, 0))
        middle: Chunks = []
        front: tuple[str, str] | None = None
        if time is not None:
            middle.append(("T", words.times[time][1]))
        if receiver is not None:
            middle.append(("R", phrase(receiver, 2)))
        if patient is not None:
            middle.append(("O", phrase(patient, 1)))
        if place is not None:
            middle.append(("P", located(place)))
        if sub:
            ending = [("V", f"{infinitive} {form}" if infinitive else form)]
            return [subject, *middle, *ending]
        wanted = "T" if style == 1 else "P" if style == 2 else ""
        for part in middle:
            if part[0] == wanted:
                front = part
                middle.remove(part)
                break
        parts = [front, ("V", form), subject] if front else [subject, ("V", form)]
        parts += middle
        if infinitive:
            parts.append(("V", infinitive))
        return parts

    return clause
