"""Tensors of the host, group by group, on the device that works on them, and back.

Theory of operation. There is room on the device for two groups. While one is worked on, the next
comes and the one before goes back, each on a queue of its own; the arithmetic is that of tensors
that were there all along, in the same order, so the bits are. A group's place is free when what
worked on it is done, or, if it goes back, when it is gone.

Whoever visits gets the host's memory back whole: a visit ends when the last copy is done.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from qmpi.training.offload.queues import COMPUTE, INCOMING, OUTGOING, Mark, Queues, queues_of

ROOMS = 2
ALIGN = 64
"""Bytes: a tensor begins at a multiple on the device, as it does in the state."""

Group = tuple[Tensor, ...]
Use = Callable[[int, Group], None]
"""(number of the group, its tensors on the device): works on them, in place if they go back."""


class Visit(Protocol):
    """Shows groups of tensors, one after the other, to who works on them."""

    def __call__(self, groups: Sequence[Group], use: Use, *, back: bool) -> None:
        """Show each group.

        Args:
            groups: flat and contiguous tensors, none in two groups.
            use: works on a group.
            back: what it wrote into the tensors counts.
        """
        ...


def in_place(groups: Sequence[Group], use: Use, *, back: bool) -> None:  # noqa: ARG001
    """Show groups that are where they are worked on.

    Args:
        groups: of tensors.
        use: works on a group.
        back: not used: what is written is where it belongs.
    """
    for number, group in enumerate(groups):
        use(number, group)


class Carrier:
    """Carries groups to one device and back."""

    def __init__(self, device: torch.device, queues: Queues | None = None) -> None:
        """Take no memory yet.

        Args:
            device: that works on them.
            queues: of the device; None: its own.
        """
        self._device, self._queues = device, queues or queues_of(device)
        self._rooms: tuple[Tensor, ...] = ()

    def visit(self, groups: Sequence[Group], use: Use, *, back: bool) -> None:
        """Show groups of the host's tensors on the device; arguments as of `Visit`."""
        if not groups:
            return
        queues, rooms = self._queues, self._make_rooms(max(map(_room_of, groups)))
        # Neither the rooms nor the host's tensors are read before what was asked for earlier.
        free = [queues.mark(COMPUTE)] * ROOMS
        try:
            coming = self._bring(groups[0], rooms[0], free[0])
            for number, group in enumerate(groups):
                here, arrived = coming
                after = (number + 1) % ROOMS
                if number + 1 < len(groups):
                    coming = self._bring(groups[number + 1], rooms[after], free[after])
                queues.wait(COMPUTE, arrived)
                use(number, here)
                done = queues.mark(COMPUTE)
                free[number % ROOMS] = self._take_back(here, group, done) if back else done
        finally:
            for queue in (INCOMING, OUTGOING):
                queues.finish(queues.mark(queue))

    def _bring(self, group: Group, room: Tensor, free: Mark) -> tuple[Group, Mark]:
        self._queues.wait(INCOMING, free)
        here, at = [], 0
        for tensor in group:
            here.append(room[at : at + tensor.nbytes].view(tensor.dtype))
            at += _padded(tensor.nbytes)
            self._queues.copy(INCOMING, here[-1], tensor)
        return tuple(here), self._queues.mark(INCOMING)

    def _take_back(self, here: Group, group: Group, done: Mark) -> Mark:
        self._queues.wait(OUTGOING, done)
        for source, target in zip(here, group, strict=True):
            self._queues.copy(OUTGOING, target, source)
        return self._queues.mark(OUTGOING)

    def _make_rooms(self, size: int) -> tuple[Tensor, ...]:
        if not self._rooms or self._rooms[0].nbytes < size:
            # The old ones first: there may be no memory for both.
            self._rooms = ()
            made = (torch.empty(size, dtype=torch.uint8, device=self._device) for _ in range(ROOMS))
            self._rooms = tuple(made)
        return self._rooms


def _padded(count: int) -> int:
    return -(-count // ALIGN) * ALIGN


def _room_of(group: Group) -> int:
    return sum(_padded(tensor.nbytes) for tensor in group)
