"""Sentences of twelve languages read back into events.

Theory of operation. A clause is a row of parts in one of the orders that the language allows; each
part has a reader. A verb must have exactly the parts that its frame asks for, and must agree with
its subject (in the Hindi perfective with its object). All readings are offered: a text is true if
the world's sentence is among them.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from qmpi.content.verify import phrases_east, phrases_west
from qmpi.content.verify.multilingual_lexicon import UNPARTED, Tongue, tongue

Event = tuple[Any, ...]
Part = Iterator[tuple[int, Any]]
_READERS: dict[str, Callable[[Tongue, str, int, str], Part]] = {
    "en": phrases_west.english, "de": phrases_west.german, "fr": phrases_west.romance,
    "es": phrases_west.romance, "it": phrases_west.romance, "pt": phrases_west.romance,
    "ru": phrases_east.russian, "tr": phrases_east.turkish, "ar": phrases_east.arabic,
    "hi": phrases_east.hindi, "ja": phrases_east.japanese, "zh": phrases_east.chinese,
}  # fmt: skip
_WEST = ("SVORPT", "tSVORP", "pSVORT")
_VERB_LAST = ("STPROV", "TSPROV", "PSTROV")
_MAIN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("en", "fr", "es", "it", "pt"), _WEST),
    **dict.fromkeys(("tr", "hi", "ja"), _VERB_LAST),
    "de": ("SVTROPW", "TVSROPW", "PVSTROW"),
    "ru": ("SVROPT", "TSVROP", "PTSVRO"),
    "ar": ("VSORPT", "TVSORP", "PVSORT"),
    "zh": ("STPVRO", "TSPVRO"),
}
_SUB = {"de": ("STROPv",), "ar": ("SVORPT",)}
_CASES = {
    "de": {"S": "nom", "O": "acc", "R": "dat"},
    "ru": {"S": "nom", "O": "acc", "R": "dat"},
    "tr": {"S": "nom", "O": "acc", "R": "dat"},
    "ar": {"S": "nom", "O": "acc", "R": "nom"},
    "hi": {"S": "dir", "O": "dir", "R": "obl"},
    "fr": {"S": "", "O": "", "R": "à"},
    "es": {"S": "", "O": "", "R": "a"},
    "it": {"S": "", "O": "", "R": "a"},
    "pt": {"S": "", "O": "", "R": "a"},
}
_FRAMES = {"t": "O", "d": "OR", "i": "", "s": ""}
_TAILS = {"S": "は", "R": "に", "O": "を"}


class Reader:
    """Reads one text of one language."""

    def __init__(self, code: str, text: str) -> None:
        """Set the text.

        Args:
            code: of the language.
            text: without capital and full stop.
        """
        self.code = code
        self.text = text
        self.words = tongue(code)
        self.gap = "" if code in UNPARTED else " "
        self.hole: tuple[int, int] | None = None
        """Where a phrase of another language stands; read as an object that nothing is known of."""

    def clauses(self, place: int, *, sub: bool) -> Iterator[tuple[int, Event]]:
        """Read a clause.

        Args:
            place: where it begins.
            sub: it is subordinate.

        Yields:
            End and event.
        """
        orders = _SUB.get(self.code, _MAIN[self.code]) if sub else _MAIN[self.code]
        seen = set()
        for order in orders:
            for end, parts in self._row(order, 0, place, {}, sub=sub):
                event = self._event(parts, sub=sub)
                if event is not None and (end, event) not in seen:
                    seen.add((end, event))
                    yield end, event

    def _row(
        self, order: str, at: int, place: int, parts: dict[str, Any], *, sub: bool
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        if at == len(order):
            yield place, parts
            return
        role = order[at]
        start = place
        if parts and self.gap:
            if self.text.startswith(self.gap, place):
                start = place + 1
            else:
                start = -1
        if start >= 0:
            for end, value in self.part(role, start, sub=sub):
                yield from self._row(order, at + 1, end, {**parts, role: value}, sub=sub)
        if role not in "SVv":
            yield from self._row(order, at + 1, place, parts, sub=sub)

    def part(self, role: str, place: int, *, sub: bool) -> Part:
        """Read one part of a clause.

        Args:
            role: as in the orders.
            place: where it begins.
            sub: the clause is subordinate.

        Yields:
            End and value.
        """
        if role in "SOR":
            yield from self._phrase(role, place, sub=sub)
        elif role in "Tt":
            yield from self._time(place, comma=role == "t")
        elif role in "Pp":
            yield from self._place(place, comma=role == "p")
        else:
            yield from self._verb(role, place, sub=sub)

    def _time(self, place: int, *, comma: bool) -> Part:
        for end, readings in self.words.times.at(self.text, place):
            for number, _ in readings:
                if not comma:
                    yield end, number
                elif self.text.startswith(",", end):
                    yield end + 1, number

    def _place(self, place: int, *, comma: bool) -> Part:
        for end, value in self._where(place):
            if not comma:
                yield end, value
            elif self.text.startswith(",", end):
                yield end + 1, value

    def _where(self, place: int) -> Part:
        code, text, words = self.code, self.text, self.words
        heads = {"en": "in ", "de": "in ", "fr": "à ", "es": "en ", "it": "a ", "pt": "em ",
                 "ar": "في ", "zh": "在"}  # fmt: skip
        tails = {"hi": " में", "ja": "で"}
        head, tail = heads.get(code, ""), tails.get(code, "")
        if code == "ru":
            head = "во " if text.startswith("во ", place) else "в "
        if text.startswith(head, place):
            for end, readings in words.cities.at(text, place + len(head)):
                for number, field in readings:
                    wanted = 1 if code in {"ru", "tr"} else 0
                    if field == wanted and text.startswith(tail, end):
                        yield end + len(tail), -1 - number
        yield from self._located(place, tail)

    def _located(self, place: int, tail: str) -> Part:
        code, text, words = self.code, self.text, self.words
        if code in {"fr", "es", "it", "pt"}:
            inside = {"fr": "dans", "es": "en", "it": "in", "pt": "em"}[code]
            for kind in (inside, "à") if code == "fr" else (inside,):
                for end, (noun, count, quality) in phrases_west.romance(words, text, place, kind):
                    odd = words.rows["n"][noun][1] == "à"
                    if count == 0 and quality < 0 and odd == (kind == "à"):
                        yield end, noun
            return
        for noun, row in enumerate(words.rows["n"]):
            if row[0] == "l":
                whole = _place_words(code, row)
                end = place + len(whole)
                if text.startswith(whole, place) and text.startswith(tail, end):
                    yield end + len(tail), noun

    def _phrase(self, role: str, place: int, *, sub: bool) -> Part:
        code, text = self.code, self.text
        if role == "O" and self.hole is not None:
            if self.hole[0] == place:
                yield self.hole[1], None
            return
        if role == "S":
            yield from self._named(place, sub=sub)
        case = _CASES.get(code, {}).get(role, "")
        if code == "ar":
            yield from self._arabic(role, place, sub=sub)
            return
        if code == "hi":
            yield from self._hindi(role, place)
            return
        if code == "en" and role == "R":
            if text.startswith("to ", place):
                yield from phrases_west.english(self.words, text, place + 3, "")
            return
        tail = "" if code != "ja" else "が" if sub and role == "S" else _TAILS[role]
        reader = _READERS[code]
        for end, value in reader(self.words, text, place, case):
            if text.startswith(tail, end):
                person = self.words.rows["n"][value[0]][0] == "p"
                if not (code == "es" and role == "O" and person):
                    yield end + len(tail), value
        if code == "es" and role == "O":
            for end, value in reader(self.words, text, place, "a"):
                if self.words.rows["n"][value[0]][0] == "p":
                    yield end, (*value, "a")
            for end, value in reader(self.words, text, place, ""):
                if self.words.rows["n"][value[0]][0] == "p":
                    yield end, (*value, "bare")

    def _named(self, place: int, *, sub: bool) -> Part:
        words, text = self.words, self.text
        tails = {"ja": "さんが" if sub else "さんは"}
        tail = tails.get(self.code, "")
        for mark, index in ((-1, words.women), (-2, words.men)):
            if self.gap:
                pairs = (index, words.surnames)
            else:
                pairs = (words.surnames, index)
            for end, firsts in pairs[0].at(text, place):
                if not text.startswith(self.gap, end):
                    continue
                for last, seconds in pairs[1].at(text, end + len(self.gap)):
                    stop = last
                    if self.code == "hi" and text.startswith(" ने", last):
                        yield last + 3, self._name(mark, firsts, seconds, ergative=True)
                    if text.startswith(tail, stop):
                        yield stop + len(tail), self._name(mark, firsts, seconds)

    def _name(self, mark: int, one: Any, two: Any, *, ergative: bool = False) -> Any:
        first, family = (one, two) if self.gap else (two, one)
        value = (mark, first[0][0], family[0][0])
        return (*value, "ne") if ergative else value

    def _arabic(self, role: str, place: int, *, sub: bool) -> Part:
        text, words = self.text, self.words
        if role == "R":
            if text.startswith("لل", place):
                for noun, row in enumerate(words.rows["n"]):
                    if row[0] == "p":
                        whole = "لل" + row[3].removeprefix("ل")
                        end = place + len(whole)
                        if text.startswith(whole, place) and text[end : end + 1] in (
                            "",
                            " ",
                            ".",
                            "،",
                        ):
                            yield end, (noun, 0, -1)
            return
        case = "acc" if role == "O" or sub else "nom"
        yield from phrases_east.arabic(words, text, place, case)

    def _hindi(self, role: str, place: int) -> Part:
        text, words = self.text, self.words
        for case in ("dir", "obl"):
            for end, value in phrases_east.hindi(words, text, place, case):
                alive = words.rows["n"][value[0]][0] in {"p", "a"}
                if role == "S" and case == "dir":
                    yield end, value
                elif role == "S" and text.startswith(" ने", end):
                    yield end + 3, (*value, "ne")
                elif case == "obl" and text.startswith(" को", end):
                    if role == "R" or alive:
                        yield end + 3, value
                elif role == "O" and case == "dir" and not alive:
                    yield end, value

    def _verb(self, role: str, place: int, *, sub: bool) -> Part:
        text, words, code = self.text, self.words, self.code
        if code == "de":
            yield from self._german_verb(role, place)
            return
        head = {"en": "will ", "ar": "س", "zh": "会"}.get(code, "")
        for future in (True, False) if head else (False,):
            if future and not text.startswith(head, place):
                continue
            start = place + len(head) if future else place
            for end, readings in words.verbs.at(text, start):
                for verb, field in readings:
                    yield from self._tensed(verb, field, end, future=future, sub=sub)

    def _tensed(self, verb: int, field: int, end: int, *, future: bool, sub: bool) -> Part:
        code, text = self.code, self.text
        tail = ""
        if code == "zh":
            tense = 2 if future else 0 if text.startswith("了", end) else 1
            yield (end + (tense == 0)), (verb, tense, "")
            return
        if code == "hi" and 7 <= field <= 9:
            for auxiliary, number in ((" है", "s"), (" हैं", "p")):
                stop = end + len(auxiliary)
                if text.startswith(auxiliary, end) and text[stop : stop + 1] != "ं":
                    yield stop, (verb, 1, {7: "m", 8: "mp", 9: "f"}[field] + number)
            return
        made = _verb_meaning(code, field, future=future, sub=sub)
        for tense, marks in made:
            yield end + len(tail), (verb, tense, marks)

    def _german_verb(self, role: str, place: int) -> Part:
        text, words = self.text, self.words
        if role == "V":
            for form, number in (("wird", "s"), ("werden", "p")):
                if re.compile(form + r"\b").match(text, place):
                    yield place + len(form), (-1, 2, number)
        for end, readings in words.verbs.at(text, place):
            for verb, field in readings:
                if role == "W":
                    if field == 3:
                        yield end, (verb, 2, "")
                    continue
                made = {3: (1, "p"), 4: (1, "s"), 5: (0, "s"), 6: (0, "p")}[field]
                yield end, (verb, *made)
                if role == "v" and field == 3:
                    for form, number in ((" wird", "s"), (" werden", "p")):
                        if text.startswith(form, end):
                            yield end + len(form), (verb, 2, number)

    def _event(self, parts: dict[str, Any], *, sub: bool) -> Event | None:
        verb, tense, marks = parts.get("V") or parts["v"]
        if self.code == "de" and (verb == -1) != ("W" in parts):
            return None
        if verb == -1:
            verb = parts["W"][0]
        frame = self.words.rows["v"][verb][0]
        shown = "".join(role for role in "OR" if role in parts)
        if shown != _FRAMES[frame]:
            return None
        time, where = parts.get("T", parts.get("t")), parts.get("P", parts.get("p"))
        agent, item = parts["S"], parts.get("O")
        if (
            time is not None
            and int(self.words.rows["t"][time][0]) != tense
            and self.code not in UNPARTED
        ):
            return None
        if not self._agrees(agent, item, (tense, marks, frame), sub=sub):
            return None
        cut = [value[:3] if value is not None else None for value in (agent, item, parts.get("R"))]
        return (verb, tense, *cut, where, time)

    def _agrees(self, agent: Any, item: Any, said: tuple[int, str, str], *, sub: bool) -> bool:
        tense, marks, frame = said
        code, nouns = self.code, self.words.rows["n"]
        plural = agent[0] >= 0 and agent[1] == 2
        gender = {-1: "f", -2: "m"}.get(agent[0]) or nouns[agent[0]][2]
        if code == "hi":
            return self._hindi_agrees(agent, item, (tense, marks), (gender, plural))
        if code == "es" and item is not None and len(item) > 3:
            return (item[3] == "a") == (frame == "t")
        if code == "ru" and tense == 0:
            return marks == ("p" if plural else gender)
        if code == "ar":
            return marks == gender and not (sub and plural)
        if marks in {"s", "p"}:
            return (marks == "p") == plural
        return True

    def _hindi_agrees(
        self, agent: Any, item: Any, said: tuple[int, str], who: tuple[str, bool]
    ) -> bool:
        tense, marks = said
        gender, plural = who
        ergative = len(agent) > 3
        if ergative != (tense == 0):
            return False
        if self.hole is not None and ergative:
            return True
        if ergative:
            nouns = self.words.rows["n"]
            if item is None or nouns[item[0]][0] in {"p", "a"}:
                return marks == "ms"
            gender, plural = nouns[item[0]][2], item[1] > 1
            return marks == gender + ("p" if plural else "s")
        if tense == 1:
            wanted = {"m": "mp" if plural else "m", "f": "f"}[gender] + ("p" if plural else "s")
            return marks == wanted
        return marks == gender + ("p" if plural else "s")


def _place_words(code: str, row: list[str]) -> str:
    if code == "en":
        return f"{row[1] or 'in'} the {row[2]}"
    if code == "de":
        article = "der" if row[2] == "f" else "dem"
        if row[1]:
            return f"{row[1]} {article} {row[5]}"
        return f"{'in der' if row[2] == 'f' else 'im'} {row[5]}"
    if code == "ru":
        return f"{row[1] or 'в'} {row[8]}"
    if code == "ar":
        return "في ال" + row[3]
    return {"tr": row[5:6], "hi": row[4:5], "ja": row[2:3], "zh": ["在" + row[2]]}[code][0]


_NUMBERED = {3: (1, "s"), 4: (1, "p"), 5: (0, "s"), 6: (0, "p"), 7: (2, "s"), 8: (2, "p")}
_RUSSIAN = {
    3: (0, "m"), 4: (0, "f"), 5: (0, "n"), 6: (0, "p"), 7: (1, "s"), 8: (1, "p"), 9: (2, "s"),
    10: (2, "p"),
}  # fmt: skip
_HINDI = {
    3: (0, "ms"), 4: (0, "mp"), 5: (0, "fs"), 6: (0, "fp"), 10: (2, "ms"), 11: (2, "mp"),
    12: (2, "fs"), 13: (2, "fp"),
}  # fmt: skip


def _verb_meaning(code: str, field: int, *, future: bool, sub: bool) -> list[tuple[int, str]]:
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
