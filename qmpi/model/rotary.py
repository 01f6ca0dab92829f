"""Rotary angles, and three ways to let them reach further than weights were trained for.

Theory of operation. Pair i of a head's D features turns by theta^(-2i/D) a position. Over longer
sequences than trained, slow pairs would meet angles that they have never seen, so they are slowed:
all by the factor ("linear"); only those that turn less than a few times in the old length, with a
transition between ("llama3", by wavelength; "yarn", by number of turns, and with a constant that
sharpens attention). Formulas and constants are those of `transformers`, in float64.
"""

import math

import torch
from torch import Tensor

from qmpi.config.model import ModelSettings
from qmpi.model.shape import head_dim

LOW_TURNS, HIGH_TURNS = 1.0, 4.0
"""llama3: pairs that turn less often in the old length are slowed, those that do more are not."""

SLOW_TURNS, FAST_TURNS = 1.0, 32.0
"""Likewise of yarn."""


def speeds(settings: ModelSettings) -> tuple[Tensor, float]:
    """Compute how fast each pair turns.

    Args:
        settings: shape of the model.

    Returns:
        Radians a position, float64 [D / 2], and what cosines and sines are multiplied with.
    """
    features, theta = head_dim(settings), settings.rope_theta
    plain = theta ** -(torch.arange(0, features, 2, dtype=torch.float64) / features)
    factor = settings.rope_factor
    match settings.rope_scaling:
        case "linear":
            return plain / factor, 1.0
        case "llama3":
            return _by_wavelength(plain, factor, settings.rope_original_tokens), 1.0
        case "yarn":
            kept = _kept(features, theta, settings.rope_original_tokens)
            return plain * kept + plain / factor * (1 - kept), 0.1 * math.log(factor) + 1.0
        case _:
            return plain, 1.0


def rotary_table(
    settings: ModelSettings, tokens: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Compute the rotary cosines and sines.

    Args:
        settings: shape of the model.
        tokens: T.
        device: where the tables go.

    Returns:
        Two float32 tensors [T, D]; the two halves of D are equal.
    """
    turned, scale = speeds(settings)
    angle = torch.outer(torch.arange(tokens, dtype=torch.float64), turned)
    angle = torch.cat((angle, angle), dim=-1)
    cos, sin = angle.cos(), angle.sin()
    if scale != 1.0:
        cos, sin = cos * scale, sin * scale
    return cos.float().to(device), sin.float().to(device)


def _by_wavelength(plain: Tensor, factor: float, original: int) -> Tensor:
    turns = original * plain / (2 * math.pi)
    kept = ((turns - LOW_TURNS) / (HIGH_TURNS - LOW_TURNS)).clamp(0.0, 1.0)
    return plain * kept + plain / factor * (1 - kept)


def _kept(features: int, theta: float, original: int) -> Tensor:
    """Return the share of each pair's speed that stays as it was: 1 of fast ones, 0 of slow."""

    def pair(turns: float) -> float:
        return features * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(theta))

    low = max(math.floor(pair(FAST_TURNS)), 0)
    high = min(math.ceil(pair(SLOW_TURNS)), features - 1)
    ramp = torch.arange(features // 2, dtype=torch.float64) - low
    return 1 - (ramp / max(high - low, 0.001)).clamp(0.0, 1.0)
