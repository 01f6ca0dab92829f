"""Makes the tests of this folder run.

The plugin pytest-mpi skips whatever has the keyword `mpi` unless pytest itself runs under mpirun,
and the name of this folder is such a keyword. These tests start mpirun themselves, in subprocesses.
"""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
REASON = "need --with-mpi option to run"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]):
    for item in items:
        if FOLDER in item.path.parents and item.get_closest_marker("mpi") is None:
            item.own_markers[:] = [m for m in item.own_markers if m.kwargs.get("reason") != REASON]
