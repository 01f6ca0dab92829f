"""Loads of experts in the engine: counted exactly, told, and made even by biases that fade."""

import pytest
import torch
from msgspec.structs import replace
from unit.training.small_job import LANES, alone, block, digest, job, run

from qmpi.config.optimizer import OptimizerSettings
from qmpi.model.experts.choice import choose
from qmpi.model.experts.module import Router
from qmpi.model.shape import bias_shapes
from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.training.balance import kept_share
from qmpi.training.lanes import read_block
from qmpi.units import Step

FIELDS = {"layers": 3, "experts": 4, "dense_layers": 1, "balance_rate": 0.25, "init_std": 0.2}


def mixed(reduction="exact", microbatches=1, **fields):
    plain = job(reduction, microbatches)
    return replace(plain, model=replace(plain.model, **{**FIELDS, **fields}))


def biases(engine, settings):
    slots = [s for s in engine._state.layout.slots if s.name in bias_shapes(settings.model)]
    return torch.stack([engine._state.view(slot) for slot in slots]).clone()


def loads_of(engine, settings, step):
    """Count by the evaluated model who is wanted, int64 [layers with experts, experts]."""
    model, counts = engine.evaluator()._model, []

    def seen(router, _, logits):
        bias = router.get_buffer("e_score_correction_bias")
        chosen, _ = choose(logits, bias, settings.model)
        counts.append(torch.bincount(chosen.flatten(), minlength=settings.model.experts))

    hooks = [m.register_forward_hook(seen) for m in model.modules() if isinstance(m, Router)]
    train = settings.train
    with torch.no_grad():
        for lane in range(LANES):
            rows = train.microbatches * train.sequences
            model(read_block(block(settings, step, lane), rows, train.sequence_tokens + 1)[:, :-1])
    for hook in hooks:
        hook.remove()
    return torch.stack(counts).view(LANES, -1, settings.model.experts).sum(0)


@pytest.mark.parametrize("reduction", ["exact", "fast"])
@pytest.mark.parametrize("microbatches", [1, 2])
def test_biases_move_by_the_loads_of_all_lanes(reduction, microbatches):
    settings = mixed(reduction, microbatches, router="sigmoid")
    engine = alone(settings)
    for step in range(3):
        loads, before = loads_of(engine, settings, step), biases(engine, settings)
        outcome = run(engine, settings, step)
        mean = loads.sum(dim=1, keepdim=True) / settings.model.experts
        by = 0.25 * outcome.learning_rate / settings.optimizer.learning_rate
        wanted = before + by * (mean - loads).sign()
        torch.testing.assert_close(biases(engine, settings), wanted)
        told = outcome.experts
        unevenness = (loads / mean).amax(dim=1)
        assert told.layer == 1 + int(unevenness.argmax())
        assert told.largest == pytest.approx(float(unevenness.max()))
        assert told.smallest == pytest.approx(float((loads / mean)[told.layer - 1].min()))
        assert told.dropped == 0.0
    assert biases(engine, settings).any()


def test_a_pass_done_again_counts_once():
    settings = mixed()
    calm, again = alone(settings), alone(settings)
    calm._state.exponents.fill_(10)
    again._state.exponents.fill_(-60)
    first, second = run(calm, settings, 0), run(again, settings, 0)
    assert (first.redone, second.redone) == (0, 1)
    assert first.experts == second.experts
    assert torch.equal(biases(calm, settings), biases(again, settings))


def test_a_skipped_step_moves_no_bias():
    settings = mixed()
    engine = alone(settings)
    run(engine, settings, 0)
    before = biases(engine, settings)
    weights = engine._state.params[:2000].clone()
    engine._state.params[:2000] = 3e38
    outcome = run(engine, settings, 1)
    assert (outcome.gradient_norm, outcome.experts) == (-1.0, None)
    assert torch.equal(biases(engine, settings), before)
    engine._state.params[:2000] = weights
    run(engine, settings, 2)
    assert not torch.equal(biases(engine, settings), before)


def test_biases_are_state():
    settings = mixed(router="sigmoid")
    engine = alone(settings)
    run(engine, settings, 0)
    _, parts = engine.snapshot()
    kept = b"".join(parts)
    ahead = run(engine, settings, 1)
    other = alone(settings, start=False)
    other.load_snapshot(1, kept)
    assert torch.equal(biases(other, settings).abs() > 0, biases(engine, settings).abs() > 0)
    assert run(other, settings, 1).weight_digest == ahead.weight_digest
    for slot in other._state.layout.slots:
        if slot.name in bias_shapes(settings.model):
            other._state.view(slot).add_(1.0)
    assert other._state.digest() != ahead.weight_digest, "the digest covers biases"


