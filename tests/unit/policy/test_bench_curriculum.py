"""What the bench of the curriculum draws, decides and concludes."""

import pytest
from curriculum_rules import Chooser, Drawer, altered, read_line
from curriculum_table import interval, saving
from hypothesis import given
from hypothesis import strategies as st

from qmpi.config.arms import level_band, with_arms
from qmpi.config.curriculum import CurriculumSettings
from qmpi.config.data import ContentSource, DataSettings
from qmpi.config.settings import Settings
from qmpi.policy.curriculum import windows
from qmpi.policy.curriculum.knowledge import Knowledge
from qmpi.policy.mixture import integer_weights, period_of
from qmpi.protocol.journal import StepCommitted
from qmpi.protocol.progress import LOSS_GRID, SourceLoss

JOB = with_arms(
    Settings(
        data=DataSettings(sources=(ContentSource(name="sums", type="mathematics"),)),
        curriculum=CurriculumSettings(kind="adaptive"),
    )
)
BANDS = [level_band(source) for source in JOB.data.sources]
EVERY, TOKENS = 11, JOB.train.sequence_tokens


def told(step):
    """Losses that differ by source and fall."""
    return tuple(
        SourceLoss(n, TOKENS, round(TOKENS * LOSS_GRID * (1 + n) / (1 + 0.1 * step)))
        for n in range(len(BANDS))
    )


@given(st.lists(st.floats(0.1, 5.0), min_size=1, max_size=9), st.integers(1, 300))
def test_rows_are_drawn_in_the_order_of_a_recipe(shares, count):
    assert Drawer(shares).draw(count) == list(period_of(integer_weights(shares)).sources[:count])


def test_ours_draws_what_the_product_decides_from_the_window_after_the_next_on():
    line, known = f"ours every={EVERY}", None
    chooser = Chooser(line, JOB, BANDS, 100)
    knowledge = Knowledge(chooser.job, ())
    usual, decided = chooser.shares(0), {}
    for step in range(6 * EVERY):
        assert chooser.shares(step) == decided.get(step // EVERY, usual)
        chooser.note(step, told(step))
        known = knowledge.note(StepCommitted(0.0, step, 1, 0, (), (), None, "", sources=told(step)))
        decided |= {known.window: known.shares} if known is not None else {}
    assert any(shares != usual for shares in decided.values())


def test_a_placebo_decides_by_losses_of_others():
    choosers = [Chooser(f"{name} every={EVERY}", JOB, BANDS, 100) for name in ("ours", "placebo")]
    with altered("ours probes=0"):
        for step in range(3 * EVERY):
            for chooser in choosers:
                chooser.note(step, told(step))
    ours, placebo = (chooser.shares(4 * EVERY) for chooser in choosers)
    assert ours != placebo


def test_a_ramp_opens_from_easy_to_hard():
    chooser = Chooser("ramp", JOB, BANDS, 100)
    opened = [sum(share > 0 for share in chooser.shares(step)) for step in (0, 25, 50, 99)]
    assert opened == [1, 4, 7, 7]


def test_a_line_alters_the_product_for_a_while():
    before = (windows.is_probe(1, 3), windows._verdict(()))
    with altered("ours fast=0.5 probes=0 kill=0"):
        assert not any(windows.is_probe(seed, 5) for seed in range(50))
    assert (windows.is_probe(1, 3), windows._verdict(())) == before
    chosen = Chooser("ours fast=0.5 least=0.01", JOB, BANDS, 100).job.curriculum
    assert (chosen.fast, chosen.least_progress, chosen.slow) == (0.5, 0.01, 0.02)
    with pytest.raises(SystemExit, match="what is speed"):
        read_line("ours speed=3")


def test_what_is_saved_is_read_from_above():
    shares = [0.6, 0.8, 1.0]
    assert saving(shares, [2.0, 1.0, 0.5], 1.0, lower=True) == pytest.approx((0.2, 0.2))
    assert saving(shares, [2.0, 0.5, 0.4], 1.0, lower=True) == pytest.approx((0.2, 0.2 + 0.2 / 3))
    assert saving(shares, [0.3, 0.6, 0.9], 0.5, lower=False)[0] == pytest.approx(0.2)
    assert saving(shares, [0.1, 0.1, 2.0], 1.0, lower=True) == (None, None)
    assert saving(shares, [0.1, 2.0, 0.9], 1.0, lower=True)[0] == 0.0


def test_an_interval_holds_the_mean():
    low, high = interval([0.1, 0.2, 0.3, 0.4, 0.5])
    assert low < 0.3 < high
    assert interval([0.2] * 5) == pytest.approx((0.2, 0.2))
