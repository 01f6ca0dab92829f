"""Order-free gradient reduction: a sum of integers is the same in any order.

Theory of operation. Each chunk of a parameter has an exponent e, part of the state. A lane's
gradient g is turned into the integer round(g * 2**(bits - e)) and added to an int32 sum; bits leave
room for all lanes, so the sum stays below 2**30 when |g| < 2**e holds. Integer addition is
associative, thus the sum depends neither on which member computed a lane nor on the algorithm of
the all-reduce. The sweep runs in the hook that autograd calls when a parameter's gradient is
complete: the gradient is warm in cache, and its memory is free again at once.

A number x of at most 2**22 is rounded by adding 1.5 * 2**23 in float32: the last bits of the sum
are x, rounded half to even. They are added as they are, as int32, and the bits of the constant are
taken out once a pass. So a chunk is read once for its extremes, once to be rounded, once to be
added; a rounding and a conversion of their own would take two sweeps more. A pass begins with the
constant taken out as often as the pass before needed it, so that nothing is left to do in most; the
first lane overwrites what the pass before has left. Where there is a compiler, one loop does all
three, to the same bits (see `compiled`).

When all lanes are done the members take the largest of what each lane needed, chunk by chunk; the
facts of the lanes ride along. From that each decides alike, before the sum and before anyone votes:
- some g is not finite: no exponent cures that, the update is skipped on all members;
- a chunk has some |g| >= 2**e: exponents are raised and the pass is redone, but rows of tables are
  outliers instead, unless there are too many (see `table` and `outliers`);
- else the integers are summed, and the exponents of the next step follow the needs.
Where there are several members, most of the sum has begun by then, in buckets (see `buckets`).
"""

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from qmpi.config.exact_sum import lane_bits, row_depth, row_spare, spare_bits
from qmpi.training.comm.line import Comm
from qmpi.training.flat_state import CHUNK, FlatState, Layout, Slot
from qmpi.training.reduction.buckets import EarlySums
from qmpi.training.reduction.compiled import Sweeps
from qmpi.training.reduction.exponents import NOT_FINITE, Margins, needs_of, powers, unmarked
from qmpi.training.reduction.integers import gaps, span_of, spread, wrapped
from qmpi.training.reduction.outliers import add_outliers
from qmpi.training.reduction.table import ROUNDER, Table, add_whole
from qmpi.training.reduction.tail import PLAIN, LaneFacts, Tail, TailForm
from qmpi.training.reduction.within_teams import ALONE, Within
from qmpi.training.stopwatch import Stopwatch

ROUNDER_BITS = 0x4B400000
"""`ROUNDER` as an int32."""


