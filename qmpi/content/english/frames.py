"""Sentence frames: a grammar expanded ahead of time, so that a sentence costs one format.

Theory of operation. A grammar is a table of rules; an alternative is text with <rules> in it, slots
such as [n person] that a drawn word fills, and holes such as {value} that the writer fills with
facts. Frames are expanded from it by keyed draws when a pool is first used: the same in every
process. A frame is read when it is first drawn, as most processes never draw most of them. Writing
a sentence then means to draw a frame and a word a slot. Expanding the grammar for each sentence was
rejected: it costs thirty times as much.

A pool has several depths. At a small depth only the simpler alternatives, which stand first in a
rule, are used, and nesting is cut early.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache

from msgspec import Struct

from qmpi.content.counter import Draw
from qmpi.errors import InvariantError

Rules = Mapping[str, Sequence[str]]
Pieces = tuple[str, ...]
"""Text and names of rules in turn."""
DEPTHS = 5
_RULE = re.compile(r"<(\w+)>")
_TOKEN = re.compile(r"\[([\w, ]+)\]|\{(\w+)\}")


class Segment(Struct, frozen=True):
    """Words between two holes.

    Attributes:
        template: text with a %s a slot.
        slots: what each slot takes, as "n person".
        named: some slot takes a name, which is drawn otherwise than words.
    """

    template: str
    slots: tuple[str, ...]
    named: bool


class Frame(Struct, frozen=True):
    """A sentence with its words missing.

    Attributes:
        segments: one more than holes.
        holes: names of the facts between the segments.
    """

    segments: tuple[Segment, ...]
    holes: tuple[str, ...]


class FramePool:
    """Frames of one kind of sentence, at several depths of nesting."""

    def __init__(self, rules: Rules, start: str, size: int = 1024) -> None:
        """Remember the grammar; nothing is expanded yet.

        Args:
            rules: the grammar.
            start: rule that a sentence is.
            size: frames expanded a depth, before equal ones are dropped.

        Raises:
            InvariantError: a rule is used and not there.
        """
        used = {
            name for rule in rules.values() for text in rule for name in re.findall("<(.*?)>", text)
        }
        missing = sorted(({start} | used) - set(rules))
        if missing:
            raise InvariantError(f"the grammar lacks the rules {', '.join(missing)}")
        self._allowed = _Allowed(rules)
        self._start = start
        self._size = size
        self._made: dict[int, tuple[str, ...]] = {}

    def at(self, structure: int) -> tuple[str, ...]:
        """Return the frames for a depth of nesting, as text for `one_frame`.

        Args:
            structure: points on the axis, 1 to 100.

        Returns:
            Different frames in fixed order.
        """
        depth = (structure - 1) * DEPTHS // 100
        made = self._made.get(depth)
        if made is None:
            made = self._made[depth] = self._expand_all(depth)
        return made

    def _expand_all(self, depth: int) -> tuple[str, ...]:
        draw = Draw(f"frames/{self._start}/{depth}".encode())
        made = (self._expand(draw, self._start, depth, 0) for _ in range(self._size))
        return tuple(dict.fromkeys(made))

    def _expand(self, draw: Draw, rule: str, depth: int, nested: int) -> str:
        pieces = draw.choice(self._allowed[rule, depth, nested])
        if len(pieces) == 1:
            return pieces[0]
        parts = list(pieces)
        parts[1::2] = [self._expand(draw, name, depth, nested + 1) for name in pieces[1::2]]
        return "".join(parts)


class _Allowed(dict[tuple[str, int, int], tuple[Pieces, ...]]):
    """Alternatives of a rule at a depth, so deeply nested; worked out when first asked for."""

    def __init__(self, rules: Rules) -> None:
        super().__init__()
        # Split once: a pool expands each rule thousands of times.
        self._rules = {
            name: tuple(tuple(_RULE.split(text)) for text in rule) for name, rule in rules.items()
        }

    def __missing__(self, key: tuple[str, int, int]) -> tuple[Pieces, ...]:
        rule, depth, nested = key
        alternatives = self._rules[rule]
        count = len(alternatives)
        if nested > 0:
            # Simple levels use the first alternatives only, and so does what is nested deeply.
            allowed = count * (4 + depth) // (4 + DEPTHS - 1) if nested < 4 + depth else 1
            count = max(1, min(count, allowed >> max(0, nested - 2 - depth)))
        self[key] = alternatives[:count]
        return self[key]


def frame_of(text: str) -> Frame:
    """Read a frame.

    Args:
        text: words, [slots] and {holes}; no rules.

    Returns:
        The frame.
    """
    pieces = _TOKEN.split(text.replace("%", "%%"))
    words, slots, holes = pieces[::3], pieces[1::3], pieces[2::3]
    segments: list[Segment] = []
    begin = 0
    for place, hole in enumerate(holes):
        if hole is not None:
            segments.append(_segment(words[begin : place + 1], slots[begin:place]))
            begin = place + 1
    segments.append(_segment(words[begin:], slots[begin:]))
    return Frame(tuple(segments), tuple(hole for hole in holes if hole is not None))


def _segment(words: list[str], slots: list[str]) -> Segment:
    return Segment("%s".join(words), tuple(slots), any(map(str.isupper, slots)))


@cache
def one_frame(text: str) -> Frame:
    """Read a frame, once a process.

    Args:
        text: words, [slots] and {holes}.

    Returns:
        The frame.
    """
    return frame_of(text)
