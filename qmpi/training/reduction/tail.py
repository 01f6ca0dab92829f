"""What is told of each lane beside its gradient: its loss, and the digest of its block.

Theory of operation. Each lane has a slot of its own, which the member that computed it fills; all
others leave it zero. Bits are kept as 16-bit numbers in int32, so none is negative, and both a sum
and a maximum over the members hand every member everything.
"""

import struct
from dataclasses import dataclass

import torch
from torch import Tensor

from qmpi.errors import InvariantError

FACTS = 12
"""int32 of a lane: loss 4 (float64), digest 8."""

MEASURED = 4
"""Further int32 of a lane whose gradient is measured: its squared norm (float64)."""

DIGEST_BYTES = 16


@dataclass(frozen=True)
class LaneFacts:
    """What the tail says of all lanes, in lane order.

    Attributes:
        losses: mean cross-entropy per token, in nats.
        digests: BLAKE2b-128 of the blocks, in hex.
        squares: squared norm of each lane's gradient; empty: not measured.
    """

    losses: tuple[float, ...]
    digests: tuple[str, ...]
    squares: tuple[float, ...] = ()


class Tail:
    """Facts of all lanes in disjoint slots of an int32 buffer."""

    def __init__(self, buffer: Tensor, lanes: int) -> None:
        """Lay the slots over a buffer.

        Args:
            buffer: int32, FACTS a lane, or MEASURED more.
            lanes: lanes of the global batch.
        """
        self._rows = buffer.view(lanes, -1)

    def put(self, lane: int, loss: float, digest: str, square: float = 0.0) -> None:
        """Record a lane.

        Args:
            lane: which.
            loss: in nats.
            digest: 32 hex digits.
            square: squared norm of its gradient; left out where that is not measured.

        Raises:
            InvariantError: the digest is not of 128 bits.
        """
        raw = bytes.fromhex(digest)
        if len(raw) != DIGEST_BYTES:
            raise InvariantError(f"block digest of lane {lane} is no BLAKE2b-128: {digest!r}")
        told = (struct.pack("<d", loss) + raw + struct.pack("<d", square))[: 2 * self._width]
        values = struct.unpack(f"<{self._width}H", told)
        self._rows[lane] = torch.tensor(values, dtype=torch.int32)

    @property
    def _width(self) -> int:
        return self._rows.shape[1]

    def facts(self, lanes: int | None = None) -> LaneFacts:
        """Return what is told of the lanes.

        Args:
            lanes: how many of them a step has; None: all.
        """
        raw = [struct.pack(f"<{self._width}H", *row) for row in self._rows[:lanes].tolist()]
        losses = tuple(struct.unpack("<d", row[:8])[0] for row in raw)
        digests = tuple(row[8 : 8 + DIGEST_BYTES].hex() for row in raw)
        measured = self._width > FACTS
        squares = tuple(struct.unpack("<d", row[-8:])[0] for row in raw) if measured else ()
        return LaneFacts(losses, digests, squares)
