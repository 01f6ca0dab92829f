"""Held-out rows measured by ranks that share a model: the losses of one rank."""

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from unit.training.line_of_threads import run_all
from unit.training.team_of_threads import teamed
from unit.training.test_teams import four_heads

from qmpi.corpora.held_out import HeldOutRows
from qmpi.corpora.paper import Paper
from qmpi.errors import CorruptData
from qmpi.policy.scoring import Label, added_up
from qmpi.ports.engine import Evaluate
from qmpi.runtime.engine_evaluations import UNLIKE, EngineEvaluations

ROWS, COLUMNS = 11, 17

LAYOUTS = {
    "tensor": {"tensor": 2},
    "pipeline": {"pipeline": 2},
    "interleaved": {"pipeline": 2, "schedule": "interleaved", "chunks": 2},
    "context": {"context": 2},
    "expert": {"expert": 2},
    "held by one": {"context": 2, "shard": "full"},
    "experts held by one": {"pipeline": 2, "expert": 2, "shard": "full"},
    "all": {"pipeline": 2, "context": 2, "expert": 2, "tensor": 2},
}


def paper(shift=0):
    ids = np.random.default_rng(3 + shift).integers(0, 256, (ROWS, COLUMNS)).astype("<u2")
    labels = tuple(Label("words" if n % 3 else "sums") for n in range(ROWS))
    return Paper(COLUMNS - 1, HeldOutRows(ids.tobytes(), labels, (30,) * ROWS, ("other",)))


def nothing():
    pass


def measured(teams, make=paper):
    """Return what each rank tells of its team's share, by seat."""

    def work(seat):
        own = EngineEvaluations(lambda: make(seat), lambda: 0.0, nothing)
        asked = Evaluate(1, 1, seat.team, teams.teams)
        return own.evaluate(asked, teams.engines[seat].evaluator())

    calls = [lambda seat=seat: work(seat) for seat in teams.seats]
    return dict(zip(teams.seats, run_all(calls, teams.lines.values()), strict=True))


def marks(teams):
    told = measured(teams, lambda _: paper())
    assert {each.fault for each in told.values()} == {""}
    for seat, each in told.items():
        assert each.marks == told[replace(seat, position=0)].marks
    return added_up(m for seat, each in told.items() if not seat.position for m in each.marks)


def losses(found):
    return torch.tensor([mark.nats / mark.tokens / (1 << 20) for mark in found])


def answer_losses(found):
    return torch.tensor([mark.answer_nats / mark.answers / (1 << 20) for mark in found])


def settings_of(name, **train):
    settings = four_heads(name, contexts=2)
    return replace(settings, train=replace(settings.train, **train))


@pytest.mark.parametrize(
    ("name", "layout", "train"),
    [
        ("olmo2", "tensor", {}),
        ("capped", "tensor", {}),
        ("window", "context", {}),
        ("untied", "pipeline", {"precision": "bfloat16"}),
        ("dense", "interleaved", {"masters": "bfloat16", "precision": "bfloat16"}),
        ("experts", "expert", {}),
        ("dense", "held by one", {"precision": "bfloat16"}),
        ("experts", "experts held by one", {}),
        ("experts", "all", {"sequences": 4}),
    ],
)
def test_what_a_team_measures_is_what_one_rank_measures(name, layout, train):
    settings = settings_of(name, **train)
    alone, team = teamed(settings), teamed(settings, **LAYOUTS[layout])
    one, other = marks(alone), marks(team)
    assert [(m.source, m.tokens, m.bytes) for m in one] == [
        (m.source, m.tokens, m.bytes) for m in other
    ]
    torch.testing.assert_close(losses(one), losses(other), rtol=0, atol=1e-5)
    assert [m.answers for m in one] == [m.answers for m in other] != [0, 0]
    torch.testing.assert_close(answer_losses(one), answer_losses(other), rtol=0, atol=1e-5)


@pytest.mark.parametrize("layout", ["tensor", "pipeline"])
def test_any_number_of_teams_measures_the_same_bits(layout):
    settings = settings_of("dense")
    one, two, five = (marks(teamed(settings, teams, **LAYOUTS[layout])) for teams in (1, 2, 5))
    assert one == two == five
    assert sum(mark.tokens for mark in one) == ROWS * (COLUMNS - 1)


def test_what_is_measured_are_the_newest_weights_and_they_stay_what_they_are():
    settings = settings_of("dense", precision="bfloat16", masters="bfloat16")
    watched, other = (teamed(settings, pipeline=2) for _ in range(2))
    before = marks(watched)
    assert watched.train(1) == other.train(1)
    assert marks(watched) == marks(other) != before
    assert watched.train(2, 1) == other.train(2, 1)


@pytest.mark.parametrize("other", ["none", "another"])
def test_a_rank_without_the_paper_keeps_its_team_from_measuring_and_from_waiting(other):
    def make(seat):
        if seat.position and other == "none":
            raise CorruptData("shard 3 is damaged")
        return paper(seat.position)

    first, second = measured(teamed(settings_of("dense"), tensor=2), make).values()
    assert (first.marks, first.fault) == ((), UNLIKE)
    assert (second.marks, second.fault) == ((), "shard 3 is damaged" if other == "none" else UNLIKE)


def test_weights_without_a_finite_loss_are_told_as_such():
    teams = teamed(settings_of("dense"), tensor=2, pipeline=2)
    teams.engines[teams.seats[1]]._state.params.fill_(torch.nan)
    assert {mark.undefined > 0 for mark in marks(teams)} == {True}
