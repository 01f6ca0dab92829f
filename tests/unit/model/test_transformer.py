"""The model against a plain float64 implementation in numpy."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from unit.model.families import FAMILIES

from qmpi.config.model import ModelSettings
from qmpi.config.widths import ffn_width
from qmpi.model.initial import RESIDUAL, ZERO, initialise, parameter_seed
from qmpi.model.layer import merged_names
from qmpi.model.shape import (
    bias_shapes,
    flops_per_token,
    is_matrix,
    layer_kinds,
    layer_shapes,
    parameter_count,
    parameter_shapes,
)
from qmpi.model.transformer import Transformer

SHAPES = [
    ModelSettings(vocab_size=256, width=16, init_std=0.3, **shape)
    for shape in (
        {"layers": 2, "heads": 4, "kv_heads": 2},
        {"layers": 1, "heads": 2, "kv_heads": 2, "tied_head": False},
        {"layers": 2, "heads": 4, "kv_heads": 1, "qk_norm": False},
        {"layers": 2, "heads": 4, "kv_heads": 2, "predict_ahead": 2},
        {"layers": 2, "heads": 4, "kv_heads": 2, "norm_place": "post"},
        {"layers": 2, "heads": 4, "kv_heads": 2, "qk_norm_over": "projection"},
        {
            "layers": 2, "heads": 4, "kv_heads": 2, "tied_head": False,
            "norm_place": "post", "qk_norm_over": "projection",
        },
    )
]  # fmt: skip


def made(settings, seed=1):
    model = Transformer(settings)
    initialise(model, settings, seed)
    return model


def norm(x, weight, epsilon):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weight


def turn(x, theta):
    tokens, features = x.shape
    half = features // 2
    out = np.empty_like(x)
    for t in range(tokens):
        for i in range(half):
            angle = t * theta ** (-2 * i / features)
            a, b = x[t, i], x[t, i + half]
            out[t, i] = a * np.cos(angle) - b * np.sin(angle)
            out[t, i + half] = b * np.cos(angle) + a * np.sin(angle)
    return out


def attend(x, w, s):
    head = s.width // s.heads
    out = np.zeros((len(x), s.heads * head))
    q, k, v = (x @ w[f"self_attn.{n}_proj.weight"].T for n in "qkv")
    if s.qk_norm_over == "projection":
        q = norm(q, w["self_attn.q_norm.weight"], s.norm_eps)
        k = norm(k, w["self_attn.k_norm.weight"], s.norm_eps)
    for h in range(s.heads):
        g = h // (s.heads // s.kv_heads)
        qh, kh, vh = (
            q[:, h * head :][:, :head],
            k[:, g * head :][:, :head],
            v[:, g * head :][:, :head],
        )
        if s.qk_norm and s.qk_norm_over == "head":
            qh = norm(qh, w["self_attn.q_norm.weight"], s.norm_eps)
            kh = norm(kh, w["self_attn.k_norm.weight"], s.norm_eps)
        scores = turn(qh, s.rope_theta) @ turn(kh, s.rope_theta).T / np.sqrt(head)
        scores[np.triu_indices(len(x), 1)] = -np.inf
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        out[:, h * head : (h + 1) * head] = weights / weights.sum(-1, keepdims=True) @ vh
    return out @ w["self_attn.o_proj.weight"].T


def feed(x, w):
    gate = x @ w["mlp.gate_proj.weight"].T
    hidden = gate / (1 + np.exp(-gate)) * (x @ w["mlp.up_proj.weight"].T)
    return hidden @ w["mlp.down_proj.weight"].T


def plain(weights, s, ids):
    x = weights["model.embed_tokens.weight"][ids]
    for layer in range(s.layers):
        prefix = f"model.layers.{layer}."
        w = {n.removeprefix(prefix): v for n, v in weights.items() if n.startswith(prefix)}
        if s.norm_place == "post":
            y = norm(attend(x, w, s), w["post_attention_layernorm.weight"], s.norm_eps)
            x = x + y
            x = x + norm(feed(x, w), w["post_feedforward_layernorm.weight"], s.norm_eps)
            continue
        x = x + attend(norm(x, w["input_layernorm.weight"], s.norm_eps), w, s)
        x = x + feed(norm(x, w["post_attention_layernorm.weight"], s.norm_eps), w)
    x = norm(x, weights["model.norm.weight"], s.norm_eps)
    return x @ weights.get("lm_head.weight", weights["model.embed_tokens.weight"]).T


@pytest.mark.parametrize("settings", SHAPES)
def test_logits_and_loss_equal_the_plain_form(settings):
    model = made(settings)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:  # ones would hide a forgotten scale
                generator = torch.Generator().manual_seed(parameter_seed(9, name))
                parameter.uniform_(0.5, 1.5, generator=generator)
    ids = np.random.default_rng(2).integers(0, 256, 12)
    weights = {n: p.detach().double().numpy() for n, p in model.named_parameters()}
    expected = plain(weights, settings, ids)
    logits = model(torch.from_numpy(ids)[None])[0].detach().double().numpy()
    np.testing.assert_allclose(logits, expected, atol=2e-4 * np.abs(expected).max())
    targets = np.roll(ids, 1)
    likely = expected - np.log(np.exp(expected).sum(-1, keepdims=True))
    loss = model.loss(torch.from_numpy(ids)[None], torch.from_numpy(targets)[None])
    assert float(loss.detach()) == pytest.approx(-likely[np.arange(12), targets].mean(), rel=1e-4)


@pytest.mark.parametrize("settings", [*SHAPES, *(family.model for family in FAMILIES.values())])
def test_table_of_shapes_is_that_of_the_model(settings):
    model = Transformer(settings)
    assert {n: tuple(p.shape) for n, p in model.named_parameters()} == parameter_shapes(settings)
    assert parameter_count(settings) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_without_the_residual_parameters_a_layer_leaves_the_stream_alone(family):
    """So none is forgotten among those whose spread shrinks with depth, and none is there twice."""
    settings = FAMILIES[family].model
    model = made(settings)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(RESIDUAL):
                parameter.zero_()
        ids = torch.arange(24).view(2, 12)
        embedded = model.model.embed_tokens(ids)
        assert torch.equal(model.model(ids), model.model.norm(embedded))


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_begin_as_their_names_and_shapes_say(family):
    settings = FAMILIES[family].model
    model = made(settings)
    for name, parameter in model.named_parameters():
        values = parameter.detach()
        if name.endswith(ZERO):
            assert not values.any(), name
        elif values.dim() == 1:
            assert torch.equal(values, torch.ones_like(values)), name
        elif is_matrix(tuple(values.shape)):
            depth = (2 * settings.layers) ** 0.5 if name.endswith(RESIDUAL) else 1.0
            wanted = pytest.approx(settings.init_std / depth, rel=0.2)
            assert float(values.std()) == wanted, name
    state = dict(model.named_buffers())
    assert {name: tuple(state[name].shape) for name in bias_shapes(settings)} == bias_shapes(
        settings
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_are_merged_from_parameters_of_one_width(family):
    settings = FAMILIES[family].model
    for kind in set(layer_kinds(settings)):
        shapes = layer_shapes(settings, kind)
        merged = merged_names(settings, kind)
        names = [name for held in merged.values() for name in held]
        assert len(set(names)) == len(names)
        for held in merged.values():
            assert len({shapes[name][1:] for name in held}) <= 1
        own = ("mlp.gate.", "mlp.shared_experts.")
        assert set(shapes) - set(names) == {name for name in shapes if name.startswith(own)}


def test_counts_by_hand():
    settings = ModelSettings(vocab_size=256, layers=1, width=16, heads=2, kv_heads=1, ffn_width=8)
    matrices = 16 * 16 * 2 + 16 * 8 * 2 + 3 * 16 * 8
    assert parameter_count(settings) == 256 * 16 + matrices + 3 * 16 + 2 * 8
    assert flops_per_token(settings, 10) == 6 * (matrices + 256 * 16) + 6 * 16 * 10
    assert ffn_width(ModelSettings(width=128)) == 384


def test_initial_weights_depend_on_name_and_seed_alone():
    deep, flat = (made(ModelSettings(layers=n, width=64)) for n in (3, 1))
    name = "model.layers.0.self_attn.q_proj.weight"
    assert torch.equal(deep.get_parameter(name), flat.get_parameter(name))
    other = made(ModelSettings(layers=1, width=64), seed=2)
    assert not torch.equal(other.get_parameter(name), flat.get_parameter(name))
    spread = deep.get_parameter("model.layers.2.mlp.down_proj.weight").detach().std()
    assert float(spread) == pytest.approx(0.02 / 6**0.5, rel=0.05)


def test_shape_loads_without_torch():
    code = "import sys, qmpi.model.shape; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
