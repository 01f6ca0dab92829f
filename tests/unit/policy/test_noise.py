"""The noise scale against the covariance of vectors that are there, and against known truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.policy.noise import noise_of, noise_scale


def measured(step, gradients):
    """Return what a step over these lanes tells, as the engine measures it."""
    squares = [float(gradient @ gradient) for gradient in gradients]
    norm = float(np.linalg.norm(gradients.mean(axis=0)))
    return noise_of(step, sum(squares) / len(squares), norm, len(gradients))


@given(st.integers(2, 9), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_the_variance_is_the_trace_of_the_covariance_of_lanes(lanes, size, seed):
    gradients = np.random.default_rng(seed).normal(1.0, 2.0, (lanes, size))
    told = measured(0, gradients)
    trace = np.trace(np.atleast_2d(np.cov(gradients, rowvar=False)))
    assert told.variance == pytest.approx(trace, rel=1e-6, abs=1e-9)
    mean = gradients.mean(axis=0)
    assert told.square == pytest.approx(mean @ mean - trace / lanes, rel=1e-6, abs=1e-9)


def test_over_many_steps_it_finds_the_truth_whatever_the_lanes():
    chance = np.random.default_rng(1)
    true, spread = chance.normal(0.0, 1.0, 40), np.linspace(0.1, 3.0, 40)
    expected = float((spread**2).sum() / (true @ true))
    for lanes in (2, 8):
        told = [
            measured(step, true + spread * chance.normal(0.0, 1.0, (lanes, 40)))
            for step in range(400)
        ]
        assert noise_scale(told) == pytest.approx(expected, rel=0.1)


def test_what_cannot_be_told():
    assert noise_of(0, -1.0, 1.0, 4) is None, "not measured"
    assert noise_of(0, 2.0, -1.0, 4) is None, "not finite"
    assert noise_of(0, 2.0, 1.0, 1) is None, "one lane"
    assert noise_scale([]) is None
    hidden = noise_of(0, 100.0, 1.0, 4)
    assert hidden is not None
    assert hidden.square < 0.0
    assert noise_scale([hidden]) is None
