"""The audit derives each loss scale from the steps before it."""

import pytest
from msgspec.structs import replace

from qmpi.config import loss_scale
from qmpi.config.loss_scale import FIRST, HALVINGS
from qmpi.corpora.scales import check_scales
from qmpi.protocol.journal import StepCommitted
from qmpi.protocol.progress import UNDEFINED
from qmpi.units import Digest, Generation, Step


def told(number, exponent, redone=0, *, skipped=False):
    return StepCommitted(
        time=0.0, step=Step(number), generation=Generation(1), recipe=0, block_digests=(),
        lane_losses=(), loss=None, weight_digest=Digest(""), redone=redone,
        gradient_norm=UNDEFINED if skipped else 1.0, loss_scale=2.0**exponent,
    )  # fmt: skip


def fault(*records, precision="float16"):
    return check_scales({record.step: record for record in records}, precision)


def test_a_scale_that_follows_its_rule_is_in_order():
    assert not fault(told(0, FIRST), told(1, FIRST - 2, redone=2), told(2, FIRST - 2))
    assert not fault(told(0, FIRST, redone=1), told(1, FIRST, skipped=True), told(2, FIRST))
    tried = told(0, FIRST - HALVINGS, redone=HALVINGS, skipped=True)
    assert not fault(tried, told(1, FIRST - HALVINGS))


def test_a_scale_doubles_after_its_updates(monkeypatch):
    monkeypatch.setattr(loss_scale, "GROWS_AFTER", 2)
    assert not fault(told(0, FIRST), told(1, FIRST), told(2, FIRST + 1))
    assert "step 2 " in fault(told(0, FIRST), told(1, FIRST), told(2, FIRST))
    assert not fault(told(0, FIRST), told(1, FIRST, skipped=True), told(2, FIRST))


@pytest.mark.parametrize(
    "records",
    [
        (told(0, FIRST + 1),),
        (told(0, FIRST - 1),),
        (told(0, FIRST - 3, redone=2),),
        (told(0, FIRST - 1, redone=1), told(1, FIRST)),
        (replace(told(0, FIRST), loss_scale=40_000.0),),
    ],
)
def test_any_other_scale_is_a_fault(records):
    assert f"step {len(records) - 1} " in fault(*records)


def test_other_types_have_none():
    assert not fault(told(0, 0), told(1, 0, redone=1), precision="bfloat16")
    assert "step 1" in fault(told(0, 0), told(1, 3), precision="auto")
