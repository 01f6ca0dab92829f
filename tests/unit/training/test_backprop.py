"""The training pass against the reference model: loss, and the gradient of every parameter."""

import time

import pytest
import torch
from msgspec.structs import replace
from unit.model.families import FAMILIES
from unit.training.on_cuda import CUDA, NEEDS_CUDA
from unit.training.small_job import job

from qmpi.config.model import ModelSettings
from qmpi.model import plain
from qmpi.model.initial import initialise
from qmpi.model.layer import choose_kernels, make_layers
from qmpi.model.transformer import Transformer
from qmpi.training.backprop import Backprop
from qmpi.training.ends import Ends
from qmpi.training.flat_state import FlatState, lay_out, state_shapes
from qmpi.training.own_tokens import OwnTokens
from qmpi.training.source_losses import NOT_KNOWN
from qmpi.training.stopwatch import make_stopwatch
from qmpi.training.weights import Weights, gradients_of

CPU = torch.device("cpu")
DEVICES = [pytest.param(CPU, id="cpu"), pytest.param(CUDA, marks=NEEDS_CUDA, id="cuda")]
SHAPES = {
    "grouped": {},
    "untied": {"tied_head": False, "kv_heads": 4},
    "without norms of heads": {"qk_norm": False},
    "windows": {"window": 5, "sinks": 2, "window_pattern": "wf"},
    "windows, documents, capped": {"window": 4, "logit_softcap": 2.0, "vocab_size": 256},
    "documents": {"vocab_size": 256},
    "scaled": {"rope_scaling": "yarn", "rope_factor": 4.0, "rope_original_tokens": 8},
    "norms behind": {"norm_place": "post", "qk_norm_over": "projection"},
    "norms behind, windows, documents": {
        "norm_place": "post", "window": 4, "window_pattern": "wf", "vocab_size": 256,
    },
    "odd": {"width": 20, "heads": 2, "kv_heads": 1, "ffn_width": 6},
}  # fmt: skip
"""At the odd shape no two parameters lie side by side: leaves are copies."""
MIXTURES = {
    "experts": {"experts": 4},
    "shared experts": {
        "experts": 6, "experts_per_token": 3, "shared_experts": 1, "router": "sigmoid",
        "dense_layers": 1, "ffn_width": 48,
    },
    "experts, norms over all heads": {"experts": 4, "qk_norm_over": "projection"},
    "odd experts": {"experts": 5, "expert_width": 7, "width": 20, "heads": 2, "kv_heads": 1},
}  # fmt: skip


MASKED = ("windows, documents, capped", "norms behind, windows, documents", "documents")
DIVIDERS = dict.fromkeys(MASKED, 3) | {
    name: family.divider for name, family in FAMILIES.items() if family.divider is not None
}
"""Token that ends a document, by shape."""


def family_job(name):
    model = replace(FAMILIES[name].model, init_std=0.2)
    return replace(job(), model=model)


def settings_of(shape):
    model = ModelSettings(**{"vocab_size": 300, "layers": 2, "width": 32, "heads": 4, "kv_heads": 2,
                             "init_std": 0.2, **shape})  # fmt: skip
    return replace(job(), model=model)


def reference(settings, ids, divider=None):
    model = Transformer(settings.model, divider)
    initialise(model, settings.model, 3)
    for number, parameter in enumerate(model.parameters()):
        if parameter.dim() == 1:  # ones would hide a forgotten scale
            generator = torch.Generator().manual_seed(number)
            parameter.data.uniform_(0.5, 1.5, generator=generator)
    loss = model.loss(ids[:, :-1], ids[:, 1:])
    loss.backward()
    return model, float(loss.detach())


def gradients(settings, model, ids, kind, *, compiled=False, device=CPU):
    """Compute them with the engine's parts; documents are those of the reference."""
    state = FlatState(lay_out(state_shapes(settings.model)), device)
    held = model.state_dict()
    for slot in state.layout.slots:
        state.view(slot).copy_(held[slot.name])
    weights, found = Weights(settings.model, state, kind), {}

    def take(leaf, gradient):
        for part, of_part in gradients_of(leaf, gradient):
            assert of_part.is_contiguous()
            assert part.slot.name not in found
            found[part.slot.name] = of_part.float().cpu()

    weights.on_gradient(take)
    weights.refresh()
    kernels = choose_kernels(device, ids.shape[1] - 1, compiled=compiled)
    watch, ends = make_stopwatch(device, time.monotonic), Ends(weights, settings.model)
    tokens = OwnTokens(settings, device, model.divider)
    backprop = Backprop(settings, weights, kernels, watch, ends, tokens)
    backprop.begin_lane()
    layers = make_layers(settings.model, ids.shape[0], kernels)
    loss = backprop.run(layers, ids.to(device), 1.0, NOT_KNOWN)
    found[weights.head.slot.name] = ends.of_head.cpu()
    found[weights.table.slot.name] = ends.of_table.cpu()
    return loss, found


