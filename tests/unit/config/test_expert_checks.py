"""What a mixture of experts cannot be, or go with."""

from typing import Any

import pytest

from qmpi.config.checks import contradictions
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings


def faults(train: TrainSettings, **model: Any) -> list[str]:
    settings = Settings(model=ModelSettings(experts=4, **model), train=train)
    return [fault for fault in contradictions(settings) if "experts" in fault]


def test_a_sound_mixture_has_no_fault() -> None:
    assert faults(TrainSettings()) == []


@pytest.mark.parametrize(
    ("train", "field"),
    [
        (TrainSettings(precision="float16"), "train.precision"),
        (TrainSettings(masters="bfloat16"), "train.masters"),
        (TrainSettings(checkpointing="full"), "train.checkpointing"),
    ],
)
def test_what_is_not_there_for_experts_is_refused_by_name(train: TrainSettings, field: str) -> None:
    (fault,) = faults(train)
    assert field in fault


def test_norms_behind_are_not_there_for_experts() -> None:
    (fault,) = faults(TrainSettings(), norm_place="post")
    assert "model.norm_place" in fault


def test_more_experts_a_token_than_there_are_are_refused() -> None:
    (fault,) = faults(TrainSettings(), experts_per_token=5)
    assert "model.experts_per_token = 5 is more than model.experts = 4" in fault
