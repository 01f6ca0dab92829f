"""Order-free gradient reduction: a sum of integers is the same in any order.

Theory of operation. Each parameter has an exponent e, part of the state. A lane's gradient g is
turned into the integer round(g * 2**(bits - e)) and added to an int32 sum; bits = 30 -
ceil(log2(lanes)), so a sum over all lanes stays below 2**30 when |g| < 2**e holds. Integer addition
is associative, thus the sum depends neither on which member computed a lane nor on the algorithm of
the all-reduce. The sweep runs in the hook that autograd calls when a parameter's gradient is
complete: the gradient is warm in cache, and its memory is free again at once.

The tail of the buffer holds, in slots of its own for each lane, the loss (float64 bits), the
block's digest and the exponent that each parameter would have needed. Slots that a member did not
fill are zero, so the same sum hands every member everything. From the needs each member decides
alike, before anyone votes:
- some |g| >= 2**e: the exponents are raised and the pass is redone;
- some g is not finite: no exponent cures that, the update is skipped on all members;
- else the exponents of the next step follow the needs, with `SPARE` bits between the largest
  gradient seen and the largest that fits.

The spare bits are a choice between precision and time. With one spare bit, real text made every
second pass of the first steps overflow, and a pass done again costs a whole step. With five, a
gradient must grow more than eightfold in one step to overflow, and 8 lanes still leave 22 bits
below the largest gradient of a parameter.

`FastSum` sums floats instead: faster by the sweep, but the bits depend on the deal.
"""

import struct
from dataclasses import dataclass

import torch
from torch import Tensor

from qmpi.errors import InvariantError
from qmpi.training.comm import Comm
from qmpi.training.flat_state import FlatState, Layout, Slot

CHUNK = 32_768
"""Elements of a chunk: gradient, scaled copy and sum together fit a core's L2 cache."""

FLOOR = -96
"""Smallest exponent: its scale and the inverse are normal float32 numbers for any bits."""

SPARE = 5
"""Bits between the largest gradient seen and the largest that fits, when an exponent is set."""

LEAST_SPARE = 3
"""With fewer the exponent is set anew."""

MOST_SPARE = 7
"""With more it falls, one bit a step."""

NOT_FINITE = 1 << 20
"""Needed exponent of a gradient with an infinity or a NaN."""

FACTS = 6
"""int32 of a lane in the tail before the needs: loss 2, digest 4."""


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
    """Facts of all lanes in disjoint slots of an int32 buffer, summed over members."""

    def __init__(self, buffer: Tensor, lanes: int, parameters: int) -> None:
        """Lay the slots over a buffer.

        Args:
            buffer: int32 [lanes * (FACTS + parameters)].
            lanes: lanes of the global batch.
            parameters: number of parameters.
        """
        self._rows = buffer.view(lanes, FACTS + parameters)

    @staticmethod
    def size(lanes: int, parameters: int) -> int:
        """Return the int32 elements of a tail."""
        return lanes * (FACTS + parameters)

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
        if len(raw) != 16:
            raise InvariantError(f"block digest of lane {lane} is no BLAKE2b-128: {digest!r}")
        values = struct.unpack("<6i", struct.pack("<d", loss) + raw)
        self._rows[lane, :FACTS] = torch.tensor(values, dtype=torch.int32)

    def put_needs(self, lane: int, needs: Tensor) -> None:
        """Record the exponents that a lane needed.

        Args:
            lane: which.
            needs: int32 [parameters].
        """
        self._rows[lane, FACTS:] = needs

    def needs(self) -> Tensor:
        """Return the largest exponent needed by any lane, int32 [parameters]."""
        return self._rows[:, FACTS:].amax(dim=0)

    def facts(self) -> LaneFacts:
        """Return losses and digests of all lanes."""
        raw = [struct.pack("<6i", *row) for row in self._rows[:, :FACTS].tolist()]
        losses = tuple(struct.unpack("<d", row[:8])[0] for row in raw)
        return LaneFacts(losses, tuple(row[8:].hex() for row in raw))


def lane_bits(lanes: int) -> int:
    """Return the bits of a lane's integers, such that a sum over `lanes` stays within 30."""
    return 30 - (lanes - 1).bit_length()


