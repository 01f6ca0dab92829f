"""Verbs read back: tense, and what they agree with.

Theory of operation. A reading of a verb is its number, its tense, and marks of the number or gender
that its form shows; the marks are compared with the subject, in the Hindi perfective with the
object.
"""

import re
from collections.abc import Iterator
from typing import Any, Protocol

from qmpi.content.verify.multilingual_lexicon import Tongue

Found = Iterator[tuple[int, tuple[int, int, str]]]


class Text(Protocol):
    """What is read: a text of a language.

    Attributes:
        code: of the language.
        text: without capital and full stop.
        words: of the language.
        hole: where a phrase of another language stands as the object.
    """

    code: str
    text: str
    words: Tongue
    hole: tuple[int, int] | None


_NUMBERED = {3: (1, "s"), 4: (1, "p"), 5: (0, "s"), 6: (0, "p"), 7: (2, "s"), 8: (2, "p")}
_RUSSIAN = {
    3: (0, "m"), 4: (0, "f"), 5: (0, "n"), 6: (0, "p"), 7: (1, "s"), 8: (1, "p"), 9: (2, "s"),
    10: (2, "p"),
}  # fmt: skip
_HINDI = {
    3: (0, "ms"), 4: (0, "mp"), 5: (0, "fs"), 6: (0, "fp"), 10: (2, "ms"), 11: (2, "mp"),
    12: (2, "fs"), 13: (2, "fp"),
}  # fmt: skip


def _meanings(code: str, field: int, *, future: bool, sub: bool) -> list[tuple[int, str]]:
    if code == "en":
        if future:
            return [(2, "")] if field == 3 else []
        return [{3: (1, "p"), 4: (1, "s"), 5: (0, "")}[field]]
    if code == "ar":
        made = {3: (0, "m"), 4: (0, "f"), 5: (1, "m"), 6: (1, "f")}[field]
        if future:
            return [(2, made[1])] if made[0] == 1 else []
        return [made]
    if code == "ja":
        return [((field + 1) % 2, "")] if (field > 4) == sub else []
    if code == "tr":
        return [({3: 0, 4: 1, 5: 2}[field], "")]
    table = {"ru": _RUSSIAN, "hi": _HINDI}.get(code, _NUMBERED)
    return [table[field]] if field in table else []


def read_verb(reader: Text, role: str, place: int, *, sub: bool) -> Found:
    """Read a verb.

    Args:
        reader: of the text.
        role: V; in German also W, an infinitive at the end, and v, a verb at the end.
        place: where it begins.
        sub: the clause is subordinate.

    Yields:
        End; number of the verb (-1 for the German auxiliary), tense, marks.
    """
    if reader.code == "de":
        yield from _german(reader, role, place)
    else:
        yield from _other(reader, place, sub=sub)


def _other(reader: Text, place: int, *, sub: bool) -> Found:
    head = {"en": "will ", "ar": "س", "zh": "会"}.get(reader.code, "")
    for future in (True, False) if head else (False,):
        if future and not reader.text.startswith(head, place):
            continue
        for end, readings in reader.words.verbs.at(reader.text, place + len(head) * future):
            for verb, field in readings:
                if reader.code == "zh":
                    past = not future and reader.text.startswith("了", end)
                    yield end + past, (verb, 2 if future else 0 if past else 1, "")
                elif reader.code == "hi" and 7 <= field <= 9:
                    yield from _hindi_present(reader, verb, field, end)
                else:
                    for tense, marks in _meanings(reader.code, field, future=future, sub=sub):
                        yield end, (verb, tense, marks)


def _hindi_present(reader: Text, verb: int, field: int, end: int) -> Found:
    found = re.compile(" (है|हैं)(?![\u0900-\u097f])").match(reader.text, end)
    if found is not None:
        number = "s" if found.group(1) == "है" else "p"
        yield found.end(), (verb, 1, {7: "m", 8: "mp", 9: "f"}[field] + number)


_WILL = (("wird", "s"), ("werden", "p"))
_GERMAN = {3: (1, "p"), 4: (1, "s"), 5: (0, "s"), 6: (0, "p")}


def _german(reader: Text, role: str, place: int) -> Found:
    text = reader.text
    if role == "V":
        for form, number in _WILL:
            if re.compile(form + r"\b").match(text, place):
                yield place + len(form), (-1, 2, number)
    for end, readings in reader.words.verbs.at(text, place):
        for verb, field in readings:
            if role != "W":
                tense, number = _GERMAN[field]
                yield end, (verb, tense, number)
            elif field == 3:
                yield end, (verb, 2, "")
            if role == "v" and field == 3:
                yield from _will_after(text, verb, end)


def _will_after(text: str, verb: int, end: int) -> Found:
    for form, number in _WILL:
        if text.startswith(" " + form, end):
            yield end + 1 + len(form), (verb, 2, number)


def agrees(reader: Text, agent: Any, item: Any, said: tuple[int, str, str], *, sub: bool) -> bool:
    """Say whether a verb agrees.

    Args:
        reader: of the text.
        agent: phrase of the subject.
        item: phrase of the object, or None.
        said: tense, marks and frame of the verb.
        sub: the clause is subordinate.

    Returns:
        True if nothing in its form speaks against them.
    """
    tense, marks, frame = said
    code, nouns = reader.code, reader.words.rows["n"]
    plural = agent[0] >= 0 and agent[1] == 2
    gender = {-1: "f", -2: "m"}.get(agent[0]) or nouns[agent[0]][2]
    if code == "hi":
        return _hindi_agrees(reader, agent, item, (tense, marks), (gender, plural))
    if code == "es" and item is not None and len(item) > 3 and (item[3] == "a") != (frame == "t"):
        return False
    if code == "ru" and tense == 0:
        return marks == ("p" if plural else gender)
    if code == "ar":
        return marks == gender and not (sub and plural)
    return marks not in {"s", "p"} or (marks == "p") == plural


def _hindi_agrees(
    reader: Text, agent: Any, item: Any, said: tuple[int, str], who: tuple[str, bool]
) -> bool:
    tense, marks = said
    gender, plural = who
    ergative = len(agent) > 3
    if ergative != (tense == 0):
        return False
    if ergative:
        nouns = reader.words.rows["n"]
        if reader.hole is not None:
            return True
        if item is None or nouns[item[0]][0] in {"p", "a"}:
            return marks == "ms"
        gender, plural = nouns[item[0]][2], item[1] > 1
    elif tense == 1 and gender == "m":
        return marks == ("mpp" if plural else "ms")
    return marks == gender + ("p" if plural else "s")
