"""Reads small pieces of a document: values, lines of a trace, diffs."""

import re
from typing import Any

Value = Any

_BRACKETS = (("vec![", "]"), ("[]int{", "}"), ("List.of(", ")"), ("[", "]"))
_ROW = re.compile(
    r"(?:\| |step )?(\d+)[.:)]?(?: \||  )? ?([A-Za-z_]\w*)(?: = | \| |  | <- |: )(.*)"
)
_HUNK = re.compile(r"@@ -(\d+),(\d+) \+(\d+),(\d+) @@")


def read_value(text: str) -> Value:
    """Return the value that a text in any of the languages writes.

    Args:
        text: a number, truth value, text or list.

    Returns:
        An int, bool, str or list.
    """
    if text in ("true", "True", "false", "False"):
        return text in ("true", "True")
    for opening, ending in _BRACKETS:
        if text.startswith(opening) and text.endswith(ending):
            inner = text[len(opening) : len(text) - len(ending)]
            return [read_value(part) for part in inner.split(", ")] if inner else []
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return int(text)


def same_value(text: str, value: Value) -> bool:
    """Return whether a text writes a value, of the same type too.

    Args:
        text: as `read_value` takes it.
        value: an int, bool, str or list.
    """
    read = read_value(text)
    return read == value and type(read) is type(value)


def read_step(line: str) -> tuple[str, str, str]:
    """Return number, name and value of a line of a trace.

    Args:
        line: in one of the layouts of traces.

    Returns:
        All as text.

    Raises:
        ValueError: it is no such line.
    """
    found = _ROW.fullmatch(line.removesuffix(" |"))
    if found is None:
        raise ValueError(f"{line!r} is no step")
    return found[1], found[2], found[3]


def patched(text: str, diff: str) -> str:
    """Return a text with a diff applied.

    Args:
        text: as it was.
        diff: hunks of a unified diff.

    Returns:
        The text as it is then.

    Raises:
        ValueError: the diff does not fit the text, or its heads do not fit its lines.
    """
    lines = text.split("\n")
    out: list[str] = []
    done = 0
    ends = (0, 0)
    for line in diff.split("\n"):
        if line.startswith("@@ "):
            _expect((done, len(out)), ends)
            old, old_size, new, new_size = _numbers(line)
            out += lines[done : old - 1]
            done = old - 1
            _expect((done, len(out)), (old - 1, new - 1))
            ends = (done + old_size, len(out) + new_size)
            continue
        if line[:1] not in (" ", "-", "+"):
            raise ValueError(f"{line!r} is no line of a diff")
        if line[0] != "+":
            if lines[done] != line[1:]:
                raise ValueError(f"line {done + 1} is {lines[done]!r}, not {line[1:]!r}")
            done += 1
        if line[0] != "-":
            out.append(line[1:])
    _expect((done, len(out)), ends)
    return "\n".join(out + lines[done:])


def _numbers(line: str) -> list[int]:
    found = _HUNK.fullmatch(line)
    if found is None:
        raise ValueError(f"{line!r} opens no hunk")
    return [int(part) for part in found.groups()]


def _expect(found: tuple[int, int], wanted: tuple[int, int]) -> None:
    if found != wanted:
        raise ValueError(f"a hunk reaches lines {found}, its head says {wanted}")
