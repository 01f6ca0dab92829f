"""Models that ranks share: the losses of one rank, and one digest for any number of teams."""

from functools import cache
from typing import NamedTuple

import pytest
import torch
from msgspec.structs import replace
from unit.training.small_job import job
from unit.training.team_of_threads import teamed

from qmpi.config.model import ModelSettings

STEPS, FEW = 20, 6
SLOW = pytest.mark.slow

MODELS = {
    "dense": {},
    "untied": {"tied_head": False, "qk_norm": False},
    "capped": {"logit_softcap": 5.0, "vocab_size": 259},
    "window": {"window": 5, "sinks": 2},
    "olmo2": {"norm_place": "post", "qk_norm_over": "projection"},
    "experts": {"experts": 4, "shared_experts": 1, "router_z_loss": 0.01, "dense_layers": 1},
    "sigmoid": {"experts": 4, "router": "sigmoid", "capacity_factor": 1.0},
}


def four_heads(name="dense", contexts=1, **told):
    settings = job(microbatches=2, **told)
    shape = {"vocab_size": 256, "layers": 4, "width": 32, "heads": 4, "kv_heads": 4}
    # Updates of AdamW turn differences of gradients that are nearly zero into whole steps: with an
    # epsilon of 1e-8 losses were up to 1.2e-5 apart on one kind of CPU, with this one 2e-6.
    pace = replace(settings.optimizer, learning_rate=5e-4, epsilon=1e-6)
    train = replace(settings.train, steps=STEPS)
    model = ModelSettings(**shape | (MODELS | MIXTURES)[name])
    if contexts > 1:  # a capacity is that of whole microbatches
        model = replace(model, capacity_factor=0.0)
    return replace(settings, model=model, optimizer=pace, train=train)


def losses(told):
    return torch.tensor([one[0] for one in told], dtype=torch.float64)


def same(found, wanted, most):
    torch.testing.assert_close(found, wanted, rtol=0, atol=most)


MIXTURES = {
    "experts": MODELS["experts"],
    "scored": {"experts": 4, "router": "sigmoid", "shared_experts": 1, "tied_head": False},
    "faded": {"experts": 8, "dense_layers": 1, "balance_rate": 0.01, "router_z_loss": 0.01},
}

EXPERT_LAYOUTS = {
    "expert": {"expert": 2},
    "expert and tensor": {"expert": 2, "tensor": 2},
    "expert and pipeline": {"expert": 2, "pipeline": 2},
    "expert and context": {"expert": 2, "context": 2},
    "expert and two more": {"expert": 2, "pipeline": 2, "tensor": 2},
}

LAYOUTS = {
    "tensor": {"tensor": 2},
    "pipeline": {"pipeline": 2},
    "gpipe": {"pipeline": 2, "schedule": "gpipe"},
    "interleaved": {"pipeline": 2, "schedule": "interleaved", "chunks": 2},
    "zero_bubble": {"pipeline": 2, "schedule": "zero_bubble"},
    "both": {"tensor": 2, "pipeline": 2},
    "context": {"context": 2},
    "context_tensor": {"context": 2, "tensor": 2},
    "context_pipeline": {"context": 2, "pipeline": 2},
    "three": {"context": 2, "pipeline": 2, "tensor": 2},
}


class Told(NamedTuple):
    """What a job tells that is trained on teams of one layout."""

    steps: list
    gradients: dict


def trained(settings, steps, **axes):
    """Train all steps; gradients are those of the first."""
    teams, one = teamed(settings, **axes), teamed(settings)
    told, slots = teams.train(1), one.engines[one.seats[0]]._state.layout.slots
    gradients = {slot.name: teams.gradient(slot.name).clone() for slot in slots}
    return Told(told + teams.train(steps, 1), gradients)


alone = cache(trained)


