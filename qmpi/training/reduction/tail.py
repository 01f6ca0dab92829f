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

DIGEST_BYTES = 16


@dataclass(frozen=True)
class LaneFacts:
    """What the tail says of all lanes, in lane order.

    Attributes:
        losses: mean cross-entropy per token, in nats.
        digests: BLAKE2b-128 of the blocks, in hex.
    """

    losses: tuple[float, ...]
    digests: tuple[str, ...]


class Tail:
    """Facts of all lanes in disjoint slots of an int32 buffer."""

    def __init__(self, buffer: Tensor, lanes: int) -> None:
        """Lay the slots over a buffer.

        Args:
            buffer: int32 [lanes * FACTS].
            lanes: lanes of the global batch.
        """
        self._rows = buffer.view(lanes, FACTS)

    def put(self, lane: int, loss: float, digest: str) -> None:
        """Record a lane.

        Args:
            lane: which.
            loss: in nats.
            digest: 32 hex digits.

        Raises:
            InvariantError: the digest is not of 128 bits.
        """
        raw = bytes.fromhex(digest)
        if len(raw) != DIGEST_BYTES:
            raise InvariantError(f"block digest of lane {lane} is no BLAKE2b-128: {digest!r}")
        values = struct.unpack("<12H", struct.pack("<d", loss) + raw)
        self._rows[lane] = torch.tensor(values, dtype=torch.int32)

    def facts(self) -> LaneFacts:
        """Return losses and digests of all lanes."""
        raw = [struct.pack("<12H", *row) for row in self._rows.tolist()]
        losses = tuple(struct.unpack("<d", row[:8])[0] for row in raw)
        return LaneFacts(losses, tuple(row[8:].hex() for row in raw))
