"""Each fused node against the plain expression: values, and gradients by autograd."""

import pytest
import torch
from torch.nn import functional

from qmpi.config.model import ModelSettings
from qmpi.model import plain
from qmpi.model.fused.cross_entropy import Loss
from qmpi.model.fused.heads import Heads
from qmpi.model.fused.norm import Norm
from qmpi.model.fused.query_blocks import QueryBlocks
from qmpi.model.fused.swiglu import SwiGlu
from qmpi.model.plain import Positions, Split

CPU = torch.device("cpu")
KINDS = [
    pytest.param(torch.float32, 2e-6, id="float32"),
    pytest.param(torch.bfloat16, 2e-2, id="bfloat16"),
]


def drawn(*shape, kind=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator).to(kind)


def near(got, wanted, tolerance):
    error = torch.linalg.vector_norm(got.double() - wanted.double())
    assert got.dtype == wanted.dtype
    assert float(error) <= tolerance * float(torch.linalg.vector_norm(wanted.double()))


def agree(node, expression, inputs, tolerance):
    """Compare outputs and gradients; None among the inputs is handed through."""
    results = []
    for function in (node, expression):
        leaves = [x if x is None else x.clone().requires_grad_() for x in inputs]
        outputs = function(*leaves)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        known = [x for x in leaves if x is not None]
        seeds = [drawn(*y.shape, kind=y.dtype, seed=7) for y in outputs]
        results.append([*outputs, *torch.autograd.grad(outputs, known, seeds)])
    for got, wanted in zip(*results, strict=True):
        near(got.detach(), wanted.detach(), tolerance)


@pytest.mark.parametrize(("kind", "tolerance"), KINDS)
def test_norm(kind, tolerance):
    agree(
        lambda x, w: Norm.apply(x, w, 1e-3, kind),
        lambda x, w: plain.norm(x, w, 1e-3, kind),
        (drawn(10, 24), 1 + 0.1 * drawn(24)),
        tolerance,
    )


@pytest.mark.parametrize(("kind", "tolerance"), KINDS)
def test_norm_of_a_product(kind, tolerance):
    """Behind a part a norm reads the compute type and writes what the stream is in."""
    agree(
        lambda x, w: Norm.apply(x, w, 1e-3, torch.float32),
        lambda x, w: plain.norm(x, w, 1e-3, torch.float32),
        (drawn(10, 24, kind=kind), 1 + 0.1 * drawn(24)),
        tolerance,
    )


@pytest.mark.parametrize(("kind", "tolerance"), KINDS)
def test_gate(kind, tolerance):
    agree(SwiGlu.apply, plain.swiglu, (drawn(10, 48, kind=kind),), tolerance)


@pytest.mark.parametrize("normed", [(8, 8), (32, 16), None], ids=["head", "projection", "none"])
@pytest.mark.parametrize(("kind", "tolerance"), KINDS)
def test_heads(kind, tolerance, normed):
    at = Positions.of(ModelSettings(width=32, heads=4, kv_heads=2), 6, CPU)
    split = Split(batch=3, heads=4, kv_heads=2, epsilon=1e-3)
    weights = [1 + 0.1 * drawn(size) for size in normed] if normed else [None, None]
    agree(
        lambda *leaves: Heads.apply(*leaves, at, split),
        lambda *leaves: plain.heads(*leaves, at, split),
        (drawn(18, 64, kind=kind), *weights),
        tolerance,
    )


@pytest.mark.parametrize("tokens", [5, 64, 150, 1100])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 2), (2, 2), (3, 1)])
def test_attention_by_blocks(heads, kv_heads, tokens):
    if tokens > 1000 and heads != 4:
        pytest.skip("once is enough")
    at = Positions.of(ModelSettings(width=heads * 8, heads=heads, kv_heads=kv_heads), tokens, CPU)
    inputs = [drawn(2, tokens, n, 8, seed=n) for n in (heads, kv_heads, kv_heads)]
    agree(lambda *x: QueryBlocks.apply(*x, at), lambda *x: plain.attend(*x, at), inputs, 1e-5)