def told_alike(settings, steps=STEPS, **axes):
    layers = 4 if "chunks" in axes else 2
    model = replace(settings.model, layers=layers)
    settings = replace(settings, model=model, train=replace(settings.train, lanes=2))
    one, other = alone(settings, steps), trained(settings, steps, **axes)
    for name, gradient in one.gradients.items():
        same(gradient, other.gradients[name], 1e-5)
    same(losses(one.steps), losses(other.steps), 1e-5)
    norms = [torch.tensor([step[1] for step in told.steps]) for told in (one, other)]
    torch.testing.assert_close(*norms, rtol=1e-4, atol=0)


QUICK = {
    "tensor": set(MODELS),
    "context": {"dense", "window", "experts"},
    "both": {"dense", "experts"},
    "expert": set(MIXTURES),
}
"""Models that show what an axis can break; products and schedules show it with fewer."""

PAIRS = [
    pytest.param(
        name,
        layout,
        id=f"{layout}-{name}",
        marks=()
        if name in QUICK.get(layout, {"dense"} if layouts is LAYOUTS else {"experts"})
        else SLOW,
    )
    for models, layouts in ((MODELS, LAYOUTS), (MIXTURES, EXPERT_LAYOUTS))
    for layout in layouts
    for name in models
]


@pytest.mark.parametrize(("name", "layout"), PAIRS)
def test_the_losses_are_those_of_one_rank(name, layout):
    axes = (LAYOUTS | EXPERT_LAYOUTS)[layout]
    steps = STEPS if name in ("dense", "experts") else FEW
    told_alike(four_heads(name, axes.get("context", 1)), steps, **axes)


def test_four_ranks_share_out_experts_and_sequences():
    # Of "faded", with this many tokens, one choice in step 4 and one in step 9 is so near that
    # rounding turns it, which moves a lane's loss by up to 2e-5.
    settings = four_heads("experts")
    train = replace(settings.train, sequences=4)
    told_alike(replace(settings, train=train), expert=4)


@pytest.mark.parametrize("divider", [None, 3])
def test_further_tokens_are_predicted_as_on_one_rank(divider):
    settings = four_heads("capped")
    settings = replace(settings, model=replace(settings.model, predict_ahead=2))
    alone, team = (teamed(settings, divider=divider, **axes) for axes in ({}, {"tensor": 2}))
    for step in range(2):
        (one,), others = alone.step(step).values(), team.step(step).values()
        assert len({(o.lane_losses, o.ahead_losses, o.weight_digest) for o in others}) == 1
        for other in others:
            assert other.ahead_losses == pytest.approx(one.ahead_losses, abs=1e-5)
            assert other.lane_losses == pytest.approx(one.lane_losses, abs=1e-5)
        for slot in alone.engines[alone.seats[0]]._state.layout.slots:
            same(alone.gradient(slot.name), team.gradient(slot.name), 1e-5)


@pytest.mark.parametrize("name", MIXTURES)
def test_loads_of_experts_are_those_of_one_rank(name):
    settings = four_heads(name)
    (alone,) = teamed(settings).step(0).values()
    told = [outcome.experts for outcome in teamed(settings, expert=2, tensor=2).step(0).values()]
    assert told == [alone.experts] * 4