def drawn_ids(settings, name):
    train = settings.train
    generator = torch.Generator().manual_seed(5)
    shape = (train.sequences, train.sequence_tokens + 1)
    ids = torch.randint(settings.model.vocab_size, shape, generator=generator)
    if name in DIVIDERS:
        ids[0, 4] = ids[0, 11] = ids[1, 0] = ids[1, 15] = DIVIDERS[name]
    return ids


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("compiled", [False, True], ids=["fused", "plain"])
@pytest.mark.parametrize("name", [*SHAPES, *MIXTURES, *FAMILIES])
def test_loss_and_gradients_are_those_of_the_model(name, compiled, device):
    known = SHAPES | MIXTURES
    settings = settings_of(known[name]) if name in known else family_job(name)
    ids, divider = drawn_ids(settings, name), DIVIDERS.get(name)
    model, wanted = reference(settings, ids, divider)
    loss, found = gradients(settings, model, ids, torch.float32, compiled=compiled, device=device)
    assert loss == pytest.approx(wanted, rel=1e-6)
    assert found.keys() == dict(model.named_parameters()).keys()
    for parameter_name, parameter in model.named_parameters():
        error = torch.linalg.vector_norm(found[parameter_name] - parameter.grad)
        assert float(error) <= 1e-5 * float(torch.linalg.vector_norm(parameter.grad))


@pytest.mark.parametrize("kept", [True, False], ids=["short", "long"])
def test_a_document_does_not_see_its_neighbour(kept, monkeypatch):
    """Nor does it do so by its gradients: only its own tokens have any in the table."""
    if not kept:
        monkeypatch.setattr(plain, "MOST_TOKENS", 8)
    settings = settings_of(SHAPES["windows"] | {"tied_head": False, "vocab_size": 256})
    settings = replace(settings, train=replace(settings.train, sequences=1))
    ids = drawn_ids(settings, "")
    ids[0] = torch.arange(10, 10 + ids.shape[1])
    ids[0, 9] = 3
    other = ids.clone()
    other[0, :9] += 100
    losses, tables = [], []
    for given in (ids, other):
        model, _ = reference(settings, given, 3)
        with torch.no_grad():
            losses.append(model(given[:, :-1])[0, 9:])
        _, found = gradients(settings, model, given, torch.float32)
        tables.append(found["model.embed_tokens.weight"][10 + 10 : 10 + ids.shape[1] - 1])
    torch.testing.assert_close(*losses, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(*tables, rtol=1e-5, atol=1e-7)
    seeing, _ = reference(settings, ids, None)
    assert not torch.allclose(seeing(ids[:, :-1])[0, 9:], losses[0], atol=1e-3)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", SHAPES)
def test_bfloat16_is_near(name, device):
    settings = settings_of(SHAPES[name] | {"init_std": 0.05})
    ids, divider = drawn_ids(settings, name), DIVIDERS.get(name)
    model, wanted = reference(settings, ids, divider)
    loss, found = gradients(settings, model, ids, torch.bfloat16, device=device)
    assert loss == pytest.approx(wanted, rel=1e-2)
    for parameter_name, parameter in model.named_parameters():
        error = torch.linalg.vector_norm(found[parameter_name] - parameter.grad)
        assert float(error) <= 5e-2 * float(torch.linalg.vector_norm(parameter.grad))


def test_leaves_follow_the_state_only_when_refreshed():
    settings = settings_of(SHAPES["grouped"])
    state = FlatState(lay_out(state_shapes(settings.model)), CPU)
    weights = Weights(settings.model, state, torch.bfloat16)
    weights.refresh()
    state.params.fill_(2.0)
    assert float(weights.layers[1].qkv.detach().max()) == 0.0
    weights.refresh()
    assert float(weights.layers[1].qkv.detach().min()) == 2.0
    assert float(weights.head_values.min()) == 2.0
    assert weights.layers[0].qkv.dtype == torch.bfloat16
    assert weights.layers[0].mlp_norm.dtype == torch.float32


def test_in_float32_leaves_are_the_state():
    settings = settings_of(SHAPES["grouped"])
    state = FlatState(lay_out(state_shapes(settings.model)), CPU)
    weights = Weights(settings.model, state, torch.float32)
    assert not any(leaf.copied for leaf in weights.leaves)
    state.params.fill_(2.0)
    assert float(weights.layers[1].gate_up.detach().min()) == 2.0