def test_attention_by_blocks_in_bfloat16():
    at = Positions.of(ModelSettings(width=16, heads=2, kv_heads=1), 70, CPU)
    inputs = [drawn(1, 70, n, 8, seed=n) for n in (2, 1, 1)]
    rough = [x.bfloat16().requires_grad_() for x in inputs]
    exact = [x.detach().float().requires_grad_() for x in rough]
    got, wanted = QueryBlocks.apply(*rough, at), plain.attend(*exact, at)
    near(got.float().detach(), wanted.detach(), 2e-2)
    seed = drawn(*got.shape)
    of_got = torch.autograd.grad(got, rough, seed.bfloat16())
    for one, other in zip(of_got, torch.autograd.grad(wanted, exact, seed), strict=True):
        near(one.float(), other, 2e-2)


@pytest.mark.parametrize("cap", [0.0, 2.0])
@pytest.mark.parametrize("rows", [3, 512, 700])
def test_loss_and_its_gradients(rows, cap):
    vocabulary, width = 8200, 12  # of more than 512 rows a chunk has but 512
    features, head = drawn(rows, width), drawn(vocabulary, width, seed=2)
    targets = torch.randint(vocabulary, (rows,), generator=torch.Generator().manual_seed(3))
    before = 1e-4 * drawn(vocabulary, width, seed=9)
    of_head = before.clone()
    loss = Loss(rows, vocabulary, torch.float32, CPU, cap)
    value, of_features = loss.step(features, head, targets, 0.5 / rows, of_head)
    leaves = [features.clone().requires_grad_(), head.clone().requires_grad_()]
    logits = leaves[0] @ leaves[1].T
    wanted = functional.cross_entropy(torch.tanh(logits / cap) * cap if cap else logits, targets)
    (0.5 * wanted).backward()
    assert value == pytest.approx(float(wanted.detach()), rel=1e-6)
    near(of_features, leaves[0].grad, 1e-5)
    near(of_head - before, leaves[1].grad, 1e-4)  # it is added to what was there


def test_loss_in_bfloat16():
    features, head = drawn(40, 16).bfloat16(), drawn(300, 16, seed=2).bfloat16()
    targets = torch.arange(40)
    of_head = torch.zeros(300, 16)
    loss = Loss(40, 300, torch.bfloat16, CPU)
    value, of_features = loss.step(features, head, targets, 1 / 40, of_head)
    leaves = [x.float().requires_grad_() for x in (features, head)]
    wanted = functional.cross_entropy(leaves[0] @ leaves[1].T, targets)
    wanted.backward()
    assert value == pytest.approx(float(wanted.detach()), rel=1e-2)
    near(of_features.float(), leaves[0].grad, 2e-2)
    near(of_head, leaves[1].grad, 2e-2)


def test_a_hopeless_target_has_a_finite_loss():
    head = torch.tensor([[0.0], [200.0]])
    loss = Loss(1, 2, torch.float32, CPU)
    of_head = torch.zeros(2, 1)
    value, of_features = loss.step(torch.ones(1, 1), head, torch.tensor([0]), 1.0, of_head)
    assert value == pytest.approx(200.0)
    assert float(of_features) == pytest.approx(200.0)
    assert of_head.flatten().tolist() == [-1.0, 1.0]


def test_angles_are_turned_in_float32():
    """At far positions an angle in bfloat16 is off by much more than the features' rounding."""
    settings = ModelSettings(width=64, heads=1, kv_heads=1)
    at = Positions.of(settings, 512, CPU)
    merged = drawn(512, 192).bfloat16()
    split = Split(1, 1, 1, 1e-6)
    for form in (Heads.apply, plain.heads):
        got = form(merged, None, None, at, split)
        wanted = plain.heads(merged.float(), None, None, at, split)
        for one, other in zip(got, wanted, strict=True):
            error = (one.float() - other).abs().max() / other.abs().max()
            assert float(error) < 2**-8