def test_what_is_no_experts_is_the_same_bits_along_the_expert_axis():
    teams = teamed(four_heads("faded"), 1, expert=2)
    teams.train(4)
    first, second = teams.engines.values()
    slots = [{slot.name: slot for slot in e._state.layout.slots} for e in (first, second)]
    both = slots[0].keys() & slots[1].keys()
    assert any("gate.e_score" in name for name in both)
    assert not any(".experts." in name for name in both)
    for name in both:
        assert torch.equal(first._state.view(slots[0][name]), second._state.view(slots[1][name]))


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        pytest.param(name, layout, marks=() if layout in ("tensor", "context", "expert") else SLOW)
        for name, layout in (
            *(("dense", layout) for layout in LAYOUTS),
            *(("experts", layout) for layout in ("both", *EXPERT_LAYOUTS)),
        )
    ],
)
def test_the_digest_is_the_same_for_any_number_of_teams(name, layout):
    axes = (LAYOUTS | EXPERT_LAYOUTS)[layout]
    told = [teamed(four_heads(name), teams, **axes).train(4) for teams in (1, 2, 3)]
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize(
    ("name", "axes", "changes"),
    [
        ("dense", {"pipeline": 4}, {}),
        ("dense", {"pipeline": 4}, {"microbatches": 1}),
        ("untied", {"pipeline": 2, "tensor": 2}, {"checkpointing": "full"}),
        ("experts", {"pipeline": 2}, {"precision": "bfloat16"}),
        ("dense", {"pipeline": 2}, {"precision": "float8"}),
    ],
)
def test_backward_passes_in_two_halves_give_the_same_bits(name, axes, changes):
    settings = four_heads(name)
    settings = replace(settings, train=replace(settings.train, **changes))
    whole, halves = (
        teamed(settings, **axes, schedule=schedule).train(3) for schedule in ("1f1b", "zero_bubble")
    )
    assert whole == halves


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("default")
def test_compiled_layers_are_cut_where_ranks_talk():
    settings = four_heads()
    settings = replace(settings, train=replace(settings.train, compile="on"))
    alone = teamed(settings).train(3)
    for axes in ({"tensor": 2}, {"pipeline": 2}, {"context": 2}):
        one, two = (teamed(settings, teams, **axes) for teams in (1, 2))
        assert "compiled by" in one.engines[one.seats[0]].identity()
        told = one.train(3)
        assert told == two.train(3)
        same(losses(told), losses(alone), 1e-5)


@pytest.mark.parametrize("axes", [{"context": 2}, {"context": 4}], ids=["two", "four"])
@pytest.mark.parametrize("name", ["dense", pytest.param("window", marks=SLOW)])
def test_documents_of_shared_sequences_stay_apart(name, axes):
    settings = four_heads(name)
    settings = replace(settings, train=replace(settings.train, sequence_tokens=64))
    alone, shared = teamed(settings, divider=3), teamed(settings, divider=3, **axes)
    one, other = alone.train(3), shared.train(3)
    same(losses(one), losses(other), 1e-5)
    assert one != teamed(settings).train(3)
    for slot in alone.engines[alone.seats[0]]._state.layout.slots:
        same(alone.gradient(slot.name), shared.gradient(slot.name), 1e-5)


@pytest.mark.parametrize("name", ["dense", "experts"])
def test_four_ranks_share_sequences(name):
    settings = four_heads(name)
    one, other = teamed(settings).train(4), teamed(settings, context=4).train(4)
    same(losses(one), losses(other), 1e-5)


def test_loads_are_those_of_one_rank_where_sequences_are_shared():
    settings = four_heads("experts")
    told = []
    for axes in ({}, {"context": 2}, {"context": 2, "pipeline": 2}):
        team = teamed(settings, **axes)
        team.train(1)
        outcomes = team.step(1).values()
        assert len({outcome.experts for outcome in outcomes}) == 1
        told.append(next(iter(outcomes)).experts)
    assert told[0] is not None
    assert told[0] == told[1] == told[2]


def test_parts_of_one_position_are_equal_in_all_teams():
    teams = teamed(four_heads(), 2, tensor=4)
    teams.train(2)
    for slot in teams.engines[teams.seats[0]]._state.layout.slots:
        assert torch.equal(teams.parameter(slot.name, 0), teams.parameter(slot.name, 1))


def test_a_team_begins_with_the_weights_of_one_rank():
    alone, four = teamed(four_heads()), teamed(four_heads(), tensor=4)
    for slot in alone.engines[alone.seats[0]]._state.layout.slots:
        assert torch.equal(alone.parameter(slot.name), four.parameter(slot.name))
