"""The mean of a sum stands where the sum stood, and costs no memory of its own."""

import pytest
import torch
from unit.training.line_of_threads import ThreadLine
from unit.training.test_reduction import add_lane, fresh, gradients, mean_of, started

from qmpi.training.reduction.exact import ExactSum
from qmpi.training.reduction.fast import FastSum


@pytest.mark.parametrize("kind", [ExactSum, FastSum])
def test_the_mean_may_take_the_place_of_the_sum(kind):
    parts = [gradients(6, lane, 2.0**-13) for lane in range(4)]
    parts[2][0][5] *= 2.0**12  # an outlier, whose dense sum is read beside its mean

    def total():
        made = started(4, fresh(), kind)
        for lane, mine in enumerate(parts):
            add_lane(made, lane, mine)
        made.reduce(ThreadLine(1).member())
        return made

    apart, together = total(), total()
    wanted = mean_of(apart)
    assert together.place.data_ptr() == together._sum.data_ptr()
    together.unpack(together.place)
    # Padding too: the norm and the update go over it.
    assert torch.equal(together.place, wanted)
    together.begin_pass()
    for lane, mine in enumerate(parts):
        add_lane(together, lane, mine)
    together.reduce(ThreadLine(1).member())
    assert torch.equal(mean_of(together), wanted)


def test_after_fresh_memory_a_mean_is_not_where_an_operation_left_behind_may_write():
    total = started(2, fresh())
    old = total.place
    total.renew()
    assert total.place.data_ptr() != old.data_ptr()
    assert total.place.data_ptr() == total._sum.data_ptr()
