"""Settings that would do nothing are refused: whoever sets them believes that they do."""

import pytest

from qmpi.config.load import parse_job
from qmpi.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[guard]\naction = "roll_back"', "no step is ever a spike"),
        ("[model]\nshared_experts = 2", "model.shared_experts = 2 stands beside experts"),
        (
            "[batch]\nhalve_microbatches = true\n[train]\nsequences = 1",
            "train.sequences = 1 cannot be halved",
        ),
        (
            '[train]\ncheckpointing = "full"\ncheckpoint_every = 5',
            "train.checkpoint_every = 5 is more than model.layers = 4",
        ),
        (
            '[batch]\nfirst_lanes = 8\ngrow = "linear"\ngrow_steps = 9',
            "grow from batch.first_lanes = 8 to train.lanes, as many",
        ),
        ('[batch]\nfirst_lanes = 8\nrate = "sqrt"', "batch.first_lanes below train.lanes"),
        (
            "[guard]\nloss_spike = 6.0\n[train]\nsteps = 100",
            "guard.warmup_steps = 100 leaves none of train.steps = 100 to be judged",
        ),
        (
            "[model]\nwindow = 100\nsinks = 28",
            "model.window = 100 and model.sinks = 28 hide nothing",
        ),
    ],
)
def test_what_would_do_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        parse_job(text)
    assert said in str(told.value)


@pytest.mark.parametrize(
    "text",
    [
        '[guard]\naction = "roll_back"\nnorm_spike = 6.0',
        '[model]\nshared_experts = 2\nexperts = 4\nrouter = "sigmoid"',
        "[batch]\nhalve_microbatches = true\n[train]\nsequences = 2",
        '[train]\ncheckpointing = "full"\ncheckpoint_every = 4',
        '[batch]\nfirst_lanes = 7\ngrow = "linear"\ngrow_steps = 9\nrate = "sqrt"',
        "[guard]\nloss_spike = 6.0\n[train]\nsteps = 101",
        "[guard]\nloss_spike = 6.0\nwarmup_steps = 2\n[train]\nsteps = 2",
        "[model]\nwindow = 100\nsinks = 27",
        "[model]\nwindow = 4096",  # a model that comes in has it, whatever it is trained on
    ],
)
def test_what_does_something_is_not(text: str) -> None:
    parse_job(text)


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 100])
def test_fewer_steps_by_override_try_a_guarded_job_too(steps: int) -> None:
    job = parse_job("[guard]\nloss_spike = 6.0", [f"train.steps={steps}"])
    assert job.guard.warmup_steps < max(steps, 3)
    with pytest.raises(ConfigError, match=r"guard\.warmup_steps = 150 leaves none"):
        parse_job("[guard]\nloss_spike = 6.0", ["train.steps=100", "guard.warmup_steps=150"])
    assert parse_job("[guard]\nloss_spike = 6.0", ["train.steps=101"]).guard.warmup_steps == 100