class ExactSum:
    """Integer sum over lanes and members.

    Attributes:
        counts: int32 integers that are summed as they are; whoever computes a lane adds to them.
        sends_less: lanes keep a part of what they have.
    """

    sends_less = False

    def __init__(
        self,
        layout: Layout,
        lanes: int,
        device: torch.device,
        form: TailForm = PLAIN,
        counts: int = 0,
    ) -> None:
        """Allocate the sum.

        Args:
            layout: of the parameters.
            lanes: lanes of the global batch.
            device: where gradients live.
            form: of what a lane tells.
            counts: integers that are summed beside the gradient.
        """
        self._used = layout.total + counts
        self._layout, self._lanes, self._device = layout, lanes, device
        self._form, self._counted = form, lanes
        added = lanes * layout.shares
        self._bits = lane_bits(added)
        room, depth, spare = spare_bits(added), row_depth(added), row_spare(added)
        self._told_broken = self._told_over = False
        self._margins = Margins(layout, room, depth, spare, device)
        self._firsts = [0, *accumulate(slot.chunks for slot in layout.slots)]
        self._exponents = torch.zeros(layout.chunks, dtype=torch.int32, device=device)
        self._begun, self._lifted = unmarked(self._exponents)
        self._scales = torch.zeros(layout.chunks, device=device)
        self._factors: list[float] = []
        self._sweeps: Sweeps | None = None
        self._gaps, self._early = gaps(layout), EarlySums(layout)
        self._rounder = torch.tensor(ROUNDER)
        self._scratch = torch.empty(CHUNK, device=device)
        self._tables = {
            number: Table(slot, first, self._bits, device)
            for number, (slot, first) in enumerate(zip(layout.slots, self._firsts, strict=False))
            if slot.is_table
        }
        self._added = [0] * len(layout.slots)
        self._taken_out = self._start = 0
        # Of the lane in hand, and of all lanes of the pass so far.
        self._lows, self._highs, self._largest = torch.zeros(3, layout.chunks, device=device)
        self.renew()

    def use(self, sweeps: Sweeps) -> None:
        """Take compiled loops, which give the same bits; between passes.

        Args:
            sweeps: the loops.
        """
        self._sweeps = sweeps
        for table in self._tables.values():
            table.use(sweeps)

    def renew(self) -> None:
        """Take fresh memory: an operation left behind may still write to the old one."""
        self._early.forget()
        chunks = self._layout.chunks
        said = torch.zeros(
            chunks + self._lanes * self._form.integers, dtype=torch.int32, device=self._device
        )
        self._said, self._needs = said, said[:chunks]
        self.tail = Tail(said[chunks:], self._lanes, self._form)
        room = sum(table.outliers.places * table.slot.chunk for table in self._tables.values())
        total = self._layout.total
        self._buffer = torch.zeros(self._used + room, dtype=torch.int32, device=self._device)
        self._sum, self.counts = self._buffer[:total], self._buffer[total : self._used]
        for number, table in self._tables.items():
            table.renew(span_of(self._layout.slots[number], self._sum))
        self._parts = [
            [] if slot.is_table else self._parts_of(slot, first)
            for slot, first in zip(self._layout.slots, self._firsts, strict=False)
        ]

    def begin_step(self, state: FlatState, lanes: int = 0) -> None:
        """Start a step from the state's exponents.

        They are copied, not shared: a step that a failure ends after an overflow leaves the state
        as it was, so that members which saw the overflow and members which did not start it again
        alike.

        Args:
            state: gives the exponents.
            lanes: of this step; 0: all.
        """
        self._counted = lanes or self._lanes
        self._begun, self._lifted = unmarked(state.exponents)
        self._exponents.copy_(self._begun)

    def begin_pass(self) -> None:
        """Start a pass over the lanes."""
        if self._early.is_under_way:
            # The pass before was left, and its sums may still write.
            self.renew()
        self._early.forget()
        for zeroed in (self._said, self._lows, self._highs, self._largest):
            zeroed.zero_()
        self._taken_out = max(self._added)
        self._start = wrapped(-self._taken_out * ROUNDER_BITS)
        if self.counts.numel():
            self.counts.zero_()
        self._added = [0] * len(self._added)
        self._scales = powers(self._bits - self._exponents)
        self._factors = [] if self._sweeps is not None else self._scales.tolist()
        depths = self._margins.depths(self._lifted)
        for table in self._tables.values():
            table.begin_pass(
                self._exponents[table.chunks].clone(), depths[table.chunks], self._start
            )

    def go_early(self, line: Comm, lanes: int, watch: Stopwatch) -> None:
        """Begin to sum over the members while the last lane is computed, in this pass.

        Args:
            line: the members; each calls this, and then `reduce`, in the same passes.
            lanes: that this one computes.
            watch: told what goes on behind the computing.
        """
        self._early.expect(line, lanes, watch)
        self._go_on()
        self._early.look(computing=True)

    def begin_lane(self, lane: int) -> None:
        """Do nothing: a lane keeps nothing."""

    @torch.no_grad()
    def add(self, number: int, slot: Slot, gradient: Tensor) -> None:
        """Add a lane's gradient of one parameter; once a lane, in any order.

        Args:
            number: of the parameter in the layout.
            slot: its place.
            gradient: float32 or bfloat16, contiguous; of the parameter's shape, or flat.

        Raises:
            PeerLost: the sum over the members was to begin, and one is gone.
        """
        self._add(number, slot, gradient)
        self._go_on()
        self._early.look(computing=True)

    def _add(self, number: int, slot: Slot, gradient: Tensor) -> None:
        flat, chunks = gradient.view(-1), self._chunks(number, slot)
        first = self._added[number] == 0
        self._added[number] += 1
        if slot.is_table:
            self._tables[number].add(flat, self._highs[chunks], first=first)
            return
        start = self._start if first else None
        if self._sweeps is None:
            self._add_by_chunks(number, flat, self._factors[chunks], start)
        else:
            into = span_of(slot, self._sum), self._highs[chunks]
            self._sweeps.add_chunks(flat, self._scales[chunks], start, *into)

    @torch.no_grad()
    def end_lane(self, lane: int, loss: float, digest: str, numbers: Sequence[float] = ()) -> None:
        """Record a lane whose gradients have all been added.

        Args:
            lane: which.
            loss: in nats.
            digest: of its block.
            numbers: what it tells besides, as `Tail.put` takes it.
        """
        self.tail.put(lane, loss, digest, numbers)
        self.fold()

    def fold(self) -> None:
        """Take over what was needed so far; before a gradient of the same parameter comes again."""
        for largest in (self._highs, -self._lows):
            torch.maximum(self._largest, largest, out=self._largest)
        # A parameter that the next lane leaves alone needs nothing there.
        self._lows.zero_()
        self._highs.zero_()

    def reduce(self, comm: Comm, team: Within = ALONE) -> None:
        """Agree on the needs, and sum over the members unless the pass is of no use.

        Args:
            comm: the group.
            team: ranks that the pass is redone with, or of no use for.
        """
        self._early.look(computing=False)
        self._go_on(over=True)
        self._needs.copy_(needs_of(self._largest))
        comm.maximum(self._said)
        team.maximum(self._needs)
        broken, over = bool((self._needs == NOT_FINITE).any()), bool(self._over().any())
        self._told_broken, self._told_over = team.any_of((broken, over))
        if self._told_broken or self._told_over:
            # The memory is wanted again.
            self._early.wait()
            return
        wire = self._wire()
        self._early.finish(comm, wire[self._early.end :])
        team.add_up(self._sum, wire[self._used :])
        team.gather(self.counts)

    def facts(self) -> LaneFacts:
        """Return what is told of the lanes of the step."""
        return self.tail.facts(self._counted)

    def overflowed(self) -> bool:
        """Raise the exponents of the gradients that did not fit.

        Returns:
            Whether there were any, so that the pass must be redone.
        """
        if self._told_broken or not self._told_over:
            return False
        raised = self._margins.raised(self._exponents, self._needs, self._over())
        self._exponents.copy_(raised)
        return True

    def broken(self) -> bool:
        """Return whether some gradient was not finite."""
        return self._told_broken

    @property
    def place(self) -> Tensor:
        """Memory of the sum as flat float32: where its mean may be written, until the next pass.

        Another buffer would take 4 bytes a parameter, and hold what this one no longer needs to.
        """
        return self._sum.view(torch.float32)

    @torch.no_grad()
    def unpack(self, gradient: Tensor) -> None:
        """Write the mean over lanes as float32, zero in the padding.

        Args:
            gradient: flat, overwritten; may be `place`.
        """
        grids = self._exponents.clone()
        for table in self._tables.values():
            grids[table.chunks] = table.grids(self._needs)
        units = powers(grids - self._bits).to(torch.float64) / self._counted
        areas = self._areas()
        for number, slot in enumerate(self._layout.slots):
            mine = units[self._firsts[number] : self._firsts[number + 1]]
            total, mean = span_of(slot, self._sum), span_of(slot, gradient)
            to_mean = spread if self._sweeps is None else self._sweeps.spread
            if number not in areas:
                to_mean(total, mine.to(torch.float32), slot.chunk, mean)
                continue
            levels, wire = areas[number]
            # Taken out before they are overwritten: sum and mean may lie in one place.
            dense = total.view(slot.shape)[levels > 0]
            to_mean(total, mine.to(torch.float32), slot.chunk, mean)
            add_outliers(mean.view(slot.shape), dense, wire.view(-1, slot.chunk), levels, mine)
        for gap in self._gaps:
            gradient[gap].zero_()

    def settle(self, state: FlatState) -> None:
        """Choose the exponents of the next step.

        Args:
            state: its exponents change; its `updates` are those before this step's.
        """
        first = state.updates == 0
        following = self._margins.following(self._exponents, self._needs, first=first)
        marked = self._margins.marked(self._begun, self._needs, self._lifted, following)
        state.exponents.copy_(marked)

    def _parts_of(self, slot: Slot, first: int) -> list[tuple[Tensor, ...]]:
        """Return of each chunk: its sum, the scratch as float and as int, its extremes.

        Views made anew for each chunk and lane would take as long as the work on them.
        """
        chunks = slice(first, first + slot.chunks)
        extremes = (self._lows[chunks].unbind(), self._highs[chunks].unbind())
        sums = span_of(slot, self._sum).split(CHUNK)
        scratches = [self._scratch[: part.numel()] for part in sums]
        wholes = [scratch.view(torch.int32) for scratch in scratches]
        return list(zip(sums, scratches, wholes, *extremes, strict=True))

    def _chunks(self, number: int, slot: Slot) -> slice:
        return slice(self._firsts[number], self._firsts[number] + slot.chunks)

    def _add_by_chunks(
        self, number: int, flat: Tensor, factors: list[float], start: int | None
    ) -> None:
        parts = flat.split(CHUNK), self._parts[number], factors
        for part, (sums, scaled, whole, low, high), factor in zip(*parts, strict=True):
            values = part if part.dtype == torch.float32 else scaled.copy_(part)
            torch.aminmax(values, out=(low, high))
            torch.add(self._rounder, values, alpha=factor, out=scaled)
            add_whole(whole, start, sums)

    def _over(self) -> Tensor:
        """Return which chunks make the pass be redone, bool [chunks]."""
        over = self._needs > self._exponents
        for table in self._tables.values():
            if table.outliers.fit(table.levels(self._needs)):
                over[table.chunks] = False
        return over

    def _go_on(self, *, over: bool = False) -> None:
        for bucket in self._early.ready(self._added, over=over):
            for number in bucket.numbers:
                self._close(number)
            self._early.begin(self._buffer[bucket.span])

    def _wire(self) -> Tensor:
        """Return what is summed: sums without the rounder, outliers behind them."""
        for number, slot in enumerate(self._layout.slots):
            if slot.start >= self._early.end:
                self._close(number)
        used = self._used
        for table in self._tables.values():
            used += table.outliers.write(self._buffer[used:], table.levels(self._needs))
        return self._buffer[:used]

    def _close(self, number: int) -> None:
        """Take the rounder out of a parameter's sum; no lane is added any more."""
        slot, count = self._layout.slots[number], self._added[number]
        total, table = span_of(slot, self._sum), self._tables.get(number)
        if count == 0 and table is not None:
            table.leave_alone()
        elif count == 0:
            total.fill_(self._start)
        if table is not None:
            table.choose(self._needs)
        if count != self._taken_out:
            total.sub_(wrapped((count - self._taken_out) * ROUNDER_BITS))

    def _areas(self) -> dict[int, tuple[Tensor, Tensor]]:
        """Return levels of rows, and the part of the wire, of each table that has outliers."""
        areas: dict[int, tuple[Tensor, Tensor]] = {}
        at = self._used
        for number, table in self._tables.items():
            levels = table.levels(self._needs)
            used = int(levels.sum()) * table.slot.chunk
            if used:
                areas[number] = levels, self._buffer[at : at + used]
            at += used
        return areas
