"""Shared by tests of a CUDA device: `pytest -k cuda` finds all; without a device they skip."""

from typing import TypeVar

import pytest
import torch

Test = TypeVar("Test")

CUDA = torch.device("cuda")
NEEDS_CUDA = (
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    # On a device torch is asked to warn, not to refuse, where it has no deterministic kernel; what
    # matters is whether the bits are the same, and that is tested.
    pytest.mark.filterwarnings("ignore:(?i).*deterministic"),
)


def needs_cuda(test: Test) -> Test:
    """Skip a test where there is no CUDA device."""
    for mark in NEEDS_CUDA:
        test = mark(test)
    return test
