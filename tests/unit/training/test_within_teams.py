"""Shares of a gradient that ranks of a team have in common, added up along an axis."""

import pytest
import torch
from unit.training.line_of_threads import ThreadLine, run_all

from qmpi.training.flat_state import FlatState, lay_out
from qmpi.training.reduction.exact import ExactSum
from qmpi.training.reduction.within_teams import Common

CPU = torch.device("cpu")
TABLE, SHARED, OWN = "model.embed_tokens.weight", "shared", "own"
LAYOUT = lay_out({TABLE: (12, 8), SHARED: (6, 8), OWN: (4, 8)})


class Along:
    """A team whose ranks differ in one axis."""

    def __init__(self, names, line):
        self._common, self._line = Common(LAYOUT, frozenset(names)), line

    def maximum(self, needs):
        self._common.maximum(self._line, needs)

    def add_up(self, total, beside):
        self._common.add_up(self._line, total, beside)

    def gather(self, counts):
        pass

    def any_of(self, flags):
        told = torch.tensor(flags, dtype=torch.int32)
        self._line.maximum(told)
        return tuple(map(bool, told.tolist()))


def shares(rank, jump):
    generator = torch.Generator().manual_seed(rank)
    told = {
        slot.name: torch.randn(slot.shape, generator=generator) * 2.0**-12 for slot in LAYOUT.slots
    }
    told[TABLE][2 + rank] *= jump
    told[TABLE][7] *= jump
    return told


@pytest.mark.parametrize("jump", [1.0, 2.0**9])
def test_common_tables_are_whole_on_all_ranks_with_the_rows_that_do_not_fit(jump):
    line = ThreadLine(2)

    def rank(place):
        state, total = FlatState(LAYOUT, CPU), ExactSum(LAYOUT, 2, CPU)
        state.reset()
        state.set_counters(1, 1, 0)
        total.begin_step(state, 1)
        total.begin_pass()
        for number, slot in enumerate(LAYOUT.slots):
            total.add(number, slot, shares(place, jump)[slot.name])
        total.end_lane(0, 0.0, "00" * 16)
        total.reduce(ThreadLine(1).member(0), Along({TABLE, SHARED}, line.member(place)))
        assert not total.overflowed()
        mean = torch.zeros(LAYOUT.total)
        total.unpack(mean)
        views = {s.name: mean[s.start : s.start + s.size].view(s.shape) for s in LAYOUT.slots}
        return views, total

    (first, one), (second, _) = run_all([lambda p=p: rank(p) for p in (0, 1)], [line])
    levels = next(iter(one._tables.values())).levels(one._needs)
    assert bool(levels.any()) == (jump > 1.0)
    for name in (TABLE, SHARED):
        assert torch.equal(first[name], second[name])
        whole = shares(0, jump)[name] + shares(1, jump)[name]
        torch.testing.assert_close(first[name], whole, rtol=1e-4, atol=2.0**-20)
    for place, found in enumerate((first, second)):
        torch.testing.assert_close(found[OWN], shares(place, jump)[OWN], rtol=1e-4, atol=2.0**-30)
