"""What is told of each lane beside its gradient: its loss, the digest of its block, and numbers.

Theory of operation. Each lane has a slot of its own, which the member that computed it fills; all
others leave it zero. Bits are kept as 16-bit numbers in int32, so none is negative, and both a sum
and a maximum over the members hand every member everything.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from qmpi.errors import InvariantError

FACTS = 12
"""int32 of a lane: loss 4 (float64), digest 8."""

NUMBER = 4
"""int32 of each further number of a lane (float64)."""

DIGEST_BYTES = 16


class TailForm(NamedTuple):
    """Which numbers a lane tells besides.

    Attributes:
        measures: the squared norm of its gradient.
        ahead: how many losses of tokens beyond the next.
    """

    measures: bool = False
    ahead: int = 0

    @property
    def numbers(self) -> int:
        """How many these are."""
        return self.measures + self.ahead

    @property
    def integers(self) -> int:
        """int32 of a lane."""
        return FACTS + NUMBER * self.numbers


PLAIN = TailForm()


@dataclass(frozen=True)
class LaneFacts:
    """What the tail says of all lanes, in lane order.

    Attributes:
        losses: mean cross-entropy per token, in nats.
        digests: BLAKE2b-128 of the blocks, in hex.
        squares: squared norm of each lane's gradient; empty: not measured.
        ahead: mean cross-entropy of each lane for the tokens beyond the next, by depth; of each
            lane as many as there are ahead modules.
    """

    losses: tuple[float, ...]
    digests: tuple[str, ...]
    squares: tuple[float, ...] = ()
    ahead: tuple[tuple[float, ...], ...] = ()


class Tail:
    """Facts of all lanes in disjoint slots of an int32 buffer."""

    def __init__(self, buffer: Tensor, lanes: int, form: TailForm) -> None:
        """Lay the slots over a buffer.

        Args:
            buffer: int32, as many a lane as the form says.
            lanes: lanes of the global batch.
            form: of what a lane tells.
        """
        self._rows, self._form = buffer.view(lanes, form.integers), form

    def put(self, lane: int, loss: float, digest: str, numbers: Sequence[float] = ()) -> None:
        """Record a lane.

        Args:
            lane: which.
            loss: in nats.
            digest: 32 hex digits.
            numbers: what it tells besides, in the order of the form.

        Raises:
            InvariantError: the digest is not of 128 bits, or the numbers are not those of the form.
        """
        raw, form = bytes.fromhex(digest), self._form
        if len(raw) != DIGEST_BYTES:
            raise InvariantError(f"block digest of lane {lane} is no BLAKE2b-128: {digest!r}")
        if len(numbers) != form.numbers:
            raise InvariantError(f"lane {lane} tells {len(numbers)} numbers, not {form.numbers}")
        told = struct.pack("<d", loss) + raw + struct.pack(f"<{form.numbers}d", *numbers)
        values = struct.unpack(f"<{form.integers}H", told)
        self._rows[lane] = torch.tensor(values, dtype=torch.int32)

    def facts(self, lanes: int | None = None) -> LaneFacts:
        """Return what is told of the lanes.

        Args:
            lanes: how many of them a step has; None: all.
        """
        form, end = self._form, 8 + DIGEST_BYTES
        raw = [struct.pack(f"<{form.integers}H", *row) for row in self._rows[:lanes].tolist()]
        losses = tuple(struct.unpack("<d", row[:8])[0] for row in raw)
        digests = tuple(row[8:end].hex() for row in raw)
        numbers = [struct.unpack(f"<{form.numbers}d", row[end:]) for row in raw]
        squares = tuple(told[0] for told in numbers) if form.measures else ()
        return LaneFacts(losses, digests, squares, tuple(told[form.measures :] for told in numbers))
