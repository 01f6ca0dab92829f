"""The engine under a guard: a spike changes nothing but counters, and is judged from the state."""

import math

import pytest
import torch
from msgspec.structs import replace
from unit.training.small_job import LANES, alone, block, digest, job, run

from qmpi.config.batch import BatchSettings
from qmpi.config.guard import GuardSettings
from qmpi.model.transformer import Transformer
from qmpi.protocol.spikes import NO_LEVELS, judged
from qmpi.training.lanes import read_block

WATCHED = GuardSettings(loss_spike=0.5, warmup_steps=2)


def guarded(guard=WATCHED, **changes):
    return replace(job(**changes), guard=guard)


def payload(engine):
    return b"".join(engine.snapshot()[1])


def repeated(engine, settings, step):
    """Train on the blocks of step 0, whatever the step: nothing stands out."""
    blocks = [block(settings, 0, lane) for lane in range(LANES)]
    digests = list(map(digest, blocks))
    return engine.run_step(step, range(LANES), blocks, digests, digest_due=True)


def odd(engine, settings, step):
    """Train on other text than before, after which loss and norm jump."""
    blocks = [block(settings, 77, lane) for lane in range(LANES)]
    digests = list(map(digest, blocks))
    return engine.run_step(step, range(LANES), blocks, digests, digest_due=True)


@pytest.mark.parametrize("reduction", ["exact", "fast"])
def test_a_spike_is_skipped_and_told(reduction):
    settings = guarded(reduction=reduction)
    engine = alone(settings)
    outcomes = [repeated(engine, settings, step) for step in range(4)]
    assert [outcome.spike for outcome in outcomes] == [""] * 4
    before = payload(engine)
    spike = odd(engine, settings, 4)
    assert spike.spike == "loss"
    assert spike.gradient_norm > 0.0
    assert (spike.updates, spike.halts, engine.state_step) == (4, False, 5)
    after = payload(engine)
    assert after[64:] == before[64:], "weights, moments and exponents stay"
    assert after[24:64] == before[24:64], "and so do the levels"
    again = repeated(engine, settings, 5)
    assert (again.spike, again.updates) == ("", 5)


def test_levels_are_those_of_the_outcomes_and_travel_with_the_state():
    settings = guarded()
    engine = alone(settings)
    levels = NO_LEVELS
    for step in range(3):
        outcome = repeated(engine, settings, step)
        _, levels = judged(WATCHED, levels, outcome.lane_losses, outcome.gradient_norm)
    other = alone(settings, start=False)
    other.load_snapshot(3, payload(engine))
    assert other._state.levels == engine._state.levels == levels
    mine, theirs = odd(engine, settings, 3), odd(other, settings, 3)
    assert mine.spike == theirs.spike != ""
    engine.initialise()
    assert engine._state.levels == NO_LEVELS


def test_without_a_guard_nothing_is_followed_and_the_bits_are_the_same():
    plain, watched = job(), guarded(GuardSettings(loss_spike=1e6, norm_spike=1e6))
    engines = alone(plain), alone(watched)
    for step in range(3):
        outcomes = [run(e, s, step) for e, s in zip(engines, (plain, watched), strict=True)]
        assert outcomes[0].weight_digest == outcomes[1].weight_digest
    assert payload(engines[0])[24:64] == bytes(40)
    assert payload(engines[0])[64:] == payload(engines[1])[64:]


def test_a_spike_halts_where_told():
    settings = guarded(replace(WATCHED, action="stop"))
    engine = alone(settings)
    for step in range(3):
        repeated(engine, settings, step)
    assert odd(engine, settings, 3).halts
    settings = guarded(replace(WATCHED, most_in_a_row=2))
    engine = alone(settings)
    for step in range(3):
        repeated(engine, settings, step)
    assert [odd(engine, settings, step).halts for step in (3, 4)] == [False, True]


@pytest.mark.parametrize("reduction", ["exact", "fast"])
@pytest.mark.parametrize("microbatches", [1, 2])
def test_the_squares_of_lanes_are_those_of_torch(reduction, microbatches):
    """Oracle: autograd over the plain module, a lane at a time."""
    settings = replace(
        job(reduction=reduction, microbatches=microbatches), batch=BatchSettings(noise_scale=True)
    )
    engine = alone(settings)
    layout = engine._state.layout
    model = Transformer(settings.model)
    model.load_state_dict({s.name: engine._state.view(s).clone() for s in layout.slots})
    squares = []
    for lane in range(LANES):
        ids = read_block(block(settings, 0, lane), 2 * microbatches, 17)
        model.zero_grad()
        logits = model(ids[:, :-1])
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
        squares.append(
            sum(
                float(p.grad.double().square().sum())
                for p in model.parameters()
                if p.grad is not None
            )
        )
    assert len({round(square, 6) for square in squares}) == LANES
    outcome = run(engine, settings, 0)
    assert outcome.lane_square == pytest.approx(math.fsum(squares) / LANES, rel=1e-4)
    plain = run(alone(replace(settings, batch=BatchSettings())), settings, 0)
    assert plain.lane_square == -1.0
    assert plain.weight_digest == outcome.weight_digest
