"""Ranks of a host take its GPUs in turn. There is none here, so torch only plays that there are."""

import pytest
import torch
from msgspec.structs import replace

from qmpi.config.train import TrainSettings
from qmpi.errors import UserError
from qmpi.training.precision import choose_device

ON_GPU = TrainSettings(device="cuda")


def play(monkeypatch: pytest.MonkeyPatch, gpus: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)


def test_ranks_take_the_gpus_of_a_host_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, 4)
    chosen = [choose_device(ON_GPU, number) for number in range(6)]
    assert [device.index for device in chosen] == [0, 1, 2, 3, 0, 1]
    assert {device.type for device in chosen} == {"cuda"}
    assert choose_device(replace(ON_GPU, device="auto"), 2) == torch.device("cuda", 2)
    assert choose_device(replace(ON_GPU, device="cpu"), 2) == torch.device("cpu")


def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, 0)
    assert choose_device(replace(ON_GPU, device="auto"), 3) == torch.device("cpu")
    with pytest.raises(UserError, match="no CUDA device"):
        choose_device(ON_GPU, 3)
