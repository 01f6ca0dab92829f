"""What positions of a team hold: parts that make up the model, no more and no less."""

from itertools import pairwise
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.model import ModelSettings
from qmpi.config.parallel import ParallelSettings
from qmpi.errors import InvariantError
from qmpi.model.ownership import ROUTER, owners_of
from qmpi.model.partition import partition, partitions, span
from qmpi.model.shape import BIAS, bias_shapes, expert_width, parameter_shapes
from qmpi.protocol.teams import Layout

MODELS = {
    "dense": ModelSettings(heads=4, kv_heads=4, vocab_size=259),
    "untied": ModelSettings(heads=8, kv_heads=4, tied_head=False),
    "experts": ModelSettings(heads=4, kv_heads=4, experts=4, shared_experts=1, dense_layers=1),
    "ahead": ModelSettings(heads=4, kv_heads=4, predict_ahead=1),
}


@given(st.integers(0, 10_000), st.integers(1, 64))
def test_spans_cover_a_run_in_order_and_evenly(count, parts):
    spans = [span(count, parts, number) for number in range(parts)]
    assert spans[0][0] == 0
    assert spans[-1][1] == count
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    sizes = [stop - start for start, stop in spans]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("tensor", [1, 2, 4])
@pytest.mark.parametrize("name", MODELS)
def test_parts_of_each_parameter_make_up_the_whole(name, tensor):
    model, layout = MODELS[name], Layout(1, 1, 1, tensor)
    parts = [partition(model, layout, position) for position in range(tensor)]
    for parameter, shape in (parameter_shapes(model) | bias_shapes(model)).items():
        seen = np.zeros(shape, dtype=int)
        for part in parts:
            seen[part.cuts[parameter].index] += 1
        common = parameter in parts[0].common.get("tensor", ())
        assert (seen == (tensor if common else 1)).all(), parameter


@pytest.mark.parametrize("tensor", [2, 4])
@pytest.mark.parametrize("name", MODELS)
def test_a_position_computes_a_model_of_the_shapes_that_it_holds(name, tensor):
    """What is laid out by the narrowed model is what the cuts say."""
    for position in range(tensor):
        part = partition(MODELS[name], Layout(1, 1, 1, tensor), position)
        own = {parameter: cut.own for parameter, cut in part.cuts.items()}
        assert own == parameter_shapes(part.model) | bias_shapes(part.model)


@pytest.mark.parametrize("tensor", [1, 2])
@pytest.mark.parametrize("expert", [2, 4])
def test_each_expert_is_held_once_along_the_expert_axis_and_all_else_by_all(expert, tensor):
    model, layout = MODELS["experts"], Layout(1, 1, expert, tensor)
    parts = [partition(model, layout, position) for position in range(layout.size)]
    for parameter, shape in (parameter_shapes(model) | bias_shapes(model)).items():
        seen, counted = np.zeros(shape, dtype=int), np.zeros(shape, dtype=int)
        for part in parts:
            if parameter in part.cuts:
                seen[part.cuts[parameter].index] += 1
                counted[part.cuts[parameter].index] += parameter not in part.left
        holders = 1
        for axis, names in parts[0].common.items():
            holders *= {"expert": expert, "tensor": tensor}[axis] if parameter in names else 1
        if ".mlp.experts." in parameter:
            holders = 1
        assert (seen == holders).all(), parameter
        assert (counted == 1).all(), parameter


def test_a_team_of_one_holds_the_model_as_it_is():
    part = partition(MODELS["experts"], Layout(1, 1, 1, 1), 0)
    assert part.model == MODELS["experts"]
    assert not part.common


def test_all_is_common_to_ranks_that_share_sequences():
    model = MODELS["experts"]
    parts = [partition(model, Layout(1, 2, 1, 2), position) for position in range(4)]
    alone = partition(model, Layout(1, 1, 1, 2), 1)
    assert [(part.context, part.share) for part in parts] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert parts[1].cuts == parts[3].cuts == alone.cuts
    common = parts[3].common
    assert common == {"context": frozenset(alone.cuts), "tensor": alone.common["tensor"]}
    assert [len(part.left) for part in parts[:2]] == [0, len(common["tensor"])]
    assert parts[2].left == parts[3].left == common["context"]


