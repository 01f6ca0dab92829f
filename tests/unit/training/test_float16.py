"""Float16 and its loss scale: what overflows is done again, what is broken is skipped, by rule."""

import math
import threading

import pytest
import torch
from msgspec.structs import replace
from unit.training.line_of_threads import ThreadLine, run_all
from unit.training.small_job import LANES, alone, job, run

from qmpi.config import loss_scale
from qmpi.config.loss_scale import FIRST, HALVINGS, MOST, LossScale
from qmpi.errors import PeerLost, UserError
from qmpi.model.fused.cross_entropy import LIFT, Loss
from qmpi.protocol.progress import MAX_SKIPPED
from qmpi.training.comm.line import Comm

CPU = torch.device("cpu")
TOO_LARGE = 24
"""Exponent of a scale at which gradients of the small job are beyond float16."""


def half_job(**changes):
    return job(precision="float16", **changes)


def scaled(settings, exponent, updates=0):
    engine = alone(settings)
    engine._state.set_scaling(exponent, updates)
    return engine


def payload(engine):
    return b"".join(engine.snapshot()[1])


@pytest.fixture(scope="module")
def undisturbed():
    settings = half_job()
    engine = scaled(settings, TOO_LARGE)
    outcomes = [run(engine, settings, step) for step in range(3)]
    return payload(engine), outcomes


def test_scale_follows_its_rule():
    scale = LossScale(FIRST)
    assert (scale.factor, scale.after_update()) == (2.0**FIRST, LossScale(FIRST, 1))
    assert LossScale(5, loss_scale.GROWS_AFTER - 1).after_update() == LossScale(6)
    assert LossScale(MOST, loss_scale.GROWS_AFTER - 1).after_update() == LossScale(MOST)
    assert LossScale(5, 7).lowered() == LossScale(4)
    assert LossScale(5, 7).lowered(0) == LossScale(5, 7)
    assert LossScale(0, 7).lowered() == LossScale(0)
    assert LossScale(5, 7).after_skip() == LossScale(5)


@pytest.mark.parametrize("microbatches", [1, 2])
def test_gradients_are_those_of_float32(microbatches):
    wide, half = job(microbatches=microbatches), half_job(microbatches=microbatches)
    engines = alone(wide), alone(half)
    of_wide, of_half = run(engines[0], wide, 0), run(engines[1], half, 0)
    assert of_half.lane_losses == pytest.approx(of_wide.lane_losses, abs=2e-3)
    assert of_half.gradient_norm == pytest.approx(of_wide.gradient_norm, rel=2e-3)
    gradients = [engine._sum.place for engine in engines]
    error = float((gradients[0] - gradients[1]).norm() / gradients[0].norm())
    assert error < 3e-3
    assert (of_wide.loss_scale, of_half.loss_scale) == (1.0, 2.0**FIRST)
    assert engines[0]._state.scaling == (0, 0)


def test_an_overflow_is_done_again_with_a_smaller_scale_and_loses_nothing(undisturbed):
    _, outcomes = undisturbed
    first, *others = outcomes
    lowered = TOO_LARGE - int(math.log2(first.loss_scale))
    assert 0 < lowered <= HALVINGS
    assert first.redone >= lowered
    assert first.gradient_norm > 0
    assert {outcome.loss_scale for outcome in others} == {first.loss_scale}
    # As if the run had begun with the scale that it came to.
    settings = half_job()
    engine = scaled(settings, TOO_LARGE - lowered)
    assert run(engine, settings, 0).weight_digest == first.weight_digest


def test_scale_is_state_and_a_resumed_run_has_it(undisturbed):
    settings = half_job()
    engine = scaled(settings, TOO_LARGE)
    run(engine, settings, 0)
    kept = payload(engine)
    other = alone(settings, start=False)
    other.load_snapshot(1, kept)
    assert other._state.scaling == engine._state.scaling
    for step in (1, 2):
        run(other, settings, step)
    assert payload(other) == undisturbed[0]


def test_scale_grows_after_updates_without_overflow(monkeypatch):
    monkeypatch.setattr(loss_scale, "GROWS_AFTER", 2)
    settings = half_job()
    engine = scaled(settings, 4)
    assert [run(engine, settings, step).loss_scale for step in range(4)] == [16, 16, 32, 32]


def test_a_loss_that_is_not_finite_is_skipped_at_once_and_leaves_the_scale():
    settings = half_job()
    engine = alone(settings)
    engine._state.set_scaling(FIRST, 5)
    engine._state.params[: engine._state.layout.hidden] = math.nan
    before = payload(engine)
    outcome = run(engine, settings, 0)
    assert (outcome.gradient_norm, outcome.redone) == (-1.0, 0)
    assert engine._state.scaling == (FIRST, 0)
    assert payload(engine)[64:] == before[64:]
    for step in range(1, MAX_SKIPPED - 1):
        run(engine, settings, step)
    with pytest.raises(UserError, match="diverged"):
        run(engine, settings, MAX_SKIPPED - 1)


def plant(engine, what):
    """Have every gradient of the first leaf replaced in each pass."""
    finished = engine._runner._gradients._finished

    def planted(leaf, gradient):
        finished(leaf, torch.full_like(gradient, what) if leaf is first else gradient)

    first = engine._weights.leaves[0]
    engine._weights.on_gradient(lambda *_: None)
    for leaf in engine._weights.leaves:
        leaf.tensor._post_accumulate_grad_hooks.clear()
    engine._weights.on_gradient(planted)


