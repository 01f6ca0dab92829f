"""Evaluations of one engine: shares give the bits of the whole; what cannot be asked is told."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from unit.training.small_job import alone, job, run

from qmpi.corpora.held_out import HeldOutRows
from qmpi.corpora.paper import Paper
from qmpi.errors import CorruptData, PeerLost
from qmpi.policy.scoring import Label, added_up
from qmpi.ports.engine import Evaluate
from qmpi.runtime import engine_evaluations
from qmpi.runtime.engine_evaluations import EngineEvaluations
from qmpi.training import engine as training_engine

ROWS, COLUMNS = 11, 17


class Exam:
    """Problems with made-up answers; the likeliest token is right if it is even."""

    def __init__(self, count):
        self.questions = [
            SimpleNamespace(label=Label("sums", "mathematics"), prompt=(n, n + 1, n % 3), budget=4)
            for n in range(count)
        ]

    def ended(self, number, added):
        del number
        return added[-1] % 5 == 0

    def is_right(self, number, added):
        del number
        return added[-1] % 2 == 0


def paper():
    ids = np.random.default_rng(3).integers(0, 256, (ROWS, COLUMNS)).astype("<u2")
    labels = tuple(Label("words" if n % 3 else "sums") for n in range(ROWS))
    return Paper(COLUMNS - 1, HeldOutRows(ids.tobytes(), labels, (30,) * ROWS, ("other",)), Exam(9))


def nothing():
    pass


def evaluations(make=paper, look=nothing):
    return EngineEvaluations(make, lambda: 0.0, look)


@pytest.fixture
def engine(monkeypatch):
    monkeypatch.setattr(training_engine, "EVALUATED_LOGITS", 3 * 256 * COLUMNS)
    monkeypatch.setattr(engine_evaluations, "PROBLEMS_TOGETHER", 2)
    trained = alone(job())
    run(trained, job(), 0)
    return trained


def marks(engine, part, parts):
    told = evaluations().evaluate(Evaluate(1, 1, part, parts), engine.evaluator())
    assert told.fault == ""
    assert told.left_out == ("other",)
    return told.marks


@pytest.mark.parametrize("parts", [2, 3, 7, 40])
def test_shares_add_up_to_the_same_bits_however_many_there_are(engine, parts):
    whole = marks(engine, 0, 1)
    assert sum(m.tokens for m in whole) == ROWS * (COLUMNS - 1)
    assert sum(m.problems for m in whole) == 9
    shares = [marks(engine, part, parts) for part in range(parts)]
    assert added_up(mark for share in shares for mark in share) == whole


def test_the_weights_that_follow_are_the_same_and_the_newest_are_measured(engine):
    before = marks(engine, 0, 1)
    undisturbed = alone(job())
    run(undisturbed, job(), 0)
    assert run(engine, job(), 1).weight_digest == run(undisturbed, job(), 1).weight_digest
    assert marks(engine, 0, 1) != before
    assert marks(engine, 0, 1) == marks(undisturbed, 0, 1)


def test_weights_without_a_finite_loss_are_told_as_such(engine):
    engine.evaluator()
    engine._state.params.fill_(torch.nan)
    assert {m.undefined > 0 for m in marks(engine, 0, 1) if m.tokens} == {True}


def test_who_is_told_to_leave_leaves_at_any_point(engine):
    looks = 0

    def count():
        nonlocal looks
        looks += 1

    whole = evaluations(look=count).evaluate(Evaluate(1, 1, 0, 1), engine.evaluator())
    for point in range(1, looks, 5):
        left = point

        def leave():
            nonlocal left
            left -= 1
            if not left:
                raise PeerLost("told to leave")

        own = evaluations(look=leave)
        own.prepare()
        assert own._made.wait(20)
        with pytest.raises(PeerLost):
            own.evaluate(Evaluate(1, 1, 0, 1), engine.evaluator())
        assert own.evaluate(Evaluate(1, 1, 0, 1), engine.evaluator()).marks == whole.marks


def test_what_cannot_be_read_is_told_and_tried_again(engine):
    tries = iter((CorruptData("shard 3 is damaged"), None))

    def make():
        fault = next(tries)
        if fault is not None:
            raise fault
        return paper()

    own = evaluations(make)
    first = own.evaluate(Evaluate(1, 1, 0, 1), engine.evaluator())
    assert (first.marks, first.fault) == ((), "shard 3 is damaged")
    again = own.evaluate(Evaluate(1, 1, 0, 1), engine.evaluator())
    assert again.marks
    assert again.fault == ""


def test_a_rank_without_sources_says_so(engine):
    told = evaluations(None).evaluate(Evaluate(1, 1, 0, 1), engine.evaluator())
    assert told.fault == "this rank has no sources"
