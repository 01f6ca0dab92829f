"""Clauses of Russian, Turkish, Arabic, Hindi, Japanese and Chinese.

Theory of operation. Russian: case, animacy, forms after numerals. Turkish: the object has the
accusative if it is known, none after `bir` or a number. Arabic: verb first and in the singular,
subject first and in agreement inside a clause; numerals rule number and case of what is counted.
Hindi: in the perfective the agent takes `ne` and the verb agrees with a bare object. Japanese:
particles, counters, polite outside and plain inside. Chinese: measure words, `le` for the past.
"""

from qmpi.content.multilingual.grammar_west import Clause, named
from qmpi.content.multilingual.meaning import Chunks, Event, Phrase
from qmpi.content.multilingual.word_forms import Lexis


def _framed(parts: Chunks, first: Chunks, last: Chunks) -> Chunks:
    return [*first, *parts, *last]


def russian(words: Lexis) -> Clause:
    """Return the grammar of Russian.

    Args:
        words: of Russian.

    Returns:
        A maker of clauses.
    """
    nouns, verbs, adjectives = words.nouns, words.verbs, words.adjectives

    def subject(item: Phrase) -> str:
        noun, count, quality = item
        if noun < 0:
            return named(words, item)
        row = nouns[noun]
        if count == 2:
            return (adjectives[quality][4] + " " if quality >= 0 else "") + row[9]
        shape = "mfn".index(row[2])
        return (adjectives[quality][1 + shape] + " " if quality >= 0 else "") + row[4]

    def thing(item: Phrase) -> str:
        noun, count, quality = item
        row = nouns[noun]
        alive, gender = row[3] == "a", row[2]
        bend = adjectives[quality] if quality >= 0 else None
        if count > 2:
            return _counted(row, bend, count)
        if count == 2:
            return (bend[8 if alive else 4] + " " if bend else "") + row[10]
        place = 5 if gender == "f" else 6 if alive and gender == "m" else 1 + "mfn".index(gender)
        return (bend[place] + " " if bend else "") + row[5]

    def clause(event: Event, _sub: bool, style: int) -> Chunks:  # noqa: FBT001
        verb, tense, agent, patient, receiver, place, time = event
        row = verbs[verb]
        plural = agent[0] >= 0 and agent[1] == 2
        if tense == 0:
            gender = "mf"[agent[0] == -1] if agent[0] < 0 else nouns[agent[0]][2]
            form = row[6] if plural else row[3 + "mfn".index(gender)]
        else:
            form = row[5 + 2 * tense + plural]
        parts = [("S", subject(agent)), ("V", form)]
        if receiver is not None:
            parts.append(("R", nouns[receiver[0]][7]))
        if patient is not None:
            parts.append(("O", thing(patient)))
        first: Chunks = []
        last: Chunks = []
        if place is not None:
            where = _russian_place(words, place)
            (first if style == 2 else last).append(("P", where))
        if time is not None:
            (last if style == 0 else first).append(("T", words.times[time][1]))
        return _framed(parts, first, last)

    return clause


def _counted(row: tuple[str, ...], bend: tuple[str, ...] | None, count: int) -> str:
    last, teens = count % 10, 10 < count % 100 < 20
    if last == 1 and not teens:
        shape = 5 if row[2] == "f" else 1 + "mfn".index(row[2])
        return f"{count} {bend[shape] + ' ' if bend else ''}{row[5]}"
    if last in {2, 3, 4} and not teens:
        shape = 4 if row[2] == "f" else 8
        return f"{count} {bend[shape] + ' ' if bend else ''}{row[6]}"
    return f"{count} {bend[8] + ' ' if bend else ''}{row[11]}"


def _russian_place(words: Lexis, place: int) -> str:
    if place < 0:
        name = words.cities[-1 - place][1]
        return ("во " if name[0] in "ВФ" and name[1] not in "аеёиоуыэюя" else "в ") + name
    return f"{words.nouns[place][1] or 'в'} {words.nouns[place][8]}"


def turkish(words: Lexis) -> Clause:
    """Return the grammar of Turkish.

    Args:
        words: of Turkish.

    Returns:
        A maker of clauses.
    """
    nouns, verbs = words.nouns, words.verbs
    adjective = [row[1] + " " for row in words.adjectives]
    adjective.append("")

    # Case: 0 bare, 1 accusative, 2 dative.
    def phrase(item: Phrase, case: int) -> str:
        noun, count, quality = item
        if noun < 0:
            return named(words, item)
        row = nouns[noun]
        if count == 0:
            return adjective[quality] + row[2 + case]
        if count == 1:
            return f"{adjective[quality]}bir {row[2]}"
        if count == 2:
            return adjective[quality] + row[6 + case]
        return f"{count} {adjective[quality]}{row[2]}"

    def clause(event: Event, _sub: bool, style: int) -> Chunks:  # noqa: FBT001
        verb, tense, agent, patient, receiver, place, time = event
        parts = [("S", phrase(agent, 0))]
        when = [] if time is None else [("T", words.times[time][1])]
        where: Chunks = []
        if place is not None:
            town = words.cities[-1 - place][1] if place < 0 else nouns[place][5]
            where = [("P", town)]
        first = (where if style == 2 else []) + (when if style == 1 else [])
        rest = (when if style != 1 else []) + (where if style != 2 else [])
        parts += rest
        if receiver is not None:
            parts.append(("R", phrase(receiver, 2)))
        if patient is not None:
            parts.append(("O", phrase(patient, 1)))
        parts.append(("V", verbs[verb][3 + tense]))
        return first + parts

    return clause


