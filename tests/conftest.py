"""Which tests may run beside each other.

`make test` runs on all cores (pytest-xdist). Tests that start a job of many ranks, or a network or
a scheduler of their own, take turns among themselves: they need the cores, and some watch the
clock.
"""

from pathlib import Path

import pytest

TAKE_TURNS = ("mpi", "hosts", "slurm")


def pytest_itemcollected(item: pytest.Item) -> None:
    # Not when the collection is changed: pytest-xdist has read the groups by then.
    root = Path(__file__).parent
    folder = item.path.relative_to(root).parts[0] if root in item.path.parents else ""
    if folder in TAKE_TURNS:
        item.add_marker(pytest.mark.xdist_group("machine"))
