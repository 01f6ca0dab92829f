"""A file of hosts in Open MPI's form, given by the user: `host slots=N`, comments after `#`."""

import re

from qmpi.errors import InputError
from qmpi.launch.allocation.hosts import HostSlots

_SLOTS = re.compile(r"(?:slots|cpu|count)\s*=\s*([0-9]{1,6})")
_OTHER = re.compile(r"(?:max[_-]slots|username|user|port)\s*=\s*\S+")
_NAME = re.compile(r"[A-Za-z0-9_.:%-]+")


def parse_hostfile(text: str, path: str) -> tuple[HostSlots, ...]:
    """Read a file of hosts.

    Args:
        text: of the file. A host that is named again adds its slots, one a line if none are told.
        path: its name, for messages.

    Returns:
        The hosts, in order; with 0 slots where the file tells of none at all.

    Raises:
        InputError: a line cannot be understood, or there are no hosts; says where.
    """
    slots: dict[str, int] = {}
    told = False
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].strip()
        if not words:
            continue
        name, *rest = words.split(maxsplit=1)
        left = _OTHER.sub("", rest[0]).strip() if rest else ""
        match = _SLOTS.fullmatch(left)
        if (left and match is None) or not _NAME.fullmatch(name) or name.startswith("-"):
            raise InputError(f"{path}, line {number}: {line.strip()[:80]!r} is not `host slots=N`")
        told = told or match is not None or name in slots
        slots[name] = slots.get(name, 0) + (int(match[1]) if match else 1)
    if not slots:
        raise InputError(f"{path} names no host; write one a line, as `node1 slots=4`")
    if not all(slots.values()):
        raise InputError(f"{path}: a host has slots=0; leave it out instead")
    return tuple(HostSlots(name, number if told else 0) for name, number in slots.items())
