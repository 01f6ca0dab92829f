"""Losses by source, of several steps together."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.policy.source_losses import ADDED, figures, source_figures, summed
from qmpi.protocol.progress import LOSS_GRID, SourceLoss

COUNTS = st.integers(0, 10**12)
LOSSES = st.builds(
    SourceLoss,
    st.integers(0, 3),
    st.integers(1, 10**9),
    *[COUNTS, st.integers(0, 9), COUNTS, COUNTS, COUNTS],
)
STEPS = st.lists(st.lists(LOSSES, max_size=4, unique_by=lambda each: each.source), max_size=6)


@given(STEPS)
def test_sums_are_the_same_in_any_order_and_in_parts(steps):
    whole = summed(steps)
    assert summed(steps[::-1]) == whole
    assert summed([summed(steps[:2]), summed(steps[2:])]) == whole
    assert sum(each.loss for each in whole) == sum(e.loss for step in steps for e in step)


def test_figures_are_means():
    told = figures(SourceLoss(0, 4, 6 * LOSS_GRID, 2, LOSS_GRID, 4, 3))
    assert (told.loss, told.answer_loss, told.problems, told.solved) == (1.5, 0.5, 4, 0.75)
    none = figures(SourceLoss(0, 4, LOSS_GRID))
    assert (none.answer_loss, none.solved) == (None, None)


def test_what_old_journals_tell_is_read():
    old, new = (0, 4, 6, 2, 1), SourceLoss(0, 4, 6, 2, 1, 0, 0)
    assert msgspec.json.decode(msgspec.json.encode(old), type=SourceLoss) == new


def test_sources_have_their_names_and_added_ones_share_one():
    steps = [(SourceLoss(0, 2, LOSS_GRID), SourceLoss(1, 1, LOSS_GRID)), (SourceLoss(1, 1, 0),)]
    told = source_figures(steps, ["python"])
    assert list(told) == ["python", ADDED]
    assert told[ADDED].loss == pytest.approx(0.5)
