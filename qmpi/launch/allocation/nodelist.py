"""Lists of hosts in brackets, as Slurm and Flux write them: "a[01-03,7],b2", "x[0-1]n[2-3]".

Theory of operation. A list is names between commas. A name may hold groups in brackets, each of
numbers and ranges; it stands for every way to fill the groups, the last one turning fastest. The
leading zeros of a range's first number give the width of all of it.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, product

from qmpi.errors import InputError

MOST_HOSTS = 1_000_000
"""More than any machine has: a damaged list must not fill the memory."""

_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")
_COUNT = re.compile(r"([0-9]{1,9})(?:\(x([0-9]{1,9})\))?")
_GROUP = re.compile(r"\[([^\[\]]*)\]")
_LAST_NUMBER = re.compile(r"(.*?)([0-9]{1,18})([^0-9]*)", re.DOTALL)


def expand(text: str) -> tuple[str, ...]:
    """Return the hosts that a list names.

    Args:
        text: a list; spaces around names are left out.

    Returns:
        Names, in the order of the list; one that is named twice stands there twice.

    Raises:
        InputError: it is no list of hosts.
    """
    names: list[str] = []
    for part in _parts(text):
        for name in _filled(part):
            names.append(name)
            if len(names) > MOST_HOSTS:
                raise InputError(_no_list(text))
    return tuple(names)


def compress(names: Iterable[str]) -> str:
    """Return a short list that names hosts; `expand` gives the same back.

    Args:
        names: of hosts, without brackets, commas and spaces.

    Returns:
        Neighbours that differ in their last number alone stand together in brackets.
    """
    told: list[str] = []
    group: list[str] = []
    shape = ("", "")
    for name in names:
        match = _LAST_NUMBER.fullmatch(name)
        found = (match[1], match[3]) if match else (name, "")
        if group and (match is None or found != shape):
            told.append(_grouped(shape, group))
            group = []
        shape = found
        if match is None:
            told.append(name)
        else:
            group.append(match[2])
    return ",".join([*told, _grouped(shape, group)] if group else told)


def counts(text: str) -> tuple[int, ...]:
    """Return the number of each host, as in SLURM_TASKS_PER_NODE.

    Args:
        text: such as "2(x3),1".

    Returns:
        As (2, 2, 2, 1).

    Raises:
        InputError: it is no such text.
    """
    found: list[int] = []
    for part in text.split(","):
        match = _COUNT.fullmatch(part.strip())
        if match is None or len(found) + int(match[2] or 1) > MOST_HOSTS:
            raise InputError(f"{text[:80]!r} does not tell the tasks of each node, as 2(x3),1 does")
        found += [int(match[1])] * int(match[2] or 1)
    return tuple(found)


def _parts(text: str) -> Iterator[str]:
    # At the commas that stand outside of brackets.
    depth, begin = 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if depth not in (0, 1):
            raise InputError(_no_list(text))
        if letter == "," and depth == 0:
            yield _name(text[begin:at], text)
            begin = at + 1
    if depth:
        raise InputError(_no_list(text))
    yield _name(text[begin:], text)


def _name(part: str, text: str) -> str:
    name = part.strip()
    if not name or any(letter.isspace() for letter in name):
        raise InputError(_no_list(text))
    return name


def _filled(part: str) -> Iterator[str]:
    pieces = _GROUP.split(part)  # plain text and groups, in turn
    for numbers in product(*(list(_numbers(group, part)) for group in pieces[1::2])):
        yield "".join(chain.from_iterable(zip(pieces[::2], [*numbers, ""], strict=True)))


def _numbers(group: str, part: str) -> Iterator[str]:
    for item in group.split(","):
        match = _RANGE.fullmatch(item.strip())
        if match is None:
            raise InputError(_no_list(part))
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < first + MOST_HOSTS:
            raise InputError(_no_list(part))
        yield from (str(number).zfill(len(match[1])) for number in range(first, last + 1))


def _grouped(shape: tuple[str, str], digits: list[str]) -> str:
    if len(digits) == 1:
        return f"{shape[0]}{digits[0]}{shape[1]}"
    ranges: list[tuple[str, str]] = []
    for number in digits:
        if ranges and number == str(int(ranges[-1][1]) + 1).zfill(len(ranges[-1][0])):
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    told = (first if first == last else f"{first}-{last}" for first, last in ranges)
    return f"{shape[0]}[{','.join(told)}]{shape[1]}"


def _no_list(text: str) -> str:
    return f"{text[:80]!r} is no list of hosts, as a[01-03,7],b2 is"