def _tanwin(word: str) -> str:
    return word if word.endswith(("ة", "اء", "ى", "ا")) else word + "ًا"


def _arabic_adjective(word: str, row: tuple[str, ...], *, plural: bool) -> str:
    return word + "ة" if row[2] == "f" or plural else word


def _arabic_phrase(words: Lexis, item: Phrase, *, accusative: bool) -> str:
    noun, count, quality = item
    if noun < 0:
        return named(words, item)
    row = words.nouns[noun]
    mark = words.adjectives[quality][1] if quality >= 0 else ""
    if count == 0:
        return f"{_the(row[3])}{' ' + _the(_arabic_adjective(mark, row, plural=False)) if mark else ''}"
    if count == 1:
        end = _arabic_adjective(mark, row, plural=False) if mark else ""
        if accusative:
            return f"{_tanwin(row[3])}{' ' + _tanwin(end) if end else ''}"
        return f"{row[3]}{' ' + end if end else ''}"
    if count == 2:
        many = row[5] if accusative else row[4]
        return f"{_the(many)}{' ' + _the(mark + 'ة') if mark else ''}"
    if 3 <= count % 100 <= 10:
        return f"{count} {row[5]}{' ' + mark + 'ة' if mark else ''}"
    end = _arabic_adjective(mark, row, plural=False) if mark else ""
    return f"{count} {_tanwin(row[3])}{' ' + _tanwin(end) if end else ''}"


def _the(word: str) -> str:
    return " ".join("ال" + part for part in word.split(" "))


def arabic(words: Lexis) -> Clause:
    """Return the grammar of Arabic.

    Args:
        words: of Arabic.

    Returns:
        A maker of clauses.
    """
    nouns, verbs = words.nouns, words.verbs

    def clause(event: Event, sub: bool, style: int) -> Chunks:  # noqa: FBT001
        verb, tense, agent, patient, receiver, place, time = event
        row = verbs[verb]
        woman = agent[0] == -1 if agent[0] < 0 else nouns[agent[0]][2] == "f"
        form = ("س" if tense == 2 else "") + row[3 + (2 if tense else 0) + woman]
        # Before `inna` and `anna` the subject comes first; those agents stand in the singular.
        subject = ("S", _arabic_phrase(words, agent, accusative=sub))
        parts = [subject, ("V", form)] if sub else [("V", form), subject]
        if patient is not None:
            parts.append(("O", _arabic_phrase(words, patient, accusative=True)))
        if receiver is not None:
            name = nouns[receiver[0]][3]
            parts.append(("R", "لل" + name.removeprefix("ل")))
        first: Chunks = []
        if place is not None:
            where = words.cities[-1 - place][0] if place < 0 else _the(nouns[place][3])
            place_part = ("P", "في " + where)
            (first if style == 2 and not sub else parts).append(place_part)
        if time is not None:
            (first if style == 1 and not sub else parts).append(("T", words.times[time][1]))
        return first + parts

    return clause


