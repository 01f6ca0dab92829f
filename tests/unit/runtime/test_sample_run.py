"""What `qmpi sample` is asked for may be odd; it is never a bug."""

from pathlib import Path

import pytest
import torch

from qmpi.errors import InputError
from qmpi.runtime.sample_run import Draws, sample_run
from qmpi.training.sample import generate


def test_prompt_that_is_not_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="UTF-8"):
        sample_run(tmp_path, "\udcff", Draws(5, 1.0, 0), tmp_path, print)


@pytest.mark.parametrize("temperature", [1e-300, 5e-324, 1.0, 1e300])
def test_any_temperature_gives_tokens(temperature: float) -> None:
    def model(ids: torch.Tensor) -> torch.Tensor:
        return torch.linspace(-30.0, 30.0, 9).repeat(*ids.shape, 1)

    drawn = generate(model, [1], 4, temperature, seed=3)
    assert len(drawn) == 4
    if temperature < 1.0:
        assert drawn == [8, 8, 8, 8]
