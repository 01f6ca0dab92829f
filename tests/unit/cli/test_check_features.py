"""`qmpi check` tells each feature that is on, in figures, and none that is off."""

import json
from pathlib import Path

import pytest

from qmpi.cli.check_features import feature_facts, tokens_trained
from qmpi.cli.main import run
from qmpi.config.load import parse_job
from qmpi.policy.hyperparameters import first_hyperparameters, lanes_of

TELLING = [
    (
        '[model]\nexperts = 8\nshared_experts = 1\nrouter = "sigmoid"\ndense_layers = 1',
        "experts",
        ["8 in each of 3 of 4 layers", "a token meets 2 and 1 shared", "%"],
    ),
    (
        '[model]\nwindow = 64\nwindow_pattern = "wwwf"\nsinks = 4',
        "windows",
        ["3 of 4 layers see the last 64 tokens and the first 4, the others see all"],
    ),
    ("[model]\nwindow = 4096", "windows", ["they hide nothing in sequences of 128"]),
    (
        '[model]\nrope_scaling = "yarn"\nrope_factor = 4.0\nrope_original_tokens = 64',
        "positions",
        ["yarn: 64 tokens x 4 = 256"],
    ),
    (
        "[model]\npredict_ahead = 2\n[train]\nahead_weight = 0.5",
        "predict_ahead",
        ["2 tokens beyond the next, with weight 0.5"],
    ),
    ('[data]\npacking = "best_fit"', "packing", ["best fit", "128 tokens"]),
    ("[data]\ndocument_mask = true", "document_mask", ["do not see one another"]),
    ('[train]\nprecision = "float8"', "precision", ["float8"]),
    ('[train]\noffload = "all"', "offload", ["all, where trainers have GPUs"]),
    (
        '[batch]\nfirst_lanes = 2\ngrow = "doubling"\ngrow_steps = 100\nrate = "sqrt"',
        "batch",
        ["doubling: from 2 lanes (1,024 tokens a step) to 8 (4,096) at step 100", "sqrt"],
    ),
    (
        '[batch]\nfirst_lanes = 2\ngrow = "linear"\ngrow_steps = 400',
        "batch",
        ["to 8 (4,096) at step 400, after the last: 4 at step 199"],
    ),
    (
        '[batch]\nfirst_lanes = 2\ngrow = "noise"\ngrow_steps = 20',
        "batch",
        ["from 2 lanes (1,024 tokens a step) to 8 at most", "noise scale of 20 steps"],
    ),
    ("[batch]\nfirst_lanes = 2", "batch", ["always 2 lanes (1,024 tokens a step) of 8"]),
    ("[batch]\nnoise_scale = true", "noise_scale", ["measured each step"]),
    (
        "[guard]\nloss_spike = 6.0",
        "guard",
        ["from step 100 on", "loss 6 deviations", "its update is left out, 5 in a row stop"],
    ),
    ('[guard]\nnorm_spike = 6.0\naction = "roll_back"', "guard", ["norm 6", "the run goes back"]),
]


@pytest.mark.parametrize(("text", "name", "words"), TELLING)
def test_what_is_on_has_a_line_in_figures(text: str, name: str, words: list[str]) -> None:
    told = feature_facts(parse_job(text))
    assert all(word in told[name] for word in words), told
    assert set(told) - {"noise_scale"} <= {name}


def test_what_is_off_has_none() -> None:
    assert feature_facts(parse_job("")) == {}


def test_the_command_tells_it_as_lines_and_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job.toml"
    job.write_text('[model]\nwindow = 64\n[data]\npacking = "best_fit"\n')
    assert run(["check", str(job)]) == 0
    lines = capsys.readouterr().out
    assert run(["check", str(job), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    for name in ("windows", "packing"):
        assert facts[name] in lines


@pytest.mark.parametrize("grow", ["linear", "doubling"])
def test_tokens_are_those_of_a_batch_that_grows(grow: str) -> None:
    job = parse_job(f'[batch]\nfirst_lanes = 2\ngrow = "{grow}"\ngrow_steps = 60')
    log = (first_hyperparameters(job),)
    lanes = sum(lanes_of(log, step, job.train.lanes) for step in range(job.train.steps))
    assert tokens_trained(job) == lanes * 4 * 128
