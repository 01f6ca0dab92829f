"""Whole sentences read back, and compared with the world's meaning.

Theory of operation. Clauses are joined by because, that and and; Japanese turns the order of the
first two. All readings of a sentence are compared with the world after both are reduced to what the
language can say: Russian has no articles, Japanese no future, Chinese no tense of saying.
"""

# The letters of other scripts are meant: this file is about them.
# ruff: noqa: RUF001

from collections.abc import Iterator
from typing import Any

from qmpi.content.verify.multilingual_clauses import Event, Reader
from qmpi.content.verify.multilingual_lexicon import tongue

Node = tuple[Any, ...]
_LINKS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {"b": (" because ",), "t": (" that ",), "a": (", and ",)},
    "de": {"b": (", weil ",), "t": (", dass ",), "a": (", und ",)},
    "fr": {"b": (" parce que ", " parce qu’"), "t": (" que ", " qu’"), "a": (", et ",)},
    "es": {"b": (" porque ",), "t": (" que ",), "a": (", y ",)},
    "it": {"b": (" perché ",), "t": (" che ",), "a": (", e ",)},
    "pt": {"b": (" porque ",), "t": (" que ",), "a": (", e ",)},
    "ru": {"b": (", потому что ",), "t": (", что ",), "a": (", и ",)},
    "tr": {"b": (", çünkü ",), "t": (" ki ",), "a": (" ve ",)},
    "ar": {"b": (" لأن ",), "t": (" أن ", " إن "), "a": ("، و",)},
    "hi": {"b": (", क्योंकि ",), "t": (" कि ",), "a": (", और ",)},
    "ja": {"a": ("。そして、",)},
    "zh": {"b": ("，因为",), "t": ("，",), "a": ("，然后",)},
}
_STOPS = {"hi": "।", "ja": "。", "zh": "。"}
_BENT = frozenset(("de", "ar"))
"""Languages whose subordinate clauses have an order of their own."""
_ELIDING = "aeiouéèAEIOUÉ"
_DEEPEST = 8


def readings(code: str, text: str, hole: str = "") -> Iterator[Node]:
    """Offer all meanings of a sentence.

    Args:
        code: language.
        text: with capital and full stop.
        hole: phrase of another language that stands in it, with its quotation marks.

    Yields:
        Nested (link, event, rest).
    """
    for start in bodies(code, text):
        reader = Reader(code, start)
        if hole:
            where = start.find(hole)
            if where < 0:
                return
            reader.hole = (where, where + len(hole))
        for end, node in _nodes(reader, 0, 0, sub=False):
            if end == len(start):
                yield node


def bodies(code: str, text: str) -> list[str]:
    """Return what a sentence may be without capital and full stop.

    Args:
        code: language.
        text: of the sentence.

    Returns:
        None, one or two texts: a name keeps its capital.
    """
    stop = _STOPS.get(code, ".")
    return _starts(code, text[: -len(stop)]) if text.endswith(stop) else []


def _starts(code: str, body: str) -> list[str]:
    # The body as it is, if it may be, and with a small first letter.
    first = body[:1]
    if code == "tr" and first in "İI":
        return [{"İ": "i", "I": "ı"}[first] + body[1:], body]
    if first.islower():
        return []
    return [body] if first.lower() == first else [first.lower() + body[1:], body]


def _nodes(reader: Reader, place: int, depth: int, *, sub: bool) -> Iterator[tuple[int, Node]]:
    if depth > _DEEPEST:
        return
    if reader.code == "ja":
        yield from _japanese(reader, place, depth, sub=sub)
        return
    for end, event in reader.clauses(place, sub=sub and reader.code in _BENT):
        yield end, ("e", event, None)
        for link, joins in _LINKS[reader.code].items():
            saying = reader.words.rows["v"][event[0]][0] == "s"
            if (link == "t") != saying:
                continue
            for join in joins:
                if reader.text.startswith(join, end) and _joins_well(reader, join, end, event):
                    inner = _nodes(reader, end + len(join), depth + 1, sub=link != "a")
                    for last, rest in inner:
                        yield last, (link, event, rest)


def _joins_well(reader: Reader, join: str, end: int, event: Event) -> bool:
    following = reader.text[end + len(join) : end + len(join) + 1]
    if reader.code == "fr" and join[-1] in " ’" and "qu" in join:
        return (join[-1] == "’") == (following != "" and following in _ELIDING)
    if reader.code == "ar" and join in {" أن ", " إن "}:
        return (join == " إن ") == (reader.words.rows["v"][event[0]][3] == "قال")
    return True