def test_a_gradient_that_no_scale_cures_is_skipped_after_all_tries():
    settings = half_job()
    engine = alone(settings)
    plant(engine, math.inf)
    first, second, third = (run(engine, settings, step) for step in range(3))
    assert [o.gradient_norm for o in (first, second, third)] == [-1.0] * 3
    assert [o.redone for o in (first, second, third)] == [HALVINGS, FIRST - HALVINGS, 0]
    assert engine._state.scaling == (0, 0)
    assert min(first.lane_losses) > 0


def test_float_sum_is_scaled_by_the_same_rule():
    settings = half_job(reduction="fast")
    engine = scaled(settings, TOO_LARGE)
    outcome = run(engine, settings, 0)
    assert outcome.gradient_norm > 0
    assert outcome.loss_scale < 2.0**TOO_LARGE


class Deaf(Comm):
    """Loses its peers in the vote."""

    def vote(self):
        raise PeerLost("gone")


def group(kind=Comm):
    return kind(store=None, name="g", index=0, size=1, timeout_seconds=5, aborted=lambda: None)


def test_a_failure_after_an_overflow_leaves_the_scale_to_whoever_does_the_step_again(undisturbed):
    settings = half_job()
    for finishes in (True, False):
        engine = scaled(settings, TOO_LARGE)
        engine.join(group(Deaf))
        before = payload(engine)
        with pytest.raises(PeerLost):
            run(engine, settings, 0)
        assert payload(engine) == before
        engine.join(group())
        outcome = engine.apply_held() if finishes else run(engine, settings, 0)
        assert outcome.weight_digest == undisturbed[1][0].weight_digest
        assert outcome.loss_scale == undisturbed[1][0].loss_scale
        for step in (1, 2):
            run(engine, settings, step)
        assert payload(engine) == undisturbed[0]


class Threads(Comm):
    """A member of a line of threads."""

    def __init__(self, member, index, size, all_here):
        super().__init__(
            store=None, name="g", index=0, size=1, timeout_seconds=5, aborted=lambda: None
        )
        self.index, self.size = index, size
        self.allreduce, self.maximum = member.allreduce, member.maximum
        self.start = member.start
        self._all_here = all_here

    def vote(self):
        self._all_here.wait(60)


@pytest.mark.parametrize("size", [2, 3])
def test_any_number_of_trainers_lowers_the_scale_alike(size, undisturbed):
    settings = half_job()
    line, all_here, ends = ThreadLine(size), threading.Barrier(size), {}

    def member(index):
        engine = scaled(settings, TOO_LARGE)
        engine.join(Threads(line.member(index), index, size, all_here))
        for step in range(3):
            run(engine, settings, step, [lane for lane in range(LANES) if lane % size == index])
        ends[index] = payload(engine)

    run_all([lambda index=index: member(index) for index in range(size)])
    assert [ends[index] == undisturbed[0] for index in range(size)] == [True] * size


def test_loss_in_float16_keeps_small_probabilities_and_scales_before_it_rounds():
    draw = torch.Generator().manual_seed(3)
    rows, vocabulary, width = 40, 3000, 16
    features = torch.randn(rows, width, generator=draw).half()
    head = (torch.randn(vocabulary, width, generator=draw) * 0.1).half()
    targets = torch.randint(0, vocabulary, (rows,), generator=draw)
    wide = [x.double().requires_grad_() for x in (features, head)]
    true = torch.nn.functional.cross_entropy(wide[0] @ wide[1].t(), targets)
    true.backward()
    of_head = torch.zeros(vocabulary, width)
    loss = Loss(rows, vocabulary, torch.float16, CPU)
    factor = 2.0**10
    value, of_features = loss.step(features, head, targets, factor / rows, of_head)
    assert value == pytest.approx(float(true.detach()), rel=1e-4)
    for found, exact in ((of_features.double(), wide[0].grad), (of_head.double(), wide[1].grad)):
        assert float((found / factor - exact).norm() / exact.norm()) < 2e-3
    # A row of the head that no target names has the smallest gradient there is.
    quiet = [token for token in range(vocabulary) if token not in targets.tolist()]
    error = (of_head.double() / factor - wide[1].grad)[quiet].norm() / wide[1].grad[quiet].norm()
    assert float(error) < 2e-3
    assert LIFT / vocabulary > torch.finfo(torch.float16).smallest_normal


def test_a_scale_that_is_too_large_for_the_loss_itself_shows_as_infinite():
    features = torch.ones(4, 8).half()
    head, of_head = torch.zeros(6, 8).half(), torch.zeros(6, 8)
    loss = Loss(4, 6, torch.float16, CPU)
    _, of_features = loss.step(features, head, torch.zeros(4, dtype=torch.long), 2.0**30, of_head)
    assert not of_head.isfinite().all()
    assert of_features.isfinite().all()  # the head is zero


def test_other_types_have_no_scale():
    settings = job(precision="bfloat16")
    engine = alone(settings)
    engine._state.params[:2000] = math.nan
    outcome = run(engine, settings, 0)
    assert (outcome.loss_scale, outcome.redone, engine._state.scaling) == (1.0, 0, (0, 0))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_compiled_layers_take_float16() -> None:
    """Slow: other types show that a compiler is found, cached and shared."""
    plain = half_job()
    compiled = replace(plain, train=replace(plain.train, compile="on"))
    engines = alone(plain), alone(compiled)
    assert "compiled by" in engines[1].identity()
    first, second = run(engines[0], plain, 0), run(engines[1], compiled, 0)
    assert second.lane_losses == pytest.approx(first.lane_losses, abs=1e-3)
    assert second.gradient_norm == pytest.approx(first.gradient_norm, rel=1e-3)
