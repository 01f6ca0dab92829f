"""The noise of gradients in teams: the squares of one rank's lanes."""

import pytest
from msgspec.structs import replace
from unit.training.team_of_threads import teamed
from unit.training.test_teams import four_heads

from qmpi.config.batch import BatchSettings


def measured(name="dense"):
    return replace(four_heads(name), batch=BatchSettings(noise_scale=True))


def square(teams):
    found = {outcome.lane_square for outcome in teams.step(0).values()}
    assert len(found) == 1
    return found.pop()


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("untied", {"tensor": 2}),
        ("experts", {"tensor": 2}),
        ("dense", {"pipeline": 2}),
        ("dense", {"pipeline": 2, "schedule": "interleaved", "chunks": 2}),
        ("dense", {"pipeline": 2, "schedule": "zero_bubble"}),
        ("dense", {"pipeline": 2, "tensor": 2}),
    ],
    ids=str,
)
def test_squares_are_those_of_one_rank_and_the_same_bits_in_any_team(name, axes):
    settings = measured(name)
    alone, one = square(teamed(settings)), square(teamed(settings, **axes))
    assert one == pytest.approx(alone, rel=1e-5)
    assert one == square(teamed(settings, 2, **axes))