def hindi(words: Lexis) -> Clause:
    """Return the grammar of Hindi.

    Args:
        words: of Hindi.

    Returns:
        A maker of clauses.
    """
    nouns, verbs, adjectives = words.nouns, words.verbs, words.adjectives

    def phrase(item: Phrase, *, oblique: bool) -> str:
        noun, count, quality = item
        if noun < 0:
            return named(words, item)
        row = nouns[noun]
        plural = count > 1
        word = row[3 + oblique + 2 * plural]
        if quality >= 0:
            bend = adjectives[quality]
            shape = 3 if row[2] == "f" else 2 if plural or oblique else 1
            word = f"{bend[shape]} {word}"
        return f"एक {word}" if count == 1 else f"{count} {word}" if count > 2 else word

    def agreement(agent: Phrase, item: Phrase | None, *, ergative: bool) -> tuple[bool, bool]:
        if ergative:
            if item is None or nouns[item[0]][0] in "pa":
                return False, False
            return nouns[item[0]][2] == "f", item[1] > 1
        if agent[0] < 0:
            return agent[0] == -1, False
        return nouns[agent[0]][2] == "f", agent[1] == 2

    def clause(event: Event, _sub: bool, style: int) -> Chunks:  # noqa: FBT001
        verb, tense, agent, patient, receiver, place, time = event
        row = verbs[verb]
        ergative = tense == 0
        woman, plural = agreement(agent, patient, ergative=ergative)
        if tense == 0:
            form = row[3 + 2 * woman + plural]
        elif tense == 1:
            form = f"{row[9] if woman else row[7 + plural]} {'हैं' if plural else 'है'}"
        else:
            form = row[10 + 2 * woman + plural]
        parts = [("S", phrase(agent, oblique=ergative) + (" ने" if ergative else ""))]
        when = [] if time is None else [("T", words.times[time][1])]
        where: Chunks = []
        if place is not None:
            town = words.cities[-1 - place][0] if place < 0 else nouns[place][4]
            where = [("P", town + " में")]
        first = (where if style == 2 else []) + (when if style == 1 else [])
        parts += (when if style != 1 else []) + (where if style != 2 else [])
        if receiver is not None:
            parts.append(("R", phrase(receiver, oblique=True) + " को"))
        if patient is not None:
            marked = nouns[patient[0]][0] in "pa"
            parts.append(("O", phrase(patient, oblique=marked) + (" को" if marked else "")))
        parts.append(("V", form))
        return first + parts

    return clause


def _joined_name(words: Lexis, item: Phrase) -> str:
    first = (words.women if item[0] == -1 else words.men)[item[1]]
    return words.surnames[item[2]] + first


def japanese(words: Lexis) -> Clause:
    """Return the grammar of Japanese.

    Args:
        words: of Japanese.

    Returns:
        A maker of clauses.
    """
    nouns, verbs = words.nouns, words.verbs
    adjective = [row[1] for row in words.adjectives]
    adjective.append("")

    def phrase(item: Phrase) -> str:
        noun, count, quality = item
        if noun < 0:
            return _joined_name(words, item) + "さん"
        row = nouns[noun]
        many = "たち" if count == 2 and row[0] == "p" else ""
        number = f"{count}{row[3]}の" if count > 2 else ""
        return f"{number}{adjective[quality]}{row[2]}{many}"

    def clause(event: Event, sub: bool, style: int) -> Chunks:  # noqa: FBT001
        verb, tense, agent, patient, receiver, place, time = event
        parts = [("S", phrase(agent) + ("が" if sub else "は"))]
        when = [] if time is None else [("T", words.times[time][1])]
        where: Chunks = []
        if place is not None:
            where = [("P", (words.cities[-1 - place][0] if place < 0 else nouns[place][2]) + "で")]
        first = (where if style == 2 else []) + (when if style == 1 else [])
        parts += (when if style != 1 else []) + (where if style != 2 else [])
        if receiver is not None:
            parts.append(("R", phrase(receiver) + "に"))
        if patient is not None:
            parts.append(("O", phrase(patient) + "を"))
        parts.append(("V", verbs[verb][3 + 2 * sub + (tense != 0)]))
        return first + parts

    return clause


def chinese(words: Lexis) -> Clause:
    """Return the grammar of Chinese.

    Args:
        words: of Chinese.

    Returns:
        A maker of clauses.
    """
    nouns, verbs = words.nouns, words.verbs
    adjective = [row[1] + "的" for row in words.adjectives]
    adjective.append("")

    def phrase(item: Phrase) -> str:
        noun, count, quality = item
        if noun < 0:
            return _joined_name(words, item)
        row = nouns[noun]
        if count == 1:
            return f"一{row[3]}{adjective[quality]}{row[2]}"
        if count == 2:
            if row[0] == "p":
                return f"{adjective[quality]}{row[2]}们"
            return f"这些{adjective[quality]}{row[2]}"
        return (
            f"{count}{row[3]}{adjective[quality]}{row[2]}" if count else adjective[quality] + row[2]
        )

    def clause(event: Event, _sub: bool, style: int) -> Chunks:  # noqa: FBT001
        verb, tense, agent, patient, receiver, place, time = event
        row = verbs[verb]
        form = row[3]
        if tense == 2:
            form = "会" + form
        elif tense == 0 and row[0] != "s":
            form += "了"
        subject = [("S", phrase(agent))]
        when = [] if time is None else [("T", words.times[time][1])]
        parts = when + subject if style == 1 else subject + when
        if place is not None:
            town = words.cities[-1 - place][0] if place < 0 else nouns[place][2]
            parts.append(("P", "在" + town))
        parts.append(("V", form))
        if receiver is not None:
            parts.append(("R", phrase(receiver)))
        if patient is not None:
            parts.append(("O", phrase(patient)))
        return parts

    return clause
