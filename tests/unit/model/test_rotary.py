"""Scaled positions against `transformers`, which the formulas are from."""

import pytest
import torch
from transformers import Qwen3Config
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from qmpi.config.model import ModelSettings
from qmpi.exchange.hugging_face import model_config
from qmpi.model.rotary import rotary_table, speeds

CPU = torch.device("cpu")
MODELS = [
    ModelSettings(width=256, heads=4, rope_scaling=kind, rope_factor=factor,
                  rope_original_tokens=original, rope_theta=theta)
    for kind in ("linear", "llama3", "yarn")
    for factor, original, theta in ((8.0, 8192, 500_000.0), (4.0, 512, 10_000.0))
]  # fmt: skip


@pytest.mark.parametrize("settings", MODELS, ids=lambda s: f"{s.rope_scaling} {s.rope_factor:g}")
def test_pairs_turn_as_fast_as_in_transformers(settings):
    config = Qwen3Config(**model_config(settings, 4096, 0, "float32"))
    wanted, scale = ROPE_INIT_FUNCTIONS[settings.rope_scaling](config, CPU)
    found, ours = speeds(settings)
    torch.testing.assert_close(found.float(), wanted, rtol=1e-5, atol=0)
    assert ours == pytest.approx(scale)
    plain, _ = speeds(ModelSettings(width=256, heads=4, rope_theta=settings.rope_theta))
    assert float((found / plain).min()) == pytest.approx(1 / settings.rope_factor)
    cos, sin = rotary_table(settings, 5, CPU)
    angle = 4 * wanted
    torch.testing.assert_close(cos[4, :32], angle.cos() * scale, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(sin[4, 32:], angle.sin() * scale, rtol=1e-4, atol=1e-5)