class ExactSum:
    """Integer sum over lanes and members."""

    def __init__(self, layout: Layout, lanes: int, device: torch.device) -> None:
        """Allocate the sum.

        Args:
            layout: of the parameters.
            lanes: lanes of the global batch.
            device: where gradients live.
        """
        self._layout, self._lanes, self._device = layout, lanes, device
        self._bits = lane_bits(lanes)
        self._scaled = torch.empty(CHUNK, device=device)
        self._rounded = torch.empty(CHUNK, dtype=torch.int32, device=device)
        spans = [range(0, slot.size, CHUNK) for slot in layout.slots]
        firsts = [0]
        for span in spans:
            firsts.append(firsts[-1] + len(span))
        self._firsts = firsts
        self._lows = torch.zeros(firsts[-1], device=device)
        self._highs = torch.zeros(firsts[-1], device=device)
        owner = [number for number, span in enumerate(spans) for _ in span]
        self._owner = torch.tensor(owner, dtype=torch.int64, device=device)
        self._exponents = torch.zeros(len(layout.slots), dtype=torch.int32, device=device)
        self._scales: list[float] = []
        self.renew()

    def renew(self) -> None:
        """Take fresh memory: an operation left behind may still write to the old one."""
        parameters = len(self._layout.slots)
        total = self._layout.total + Tail.size(self._lanes, parameters)
        self._buffer = torch.zeros(total, dtype=torch.int32, device=self._device)
        self._sum = self._buffer[: self._layout.total]
        self.tail = Tail(self._buffer[self._layout.total :], self._lanes, parameters)

    def begin_step(self, state: FlatState) -> None:
        """Start a step from the state's exponents.

        They are copied, not shared: a step that a failure ends after an overflow leaves the state
        as it was, so that members which saw the overflow and members which did not start it again
        alike.

        Args:
            state: gives the exponents.
        """
        self._exponents.copy_(state.exponents)

    def begin_pass(self) -> None:
        """Start a pass over the lanes."""
        self._buffer.zero_()
        self._scales = [2.0 ** (self._bits - power) for power in self._exponents.tolist()]

    @torch.no_grad()
    def add(self, number: int, slot: Slot, gradient: Tensor) -> None:
        """Add a lane's gradient of one parameter.

        Args:
            number: of the parameter in the layout.
            slot: its place.
            gradient: float32 or bfloat16, contiguous.
        """
        flat, scale = gradient.view(-1), self._scales[number]
        first = self._firsts[number]
        for chunk, start in enumerate(range(0, slot.size, CHUNK), first):
            part = flat[start : start + CHUNK]
            size = part.numel()
            torch.aminmax(part.float(), out=(self._lows[chunk], self._highs[chunk]))
            scaled, rounded = self._scaled[:size], self._rounded[:size]
            torch.mul(part.float(), scale, out=scaled)
            rounded.copy_(scaled.round_())
            at = slot.start + start
            self._sum[at : at + size].add_(rounded)

    @torch.no_grad()
    def end_lane(self, lane: int, loss: float, digest: str) -> None:
        """Record a lane whose gradients have all been added.

        Args:
            lane: which.
            loss: in nats.
            digest: of its block.
        """
        self.tail.put(lane, loss, digest)
        self.tail.put_needs(lane, self._lane_needs())

    def _lane_needs(self) -> Tensor:
        largest = torch.maximum(self._highs, -self._lows)
        needs = torch.frexp(largest)[1].to(torch.int32)
        needs[largest == 0] = FLOOR
        needs[~largest.isfinite()] = NOT_FINITE
        top = torch.full((len(self._layout.slots),), FLOOR, dtype=torch.int32, device=self._device)
        return top.scatter_reduce_(0, self._owner, needs, "amax").clamp_(min=FLOOR)

    def reduce(self, comm: Comm) -> None:
        """Sum over the members.

        Args:
            comm: the group.
        """
        comm.allreduce(self._buffer)

    def overflowed(self) -> bool:
        """Raise the exponents of the gradients that did not fit.

        Returns:
            Whether there were any, so that the pass must be redone.
        """
        needs = self.tail.needs()
        over = needs > self._exponents
        if self.broken() or not bool(over.any()):
            return False
        self._exponents.copy_(torch.where(over, needs + SPARE, self._exponents))
        return True

    def broken(self) -> bool:
        """Return whether some gradient was not finite."""
        return bool((self.tail.needs() == NOT_FINITE).any())

    @torch.no_grad()
    def unpack(self, gradient: Tensor) -> None:
        """Write the mean over lanes as float32.

        Args:
            gradient: flat, overwritten; padding becomes zero.
        """
        for slot, scale in zip(self._layout.slots, self._scales, strict=True):
            part = slice(slot.start, slot.start + slot.size)
            torch.mul(self._sum[part], 1.0 / (scale * self._lanes), out=gradient[part])

    def settle(self, state: FlatState) -> None:
        """Choose the exponents of the next step.

        Args:
            state: its exponents change.
        """
        needs, now = self.tail.needs(), self._exponents
        spare = now - needs
        lower = torch.where(spare > MOST_SPARE, now - 1, now)
        following = torch.where(spare < LEAST_SPARE, needs + SPARE, lower)
        state.exponents.copy_(following.clamp_(min=FLOOR))