def test_of_a_softmax_router_nothing_is_left_at_the_end_of_the_run():
    settings = mixed()
    settings = replace(settings, optimizer=replace(settings.optimizer, decay_share=0.5))
    engine, sizes = alone(settings), []
    for step in range(settings.train.steps):
        run(engine, settings, step)
        sizes.append(float(biases(engine, settings).abs().max()))
    assert sizes[3] > 0.3
    assert sizes[6] > 0
    assert sizes[7] == 0.0
    assert not torch.signbit(biases(engine, settings)).any()


def test_what_a_fading_bias_loses_is_given_to_the_router_on_average_over_the_tokens():
    settings = mixed()
    engine, given = alone(settings), Hyperparameters(Step(0), 8, settings.optimizer)
    slots = {slot.name: slot for slot in engine._state.layout.slots}
    (name, *_) = bias_shapes(settings.model)
    router = engine._state.view(slots[name.replace("e_score_correction_bias", "weight")])
    bias = engine._state.view(slots[name])
    bias.copy_(torch.tensor([1.0, -2.0, 0.5, 0.0]))
    mean = torch.linspace(-1, 2, settings.model.width)
    tallies = engine._balance._tallies
    counts = torch.zeros(tallies.counts.shape, dtype=torch.int64)
    counts[:, 0] = torch.tensor([3, 5, 4, 4])
    grid = (mean * 4096 * LANES).round().to(torch.int64).repeat(len(counts), 1)
    total = torch.cat((counts.flatten(), grid.flatten())).to(torch.int32)
    before, full = router.clone(), bias + 0.25 * torch.tensor([1.0, -1.0, 0.0, 0.0])
    engine._balance.hold(total, LANES)
    engine._balance.move(6, given, settings.optimizer.learning_rate)
    # Of 8 steps the last two fade, so one before the last half is left.
    torch.testing.assert_close(bias, full / 2)
    given_away = router - before
    torch.testing.assert_close(given_away @ mean, full / 2, rtol=1e-3, atol=1e-3)
    across = torch.eye(len(mean)) - torch.outer(mean, mean) / mean.dot(mean)
    assert float((given_away @ across).abs().max()) < 1e-3


def test_the_mean_of_features_is_that_of_all_tokens():
    settings = mixed()
    engine, seen = alone(settings), []
    model, train = engine.evaluator()._model, settings.train
    hooks = [
        m.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].mean(0)))
        for m in model.modules()
        if isinstance(m, Router)
    ]
    with torch.no_grad():
        for lane in range(LANES):
            ids = read_block(block(settings, 0, lane), train.sequences, train.sequence_tokens + 1)
            model(ids[:, :-1])
    for hook in hooks:
        hook.remove()
    run(engine, settings, 0)
    wanted = torch.stack(seen).view(LANES, -1, settings.model.width).mean(0)
    found = engine._balance._held[1].to(torch.float32)
    assert float((found - wanted).abs().max()) < 1 / 4096
    assert float(wanted.abs().max()) > 0.1


def test_the_rule_of_fading():
    assert [kept_share(step, 10, 0.4) for step in range(11)] == [1.0] * 7 + [0.75, 0.5, 0.25, 0.0]
    assert [kept_share(step, 3, 0.0) for step in range(4)] == [1.0, 1.0, 1.0, 0.0]
    assert kept_share(7, 7, 1.0) == 0.0
    assert kept_share(12, 10, 0.4) == 0.0


def test_a_run_that_goes_on_balances_again():
    settings = mixed()
    engine = alone(settings)
    for step in range(8):
        run(engine, settings, step)
    assert not biases(engine, settings).any()
    longer = Hyperparameters(Step(8), 20, replace(settings.optimizer, warmup_steps=2))
    blocks = [block(settings, 8, lane) for lane in range(LANES)]
    digests = list(map(digest, blocks))
    engine.run_step(8, range(LANES), blocks, digests, digest_due=True, hyperparameters=longer)
    assert biases(engine, settings).any()


def test_what_full_experts_drop_is_told():
    settings = mixed(capacity_factor=1.0)
    engine = alone(settings)
    outcome = run(engine, settings, 0)
    assert 0 < outcome.experts.dropped < 1
    # A rate of 0 only counts.
    still = mixed(balance_rate=0.0)
    other = alone(still)
    assert run(other, still, 0).experts.largest >= 1.0
    assert not biases(other, still).any()


def test_a_dense_job_counts_nothing():
    engine = alone(job())
    assert run(engine, job(), 0).experts is None
    assert engine._sum.counts.numel() == engine.at.tokens.sources.size
    assert OptimizerSettings().decay_share == 0.2
