import math

import pytest
import torch

from qmpi.training.norm import PIECE, global_norm


def in_float64(flat):
    return math.sqrt(sum(float(part.double().square().sum()) for part in flat.split(1 << 20)))


@pytest.mark.parametrize("count", [1 << 24, (1 << 26) + 3])
def test_large_gradients_have_the_norm_that_float64_gives(count):
    flat = torch.randn(count, generator=torch.Generator().manual_seed(1)) * 1e-3
    assert global_norm(flat) == pytest.approx(in_float64(flat), rel=2e-6)


@pytest.mark.parametrize("count", [0, 1, PIECE - 1, PIECE, 3 * PIECE + 1])
def test_pieces_and_the_rest_all_count(count):
    flat = torch.arange(count, dtype=torch.float32)
    assert global_norm(flat) == pytest.approx(in_float64(flat), rel=2e-6)


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("place", [5, PIECE + 5])
def test_what_is_not_finite_has_no_finite_norm(bad, place):
    flat = torch.ones(PIECE + 9)
    flat[place] = bad
    assert not math.isfinite(global_norm(flat))
