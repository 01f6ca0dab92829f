"""Products in float8: exact scales, rounding of the formats, gradients, what is not finite."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from unit.training.on_cuda import CUDA, needs_cuda

from qmpi.model.fused.float8 import MOST, linear, multiplied, rounded, scale_of

KINDS = sorted(MOST, key=str)


def drawn(*shape, seed=1, kind=torch.bfloat16):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=draw).to(kind)


@given(st.floats(min_value=2.0**-90, max_value=2.0**90), st.sampled_from(KINDS))
def test_a_scale_is_the_largest_power_of_two_that_fits(largest, kind):
    tensor = torch.tensor([0.0, -largest, largest / 3])
    scale = scale_of(tensor, kind)
    mantissa, _ = torch.frexp(scale)
    assert mantissa == 0.5
    top = tensor.abs().max() * scale
    # A quotient may be rounded up to the power of two that it just misses.
    assert top * (1 - 2.0**-23) <= MOST[kind] < 2 * top
    assert rounded(tensor, scale, kind).to(torch.float32).isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_zeros_and_what_float8_holds_are_exact(kind):
    zeros = torch.zeros(4, 4)
    assert not rounded(zeros, scale_of(zeros, kind), kind).to(torch.float32).any()
    held = torch.tensor([1.0, -1.75, 0.25, 0.0]) * 2.0**30
    scale = scale_of(held, kind)
    assert torch.equal(rounded(held, scale, kind).to(torch.float32) / scale, held)


def test_a_product_is_that_of_the_rounded_operands():
    x, weight, gradient = drawn(32, 48), drawn(16, 48, seed=2), drawn(32, 16, seed=3)
    narrow = [
        rounded(t, scale_of(t, kind), kind).to(torch.float64) / scale_of(t, kind).double()
        for t, kind in ((x, torch.float8_e4m3fn), (weight, torch.float8_e4m3fn),
                        (gradient, torch.float8_e5m2))
    ]  # fmt: skip
    x.requires_grad_()
    weight.requires_grad_()
    out = linear(x, weight)
    out.backward(gradient)
    for found, wanted in (
        (out, narrow[0] @ narrow[1].T),
        (x.grad, narrow[2] @ narrow[1]),
        (weight.grad, narrow[2].T @ narrow[0]),
    ):
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found.double(), wanted, rtol=2**-8, atol=1e-5)


def test_it_is_near_the_wide_product():
    x, weight = drawn(256, 512), drawn(128, 512, seed=2)
    wide = x.double() @ weight.double().T
    error = (linear(x, weight).double() - wide).norm() / wide.norm()
    assert 0.01 < error < 0.05


@pytest.mark.parametrize("wrong", [float("inf"), float("nan")])
@pytest.mark.parametrize("place", ["x", "weight", "gradient"])
def test_what_is_not_finite_stays_so(wrong, place):
    given_ = {
        "x": drawn(16, 32),
        "weight": drawn(16, 32, seed=2),
        "gradient": drawn(16, 16, seed=3),
    }
    given_[place][3, 3] = wrong
    x, weight = given_["x"].requires_grad_(), given_["weight"].requires_grad_()
    out = linear(x, weight)
    out.backward(given_["gradient"])
    assert out.isfinite().all() == (place == "gradient")
    assert not (weight.grad.isfinite().all() and x.grad.isfinite().all())


def test_features_are_kept_in_one_byte_and_the_weight_as_it_is():
    seen = []
    x, weight = drawn(32, 48).requires_grad_(), drawn(16, 48, seed=2).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: seen.append(t) or t, lambda t: t):
        linear(x, weight)
    assert [t.dtype for t in seen[:2]] == [torch.float8_e4m3fn, torch.bfloat16]
    assert seen[1].data_ptr() == weight.data_ptr()


TORCHAO = """
import sys
import numpy as np
import torch
from torchao.float8.config import Float8LinearConfig
from torchao.float8.float8_linear import matmul_with_hp_or_float8_args as product
from torchao.float8.float8_training_tensor import LinearMMConfig, ScaledMMConfig
each = ScaledMMConfig(True, False, False, False)
config = Float8LinearConfig(emulate=True, round_scales_to_power_of_2=True)
x, weight, gradient = (torch.from_numpy(a) for a in np.load(sys.argv[1]).values())
x.requires_grad_()
weight.requires_grad_()
out = product.apply(x, weight.t(), LinearMMConfig(each, each, each), config)
out.backward(gradient)
np.savez(sys.argv[2], out.detach(), x.grad, weight.grad)
"""


@pytest.mark.skipif(importlib.util.find_spec("torchao") is None, reason="torchao is the oracle")
@pytest.mark.timeout(300)
def test_products_are_those_of_torchao(tmp_path):
    # In a process of its own: its import writes to the log and registers classes.
    shapes = ((32, 48), (16, 48), (32, 16))
    x, weight, gradient = (
        drawn(*shape, seed=n, kind=torch.float32) for n, shape in enumerate(shapes)
    )
    paths = [str(tmp_path / name) for name in ("given.npz", "made.npz")]
    np.savez(paths[0], x, weight, gradient)
    command = [sys.executable, "-c", TORCHAO, *paths]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    x.requires_grad_()
    weight.requires_grad_()
    out = linear(x, weight)
    out.backward(gradient)
    for mine, theirs in zip(
        (out.detach(), x.grad, weight.grad), np.load(paths[1]).values(), strict=True
    ):
        torch.testing.assert_close(mine, torch.from_numpy(theirs), rtol=1e-5, atol=1e-5)


@needs_cuda
def test_cuda_products_are_those_of_a_cpu():
    if torch.cuda.get_device_capability() < (8, 9):
        pytest.skip("needs a GPU that multiplies float8")
    a, b = drawn(64, 128), drawn(32, 128, seed=2)
    for kind in KINDS:
        scales = scale_of(a, kind), scale_of(b, torch.float8_e4m3fn)
        narrow = rounded(a, scales[0], kind), rounded(b, scales[1], torch.float8_e4m3fn)
        wanted = multiplied(*narrow, scales, torch.bfloat16)
        found = multiplied(
            *(t.to(CUDA) for t in narrow), tuple(s.to(CUDA) for s in scales), torch.bfloat16
        )
        torch.testing.assert_close(found.cpu(), wanted, rtol=2**-7, atol=1e-4)
