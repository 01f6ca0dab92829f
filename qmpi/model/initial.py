"""Initial weights: each parameter from its own counter seed, so that order and layout play no part.

Theory of operation. The seed of a parameter is BLAKE2b of (run seed, name). Drawing on the CPU
keeps the bits equal on every device. Projections that write to the residual stream are scaled by
1/sqrt(2 * layers), so that the stream's variance does not grow with depth (GPT-2).
"""

from hashlib import blake2b
from math import sqrt

import torch
from torch import Tensor, nn

from qmpi.config.model import ModelSettings

RESIDUAL = ("o_proj.weight", "down_proj.weight")
"""Endings of the parameters that write to the residual stream."""

ZERO = "bias"
"""Ending of the parameters that begin with 0; all other vectors, scales of norms, begin with 1."""


def parameter_seed(seed: int, name: str) -> int:
    """Return a parameter's own seed, 0 <= value < 2**63.

    Args:
        seed: seed of the run.
        name: name of the parameter.

    Returns:
        Seed for a torch generator.
    """
    raw = blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(raw, "little") >> 1


@torch.no_grad()
def initialise(model: nn.Module, settings: ModelSettings, seed: int) -> None:
    """Give every parameter its initial value, in place.

    Args:
        model: the transformer.
        settings: its shape.
        seed: seed of the run.
    """
    for name, parameter in model.named_parameters():
        initial_value(name, parameter, settings, seed)


@torch.no_grad()
def initial_value(name: str, parameter: Tensor, settings: ModelSettings, seed: int) -> None:
    """Give one parameter its initial value, in place.

    Args:
        name: of the parameter.
        parameter: what is overwritten.
        settings: shape of the model.
        seed: seed of the run.
    """
    if name.endswith(ZERO):
        parameter.zero_()
        return
    if parameter.dim() == 1:
        parameter.fill_(1.0)
        return
    std = settings.init_std
    if name.endswith(RESIDUAL):
        std /= sqrt(2 * settings.layers)
    generator = torch.Generator().manual_seed(parameter_seed(seed, name))
    parameter.copy_(torch.empty(parameter.shape).normal_(0.0, std, generator=generator))
