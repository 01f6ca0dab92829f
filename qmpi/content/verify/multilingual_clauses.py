"""Sentences of twelve languages read back into events.

Theory of operation. A clause is a row of parts in one of the orders that the language allows; each
part has a reader. A verb must have exactly the parts that its frame asks for, and must agree with
its subject (in the Hindi perfective with its object). All readings are offered: a text is true if
the world's sentence is among them.
"""

from collections.abc import Callable, Iterator
from typing import Any

from qmpi.content.verify import phrases_east, phrases_west
from qmpi.content.verify.multilingual_lexicon import UNPARTED, Tongue, tongue
from qmpi.content.verify.multilingual_verbs import agrees, read_verb

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

    def roles(self) -> Iterator[str]:
        """Offer the orders of parts in which the whole text is one clause.

        Yields:
            Roles, as SVO; the parts of a German future are both V.
        """
        for order in _MAIN[self.code]:
            for end, parts in self._row(order, 0, 0, {}, sub=False):
                if end == len(self.text) and self._event(parts, sub=False) is not None:
                    yield "".join(parts).upper().replace("W", "V")

    def _row(
        self, order: str, at: int, place: int, parts: dict[str, Any], *, sub: bool
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        if at == len(order):
            yield place, parts
            return
        role = order[at]
        start = place
        if parts and self.gap:
            start = place + 1 if self.text.startswith(self.gap, place) else -1
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
            yield from read_verb(self, role, place, sub=sub)

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
        for noun, row in words.places:
            whole = _place_words(code, row)
            end = place + len(whole)
            if text.startswith(whole, place) and text.startswith(tail, end):
                yield end + len(tail), noun

    def _phrase(self, role: str, place: int, *, sub: bool) -> Part:
        if role == "O" and self.hole is not None:
            if self.hole[0] == place:
                yield self.hole[1], None
            return
        if role == "S":
            yield from self._named(place, sub=sub)
        if self.code == "ar":
            yield from self._arabic(role, place, sub=sub)
        elif self.code == "hi":
            yield from self._hindi(role, place)
        elif self.code == "es" and role == "O":
            yield from self._spanish(place)
        else:
            yield from self._plain(role, place, sub=sub)

    def _plain(self, role: str, place: int, *, sub: bool) -> Part:
        head = "to " if self.code == "en" and role == "R" else ""
        tail = "" if self.code != "ja" else "が" if sub and role == "S" else _TAILS[role]
        if not self.text.startswith(head, place):
            return
        case = _CASES.get(self.code, {}).get(role, "")
        start = place + len(head)
        for end, value in _READERS[self.code](self.words, self.text, start, case):
            if self.text.startswith(tail, end):
                yield end + len(tail), value

    def _spanish(self, place: int) -> Part:
        # Persons are marked by "a" where something happens to them; said later, with the verb.
        for case, mark in (("a", "a"), ("", "bare")):
            for end, value in phrases_west.romance(self.words, self.text, place, case):
                if self.words.rows["n"][value[0]][0] == "p":
                    yield end, (*value, mark)
                elif not case:
                    yield end, value

    def _named(self, place: int, *, sub: bool) -> Part:
        words, text = self.words, self.text
        tails = {"ja": "さんが" if sub else "さんは"}
        tail = tails.get(self.code, "")
        for mark, index in ((-1, words.women), (-2, words.men)):
            pairs = (index, words.surnames) if self.gap else (words.surnames, index)
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
        if not agrees(self, agent, item, (tense, marks, frame), sub=sub):
            return None
        cut = [value[:3] if value is not None else None for value in (agent, item, parts.get("R"))]
        return (verb, tense, *cut, where, time)


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
