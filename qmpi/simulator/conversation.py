"""What was said, in order, as a line of text.

    Regroup+ Holding+ FormGroup+ GroupReady+ Grant+ ...

Each word is the name of a message: once, or with `+` once or more in a row, with `*` any number of
times, with `?` at most once. `...` stands for anything. Only messages that the line names count,
each when it was sent; the line must fit from the first of them to the last.
"""

import re
from collections.abc import Sequence
from typing import get_args

from qmpi.errors import InputError
from qmpi.protocol.messages import Message

_NAMES = {kind.__name__ for kind in get_args(Message)}
_WORD = re.compile(r"(\w+)([+*?]?)")
_ANYTHING = "..."
SHOWN = 60


def parse_conversation(line: str) -> str:
    """Check a line.

    Args:
        line: words as above.

    Returns:
        The line, its words one space apart.

    Raises:
        InputError: a word names no message.
    """
    words = line.split()
    for word in words:
        found = _WORD.fullmatch(word)
        if word != _ANYTHING and (found is None or found[1] not in _NAMES):
            raise InputError(f"no message is named {word!r}; see qmpi/simulator/conversation.py")
    return " ".join(words)


def unlike(line: str, told: Sequence[str]) -> str:
    """Hold a conversation against a line.

    Args:
        line: as `parse_conversation` returns it.
        told: names of all messages, in the order of sending.

    Returns:
        How they differ, in words; "" if the line fits.
    """
    words = line.split()
    named = {found[1] for word in words if (found := _WORD.fullmatch(word))}
    heard = [name for name in told if name in named]
    if re.fullmatch("".join(_pattern(word) for word in words), "".join(f"{n} " for n in heard)):
        return ""
    return f"expected the conversation {line}, but it is {_short(heard)}"


def _pattern(word: str) -> str:
    if word == _ANYTHING:
        return r"(?:\w+ )*"
    found = _WORD.fullmatch(word)
    name, often = (found[1], found[2]) if found is not None else (word, "")
    return f"(?:{name} ){often}"


def _short(heard: Sequence[str]) -> str:
    runs: list[str] = []
    for before, name in zip(["", *heard], heard, strict=False):
        if name != before:
            runs.append(name)
        elif not runs[-1].endswith("+"):
            runs[-1] += "+"
    return " ".join(runs[:SHOWN]) or "silence"
