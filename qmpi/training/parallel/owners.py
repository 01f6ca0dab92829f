"""Ranks that compute with the same weights and hold each some of them.

Theory of operation. What ranks give each other are tensors of several types and shapes. Each is
sent as bytes behind the one before, on a multiple of 16; both sides know the list, so nothing is
said of it. A rank sends nothing to itself: bytes that travel are those that somebody lacks.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from qmpi.errors import InvariantError
from qmpi.model.partition import Partition
from qmpi.training.comm.line import Comm
from qmpi.training.moments import padded

ALIGN = 16
"""Bytes that a tensor begins at a multiple of."""


class Form(NamedTuple):
    """What is known of a tensor before it is here.

    Attributes:
        shape: of it.
        kind: type of its elements.
    """

    shape: tuple[int, ...]
    kind: torch.dtype

    @property
    def bytes(self) -> int:
        """Bytes of its elements."""
        return torch.Size(self.shape).numel() * self.kind.itemsize


class Owners:
    """The ranks of the axis, and who holds what.

    Attributes:
        axis: along which they lie; "": nothing is shared out.
        line: the ranks; None: not met yet.
        place: of this rank among them.
        ranks: how many they are.
    """

    def __init__(self, part: Partition, device: torch.device) -> None:
        """Take the rank's place.

        Args:
            part: what it holds.
            device: where tensors live.
        """
        self.line: Comm | None = None
        self.axis, self.ranks = part.shard, part.holders
        self.place = part.places.get(part.shard, 0)
        self._of, self._device = part.owners, device

    def shares_out(self, name: str) -> bool:
        """Return whether all ranks compute with a parameter, and one holds it.

        Args:
            name: of the parameter.
        """
        return name in self._of

    def of(self, name: str) -> int:
        """Return the place of who holds a parameter; this rank's, if it is not shared out.

        Args:
            name: of the parameter.
        """
        return self._of.get(name, self.place)

    def exchanged(
        self, given: Sequence[Sequence[Tensor]], wanted: Sequence[Sequence[Form]]
    ) -> list[list[Tensor]]:
        """Give each of the others some tensors, and take some of each.

        Args:
            given: for each place; none for this rank itself.
            wanted: of each place, what that one gives here; none of this rank itself.

        Returns:
            What each place gives.

        Raises:
            PeerLost: a rank is gone.
            InvariantError: the ranks have not met.
        """
        if self.line is None:
            raise InvariantError("a rank gives others what they hold without having met them")
        sent = [[_as_row(tensor) for tensor in tensors] for tensors in given]
        sizes = [sum(len(row) for row in rows) for rows in sent]
        there = [sum(padded(form.bytes, ALIGN) for form in forms) for forms in wanted]
        nothing = torch.empty(0, dtype=torch.uint8, device=self._device)
        together = torch.cat([nothing, *(row for rows in sent for row in rows)])
        received = self.line.alltoall(together, sizes, there)
        parts = zip(received.split(there), wanted, strict=True)
        return [list(_unpacked(data, forms)) for data, forms in parts]


def _as_row(tensor: Tensor) -> Tensor:
    """Return the bytes of a tensor, and what fills up the last of `ALIGN`."""
    raw = tensor.detach().contiguous().view(-1).view(torch.uint8)
    short = -len(raw) % ALIGN
    return torch.cat([raw, raw.new_zeros(short)]) if short else raw


def _unpacked(data: Tensor, forms: Sequence[Form]) -> Iterator[Tensor]:
    sizes = [padded(form.bytes, ALIGN) for form in forms]
    for form, row in zip(forms, data.split(sizes), strict=True):
        yield row[: form.bytes].view(form.kind).view(form.shape)