def _japanese(reader: Reader, place: int, depth: int, *, sub: bool) -> Iterator[tuple[int, Node]]:
    for end, node in _reasons(reader, place, depth, sub=sub):
        yield end, node
        join = _LINKS["ja"]["a"][0]
        if not sub and node[2] is None and reader.text.startswith(join, end):
            for last, rest in _japanese(reader, end + len(join), depth + 1, sub=False):
                yield last, ("a", node[1], rest)


def _reasons(reader: Reader, place: int, depth: int, *, sub: bool) -> Iterator[tuple[int, Node]]:
    yield from _units(reader, place, depth, sub=sub)
    for end, node in _units(reader, place, depth, sub=True):
        yield from _chained(reader, end, node, depth, sub=sub)


def _chained(
    reader: Reader, place: int, reason: Node, depth: int, *, sub: bool
) -> Iterator[tuple[int, Node]]:
    if not reader.text.startswith("ので、", place) or depth > _DEEPEST:
        return
    start = place + 3
    for end, event in reader.clauses(start, sub=sub):
        yield end, ("b", event, reason)
    for end, event in reader.clauses(start, sub=True):
        yield from _chained(reader, end, ("b", event, reason), depth + 1, sub=sub)


def _units(reader: Reader, place: int, depth: int, *, sub: bool) -> Iterator[tuple[int, Node]]:
    if depth > _DEEPEST:
        return
    for end, event in reader.clauses(place, sub=sub):
        yield end, ("e", event, None)
    for middle, agent in reader.part("S", place, sub=sub):
        for end, rest in _reasons(reader, middle, depth + 1, sub=True):
            if reader.text.startswith("と", end):
                for last, (verb, tense, _) in reader.part("V", end + 1, sub=sub):
                    if reader.words.rows["v"][verb][0] == "s":
                        yield last, ("t", (verb, tense, agent[:3], None, None, None, None), rest)


def reduced(code: str, node: Any, nouns: list[list[str]], verbs: list[list[str]]) -> Node:
    """Return a meaning without what a language cannot say.

    Args:
        code: language.
        node: nested (link, event, rest), of lists or tuples.
        nouns: rows of the language.
        verbs: rows of the language.

    Returns:
        The meaning in tuples.
    """
    link, event, rest = node
    verb, tense, agent, item, receiver, place, time = event
    if (code == "ja" and tense == 2) or (code == "zh" and verbs[verb][0] == "s" and tense == 0):
        tense = 1
    parts = [_phrase(code, phrase, nouns) for phrase in (agent, item, receiver)]
    made = (verb, tense, *parts, place, time)
    return (link, made, None if rest is None else reduced(code, rest, nouns, verbs))


def _phrase(code: str, phrase: Any, nouns: list[list[str]]) -> tuple[int, int, int] | None:
    if phrase is None:
        return None
    noun, count, quality = phrase
    if noun >= 0:
        if code in {"ru", "ja"} and count == 1:
            count = 0
        if code == "ja" and count == 2 and nouns[noun][0] != "p":
            count = 0
    return noun, count, quality


def means(code: str, text: str, node: Any, hole: str = "") -> bool:
    """Say whether a sentence can mean what the world says.

    Args:
        code: language.
        text: of the sentence.
        node: of the world.
        hole: phrase of another language in it; the object is then not compared.

    Returns:
        True if one of its readings is the world's.
    """
    rows = tongue(code).rows
    wanted = reduced(code, node, rows["n"], rows["v"])
    if hole:
        event = wanted[1]
        wanted = (wanted[0], (*event[:3], None, *event[4:]), wanted[2])
    keys = [_forms_of(code, wanted)]
    return any(
        _forms_of(code, reduced(code, found, rows["n"], rows["v"])) in keys
        for found in readings(code, text, hole)
    )


def _forms_of(code: str, node: Node) -> Node:
    # Words are spelled out: two words of one spelling are the same word.
    rows = tongue(code).rows
    link, event, rest = node
    verb, tense, agent, item, receiver, place, time = event

    def spelled(phrase: Any) -> Any:
        if phrase is None:
            return None
        noun, count, quality = phrase
        if noun < 0:
            names = [row[1] for row in rows["p"] if row[0] == ("f" if noun == -1 else "m")]
            return noun, names[count], rows["q"][quality][0]
        return tuple(rows["n"][noun][2:]), count, rows["a"][quality][1] if quality >= 0 else ""

    made = (
        tuple(rows["v"][verb][3:]), tense, spelled(agent), spelled(item), spelled(receiver),
        place, rows["t"][time][1] if time is not None else "",
    )  # fmt: skip
    return link, made, None if rest is None else _forms_of(code, rest)