FULL = [
    {"context": 2},
    {"context": 3, "tensor": 2},
    {"expert": 2},
    {"context": 2, "expert": 4},
    {"context": 4, "pipeline": 2},
]


@pytest.mark.parametrize("axes", FULL, ids=str)
def test_what_ranks_share_out_one_of_them_holds(axes):
    model = MODELS["experts"]
    full, held = (partitions(model, ParallelSettings(**axes, shard=s)) for s in ("full", "none"))
    shared = "context" if "context" in axes else "expert"
    for own, whole in zip(full, held, strict=True):
        assert own.computed == whole.cuts
        assert own.shard == shared
        assert shared not in own.common
        assert {name: own.computed[name] for name in own.cuts} == own.cuts
        lent = set(own.owners)
        assert lent == whole.common[shared]
        assert set(own.cuts) - lent == set(whole.cuts) - lent
        assert lent & set(own.cuts) == {
            name for name, owner in own.owners.items() if owner == own.places[shared]
        }
    for parameter, shape in (parameter_shapes(model) | bias_shapes(model)).items():
        counted = np.zeros(shape, dtype=int)
        for part in full:
            if parameter in part.cuts and parameter not in part.left:
                counted[part.cuts[parameter].index] += 1
        assert (counted == 1).all(), parameter


@given(
    st.dictionaries(st.text("abc", min_size=1), st.integers(1, 99), min_size=1),
    st.integers(1, 8),
    st.sets(st.text("abc", min_size=1)),
)
@settings(max_examples=40)
def test_owners_of_what_all_have_do_not_depend_on_experts(sizes, ranks, experts):
    owners = owners_of({name: (size,) for name, size in sizes.items()}, ranks, experts)
    assert set(owners) == set(sizes)
    assert set(owners.values()) <= set(range(ranks))
    rest = {name: (size,) for name, size in sizes.items() if name not in experts}
    assert owners_of(rest, ranks).items() <= owners.items()


@pytest.mark.parametrize("ranks", [2, 3, 4, 8])
def test_owners_have_about_as_much_of_all_and_of_each_layer(ranks):
    shapes = parameter_shapes(replace(MODELS["untied"], layers=12))
    owners = owners_of(shapes, ranks)

    def loads(names):
        each = [0] * ranks
        for name in names:
            each[owners[name]] += prod(shapes[name])
        return each

    largest = max(prod(shape) for shape in shapes.values())
    assert max(loads(shapes)) - min(loads(shapes)) <= largest
    for number in range(12):
        layer = [name for name in shapes if name.startswith(f"model.layers.{number}.")]
        most, fair = max(prod(shapes[name]) for name in layer), sum(loads(layer)) / ranks
        assert max(loads(layer)) <= max(most, fair * 5 / 4)


def test_the_bias_of_experts_lies_with_its_router():
    shapes = parameter_shapes(MODELS["experts"]) | bias_shapes(MODELS["experts"])
    owners = owners_of(shapes, 3)
    biases = [name for name in shapes if name.endswith(BIAS)]
    assert biases
    assert all(owners[name] == owners[name.replace(BIAS, ROUTER)] for name in biases)


def test_nothing_can_be_shared_out_where_nothing_is_common():
    with pytest.raises(InvariantError, match="nothing is common"):
        partitions(MODELS["dense"], ParallelSettings(tensor=2, shard="full"))


def test_what_cannot_be_cut_evenly_is_our_fault_to_ask_for():
    with pytest.raises(InvariantError, match="kv_heads = 4 cannot be cut in 3"):
        partition(ModelSettings(heads=12, kv_heads=4), Layout(1, 1, 1, 3), 0)


def test_widths_of_what_a_model_has_not_need_not_divide():
    dense = ModelSettings(heads=6, kv_heads=3, width=48, ffn_width=12)
    assert expert_width(dense) % 3
    assert partition(dense, Layout(1, 1, 1, 3), 0).model.ffn_width == 4
    mixed = replace(dense, experts=2, expert_width=6, ffn_width=10)
    assert partition(mixed, Layout(1, 1, 1, 3), 0).model.expert_width == 2