class FastSum:
    """Float sum over lanes and members; the same interface, no scales."""

    def __init__(self, layout: Layout, lanes: int, device: torch.device) -> None:
        """Allocate the sum.

        Args:
            layout: of the parameters.
            lanes: lanes of the global batch.
            device: where gradients live.
        """
        self._layout, self._lanes, self._device = layout, lanes, device
        self.renew()

    def renew(self) -> None:
        """Take fresh memory: an operation left behind may still write to the old one."""
        self._sum = torch.zeros(self._layout.total, device=self._device)
        size = Tail.size(self._lanes, 0)
        self._tail = torch.zeros(size, dtype=torch.int32, device=self._device)
        self.tail = Tail(self._tail, self._lanes, 0)

    def begin_step(self, state: FlatState) -> None:
        """Do nothing: there are no exponents to copy.

        Args:
            state: not used.
        """

    def begin_pass(self) -> None:
        """Start a pass over the lanes."""
        self._sum.zero_()
        self._tail.zero_()

    @torch.no_grad()
    def add(self, number: int, slot: Slot, gradient: Tensor) -> None:  # noqa: ARG002
        """Add a lane's gradient of one parameter.

        Args:
            number: not used.
            slot: its place.
            gradient: float32 or bfloat16, contiguous.
        """
        self._sum[slot.start : slot.start + slot.size].add_(gradient.view(-1))

    def end_lane(self, lane: int, loss: float, digest: str) -> None:
        """Record a lane whose gradients have all been added.

        Args:
            lane: which.
            loss: in nats.
            digest: of its block.
        """
        self.tail.put(lane, loss, digest)

    def reduce(self, comm: Comm) -> None:
        """Sum over the members.

        Args:
            comm: the group.
        """
        comm.allreduce(self._sum)
        comm.allreduce(self._tail)

    def overflowed(self) -> bool:
        """Return False: floats have their own exponents."""
        return False

    def broken(self) -> bool:
        """Return whether some gradient was not finite; a sum of infinities and NaNs stays one."""
        return not bool(torch.linalg.vector_norm(self._sum).isfinite())

    @torch.no_grad()
    def unpack(self, gradient: Tensor) -> None:
        """Write the mean over lanes as float32.

        Args:
            gradient: flat, overwritten.
        """
        torch.mul(self._sum, 1.0 / self._lanes, out=gradient)

    def settle(self, state: FlatState) -> None:
        """Do nothing: there are no exponents to choose.

        Args:
            state: not used.
        """


Sum = ExactSum | FastSum


def make_sum(kind: str, layout: Layout, lanes: int, device: torch.device) -> Sum:
    """Make the reduction that the settings name.

    Args:
        kind: "exact" or "fast".
        layout: of the parameters.
        lanes: lanes of the global batch.
        device: where gradients live.

    Returns:
        The reduction.
    """
    return (ExactSum if kind == "exact" else FastSum)(layout, lanes, device)
