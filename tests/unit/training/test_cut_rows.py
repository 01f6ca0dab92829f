"""Rows that a stage cuts into shorter sequences: as if the job had sequences so short."""

import numpy as np
import pytest
from msgspec.structs import replace
from unit.training.small_job import LANES, alone, block, digest, job, run
from unit.training.team_of_threads import teamed

from qmpi.config.curriculum import CurriculumSettings, StageSettings
from qmpi.config.data import ContentSource, DataSettings
from qmpi.errors import InvariantError
from qmpi.protocol.hyperparameters import first_hyperparameters
from qmpi.protocol.staged import Staged

TOKENS, CUT = 16, 8
SHAPES = {
    "dense": {},
    "windows": {"window": 5, "sinks": 2, "window_pattern": "wf"},
    "ahead": {"predict_ahead": 1},
}


def staged(settings, tokens=CUT):
    """Let the first stage of a job have sequences of so many tokens."""
    stages = (StageSettings(sequence_tokens=tokens),)
    curriculum = CurriculumSettings(kind="adaptive", sets=("length",), stages=stages)
    data = DataSettings(sources=(ContentSource(name="sums", type="mathematics"),))
    return replace(settings, curriculum=curriculum, data=data)


def short_step(engine, settings):
    """Train a step on the same tokens, as rows of half the length; returns the outcome."""
    frames = []
    for lane in range(LANES):
        rows = np.frombuffer(block(settings, 0, lane), "<u2").reshape(-1, TOKENS + 1)
        halves = [rows[:, first : first + CUT + 1] for first in range(0, TOKENS, CUT)]
        frames.append(np.stack(halves, 1).reshape(-1, CUT + 1).tobytes())
    digests = list(map(digest, frames))
    return engine.run_step(0, range(LANES), frames, digests, digest_due=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_row_that_is_cut_is_as_good_as_shorter_rows(shape):
    settings = staged(job(**SHAPES[shape]))
    plain = job(**SHAPES[shape])
    train = replace(plain.train, sequences=4, sequence_tokens=CUT)
    cut, short = alone(settings), alone(replace(plain, train=train))
    one, other = run(cut, settings, 0), short_step(short, settings)
    assert one.lane_losses == pytest.approx(other.lane_losses, rel=1e-6)
    assert one.ahead_losses == pytest.approx(other.ahead_losses, rel=1e-6)
    assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-5)


def test_what_a_step_is_trained_with_says_how_rows_are_cut():
    settings = staged(job())
    whole = replace(first_hyperparameters(settings), staged=Staged())

    def step(engine, given):
        blocks = [block(settings, 0, lane) for lane in range(LANES)]
        return engine.run_step(
            0, range(LANES), blocks, list(map(digest, blocks)), digest_due=True,
            hyperparameters=given,
        )  # fmt: skip

    told = {step(alone(settings), given).weight_digest for given in (None, whole)}
    assert len(told) == 2
    # Not the same bits as of a job without stages: attention goes another way.
    plain = run(alone(job()), job(), 0)
    assert step(alone(settings), whole).lane_losses == pytest.approx(plain.lane_losses, rel=1e-6)
    with pytest.raises(InvariantError, match="no stage says so"):
        step(alone(job()), replace(whole, staged=Staged(tokens=CUT)))


@pytest.mark.parametrize("axes", [{"context": 2}, {"pipeline": 2}, {"tensor": 2}], ids=str)
def test_teams_cut_rows_alike(axes):
    base = job(microbatches=2)
    model = replace(base.model, layers=4, heads=4, kv_heads=4)
    settings = staged(replace(base, model=model), 6)
    ((losses, norm, _, told),) = teamed(settings).train(1)
    ((others, other_norm, _, found),) = teamed(settings, teams=2, **axes).train(1)
    assert others == pytest.approx(losses, rel=1e-5)
    assert other_norm == pytest.approx(norm, rel=1e-4)
    assert [each.tokens for each in found] == [each.tokens for each in told]
