"""Sums that send less than lanes have, over a small layout, by members in threads."""

import math
from dataclasses import replace

import torch
from unit.training.line_of_threads import ThreadLine, ThreadMember, run_all

from qmpi.training.flat_state import CHUNK, FlatState, lay_out
from qmpi.training.reduction.by_lane import LaneSum
from qmpi.training.reduction.low_rank import LowRank
from qmpi.training.reduction.narrow import Narrow
from qmpi.training.reduction.sparse import Sparse

CPU = torch.device("cpu")
TABLE = "model.embed_tokens.weight"
PLACED = lay_out({TABLE: (90, 6), "a": (24, 20), "b": (3,), "wide": (2, CHUNK // 2 + 9)})
ORDER = (TABLE, "a", "wide", "b")
LAYOUT = replace(PLACED, slots=tuple(sorted(PLACED.slots, key=lambda s: ORDER.index(s.name))))
SHARE, RANK = 0.02, 2

SQUEEZES = {
    "narrow": lambda lanes: Narrow(LAYOUT, lanes, CPU),
    "sparse": lambda _: Sparse(LAYOUT, CPU, SHARE, 0),
    "low_rank": lambda lanes: LowRank(LAYOUT, lanes, CPU, RANK, 7),
}


def gradients(seed, lane, scale=1e-3):
    generator = torch.Generator().manual_seed(seed * 100 + lane)
    return [torch.randn(slot.shape, generator=generator) * scale for slot in LAYOUT.slots]


def flat_of(parts):
    flat = torch.zeros(LAYOUT.total)
    for slot, part in zip(LAYOUT.slots, parts, strict=True):
        if part is not None:
            flat[slot.start : slot.start + slot.size] = part.flatten()
    return flat


class Counting(ThreadMember):
    """A member who counts the bytes that it gives to sums, maxima and gathers."""

    given = 0

    def allreduce(self, tensor):
        self.given += tensor.numel() * tensor.element_size()
        super().allreduce(tensor)

    def maximum(self, tensor):
        self.given += tensor.numel() * tensor.element_size()
        super().maximum(tensor)

    def allgather(self, part, counts=None):
        self.given += part.numel() * part.element_size()
        return super().allgather(part, counts)


class Members:
    """Some members who share out lanes; a state each."""

    def __init__(self, kind, lanes, members):
        self.lanes, self.line = lanes, ThreadLine(members)
        self.totals = [LaneSum(LAYOUT, lanes, CPU, SQUEEZES[kind](lanes)) for _ in range(members)]
        self.states = [FlatState(LAYOUT, CPU) for _ in range(members)]
        for state in self.states:
            state.reset()

    def reduce(self, parts, deal):
        """Do a pass of a step, `deal` saying of each lane who computes it; apply nothing."""

        def work(member, total, state):
            total.begin_step(state)
            total.begin_pass()
            for lane in (lane for lane in deal if deal[lane] == member):
                total.begin_lane(lane)
                for number, (slot, part) in enumerate(zip(LAYOUT.slots, parts[lane], strict=True)):
                    if part is not None:
                        total.add(number, slot, part)
                total.end_lane(lane, lane + 0.1, f"{lane:032x}")
            total.reduce(self.line.member(member))

        both = zip(self.totals, self.states, strict=True)
        run_all([lambda m=m, t=t, s=s: work(m, t, s) for m, (t, s) in enumerate(both)], [self.line])

    def settle(self):
        for total, state in zip(self.totals, self.states, strict=True):
            total.settle(state)
            state.set_counters(state.step + 1, state.updates + 1, 0)

    def means(self):
        """Return the mean that each member has."""
        found = []
        for total in self.totals:
            mean = torch.full((LAYOUT.total,), math.nan)
            total.unpack(mean)
            found.append(mean)
        return found

    def step(self, parts, deal=None):
        """Do a step; return the mean, on which all members agree."""
        self.reduce(parts, deal or self.even())
        first, *others = self.means()
        assert all(torch.equal(first, other) for other in others)
        self.settle()
        return first

    def even(self):
        return {lane: lane % len(self.totals) for lane in range(self.lanes)}

    def kept(self):
        """Return what each lane keeps, in order of lanes, as bytes."""
        updates, found = self.states[0].updates, {}
        for total in self.totals:
            for lane in total.residuals.held(updates):
                found[lane] = bytes(total.residuals.give(lane, updates))
        return [found[lane] for lane in sorted(found)]

    def residual(self, lane):
        """Return what a lane has not sent, flat."""
        return torch.frombuffer(bytearray(self.kept()[lane]), dtype=torch.float32)[: LAYOUT.total]
