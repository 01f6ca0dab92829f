"""Copies of a story that was given up are told from those that stand."""

import pytest

from qmpi.policy.branches import stands
from qmpi.protocol.membership import SnapshotFact
from qmpi.units import Digest, Step

BACK = (Step(50), Step(80))
"""The run went back to 50, and later to 80."""


@pytest.mark.parametrize(
    ("step", "branch", "is_standing"),
    [
        (50, 0, True),
        (51, 0, False),
        (70, 0, False),
        (70, 1, True),
        (80, 1, True),
        (81, 1, False),
        (200, 2, True),
    ],
)
def test_a_copy_stands_up_to_where_its_branch_was_left(
    step: int, branch: int, *, is_standing: bool
) -> None:
    fact = SnapshotFact(Step(step), Digest("d"), "disk", "/x", branch=branch)
    assert stands(fact, BACK) is is_standing


def test_a_run_that_never_went_back_keeps_all() -> None:
    assert stands(SnapshotFact(Step(9), Digest("d"), "ram", "/x"), ())
