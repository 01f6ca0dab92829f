"""The planner counts as the model does, and as published models are counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from published_runs import RUNS
from unit.model.families import FAMILIES

from qmpi.config.model import ModelSettings
from qmpi.model import shape as model_shape
from qmpi.model.shape import parameter_shapes
from qmpi.planning.scaling import model_of_depth
from qmpi.planning.shape import (
    active_parameters,
    flops_per_token,
    matrices_a_token,
    muon_flops,
    parameters,
    shape_of,
)
from qmpi.training.flat_state import lay_out
from qmpi.training.muon import batches
from qmpi.training.orthogonal import POLAR


@st.composite
def models(draw: st.DrawFn) -> ModelSettings:
    kv = draw(st.sampled_from([1, 2, 4]))
    heads = kv * draw(st.sampled_from([1, 2, 3]))
    return ModelSettings(
        vocab_size=draw(st.integers(256, 200_000)),
        layers=draw(st.integers(1, 130)),
        heads=heads,
        kv_heads=kv,
        width=heads * 2 * draw(st.integers(1, 128)),
        head_dim=draw(st.sampled_from([0, 0, 2, 128])),
        ffn_width=draw(st.sampled_from([0, 64, 1000])),
        tied_head=draw(st.booleans()),
        qk_norm=draw(st.booleans()),
        qk_norm_over=draw(st.sampled_from(["head", "projection"])),
        norm_place=draw(st.sampled_from(["pre", "post"])),
        window=draw(st.sampled_from([0, 0, 1, 500, 10_000])),
        window_pattern=draw(st.sampled_from(["", "wf", "fww"])),
        sinks=draw(st.sampled_from([0, 4, 2000])),
        predict_ahead=draw(st.sampled_from([0, 0, 1, 3])),
    )


@given(models(), st.integers(8, 1_000_000))
def test_counts_are_those_of_the_model(model: ModelSettings, tokens: int) -> None:
    shape = shape_of(model)
    assert parameters(shape) == model_shape.parameter_count(model)
    # The planner takes the mean over layers with windows.
    wanted = pytest.approx(model_shape.flops_per_token(model, tokens), rel=1e-12)
    assert flops_per_token(shape, tokens) == wanted


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_counted_as_the_model_does(family: str) -> None:
    model = FAMILIES[family].model
    shape = shape_of(model)
    assert parameters(shape) == model_shape.parameter_count(model)
    assert active_parameters(shape) == model_shape.active_count(model)
    assert flops_per_token(shape, 8) == pytest.approx(model_shape.flops_per_token(model, 8))
    parts = batches(lay_out(parameter_shapes(model), "muon"), "cpu")
    each = [len(part.slots) * (4 * part.rows**2 * part.cols + 2 * part.rows**3) for part in parts]
    assert muon_flops(shape) == len(POLAR) * sum(each)


@st.composite
def mixtures(draw: st.DrawFn) -> ModelSettings:
    dense = draw(models())
    experts = draw(st.integers(2, 256))
    return replace(
        dense,
        layers=dense.layers + 1,
        experts=experts,
        experts_per_token=draw(st.integers(1, min(8, experts))),
        shared_experts=draw(st.sampled_from([0, 1, 3])),
        expert_width=draw(st.sampled_from([0, 8, 768])),
        dense_layers=draw(st.integers(0, dense.layers)),
    )


@given(mixtures(), st.integers(8, 1_000_000))
def test_experts_are_counted_as_the_model_does(model: ModelSettings, tokens: int) -> None:
    shape = shape_of(model)
    assert parameters(shape) == model_shape.parameter_count(model)
    assert active_parameters(shape) == model_shape.active_count(model)
    assert flops_per_token(shape, tokens) == pytest.approx(
        model_shape.flops_per_token(model, tokens), rel=1e-12
    )


def test_the_products_of_an_update_count_every_expert() -> None:
    model = ModelSettings(layers=3, experts=5, shared_experts=1, router="sigmoid", dense_layers=1)
    assert_muon_flops(model)


@pytest.mark.parametrize("experts", [{}, {"experts": 4, "dense_layers": 1}])
def test_the_products_of_an_update_count_ahead_modules(experts: dict[str, int]) -> None:
    assert_muon_flops(ModelSettings(layers=3, predict_ahead=2, **experts))


def assert_muon_flops(model: ModelSettings) -> None:
    parts = batches(lay_out(parameter_shapes(model), "muon"), "cpu")
    each = [len(part.slots) * (4 * part.rows**2 * part.cols + 2 * part.rows**3) for part in parts]
    assert muon_flops(shape_of(model)) == len(POLAR) * sum(each)


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("GPT 1.7B, 32 A100", 1.7),
        ("GPT 3.6B, 64 A100", 3.6),
        ("GPT 7.5B, 128 A100", 7.5),
        ("GPT 18.4B, 256 A100", 18.4),
        ("GPT 145.6B, 1,536 A100", 145.6),
        ("GPT 529.6B, 2,520 A100", 529.6),
        ("GPT 1008.0B, 3,072 A100", 1008.0),
        ("8B, 8 H100", 8.03),
        ("405B, 8,192 H100, 8K", 405.9),
    ],
)
def test_published_models_have_their_published_size(name: str, billions: float) -> None:
    run = next(run for run in RUNS if run.name == name)
    assert parameters(run.shape) / 1e9 == pytest.approx(billions, rel=0.004, abs=0.05)


def test_a_mixture_counts_what_a_token_passes() -> None:
    run = next(run for run in RUNS if run.family == "DeepSeek-V3")
    # The report says 671 B without the head that predicts further, and 37 B active.
    assert parameters(run.shape) / 1e9 == pytest.approx(671 + 11.5, rel=0.01)
    further = 3e9
    assert matrices_a_token(run.shape) == pytest.approx(37e9 + further, rel=0.07)


@pytest.mark.parametrize("depth", [3, 12])
def test_the_products_of_an_update_are_those_of_the_engine(depth: int) -> None:
    assert_muon_flops(model_of_depth(depth))
