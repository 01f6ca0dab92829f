"""Presets: legal, explained in every field, and the same as the job files that are shipped."""

from pathlib import Path
from typing import get_type_hints

import pytest

from qmpi.config.arms import with_arms
from qmpi.config.describe import describe, description
from qmpi.config.load import load_job, parse_job
from qmpi.config.presets import PRESETS, preset
from qmpi.config.settings import Settings

JOBS = Path(__file__).parents[3] / "jobs"


@pytest.mark.parametrize("name", PRESETS)
def test_shipped_job_is_made_from_the_preset(name: str) -> None:
    shipped = (JOBS / f"{name}.toml").read_text(encoding="utf-8")
    assert shipped == describe(preset(name), PRESETS[name][0])


@pytest.mark.parametrize("name", PRESETS)
def test_explained_job_loads_to_the_preset(name: str) -> None:
    loaded = load_job(JOBS / f"{name}.toml")
    expected = preset(name)
    assert loaded.model == expected.model
    assert loaded.train == expected.train
    assert loaded.roles == expected.roles
    assert loaded.data == with_arms(expected).data
    assert loaded.snapshot == expected.snapshot


@pytest.mark.parametrize("name", PRESETS)
def test_a_short_try_of_any_preset_needs_no_second_option(name: str) -> None:
    text = (JOBS / f"{name}.toml").read_text(encoding="utf-8")
    assert parse_job(text, ["train.steps=10"]).optimizer.warmup_steps == 1


def test_there_is_a_job_for_each_preset_and_no_other() -> None:
    assert {path.stem for path in JOBS.glob("*.toml")} == set(PRESETS)


def test_every_field_has_a_description() -> None:
    for section, kind in get_type_hints(Settings).items():
        for field, annotation in get_type_hints(kind, include_extras=True).items():
            assert description(annotation), f"{section}.{field}"


def test_quintillion_is_what_it_says() -> None:
    train = preset("quintillion").train
    tokens = train.lanes * train.microbatches * train.sequences * train.sequence_tokens
    assert 10**18 <= tokens * train.steps < 10**18 + tokens
