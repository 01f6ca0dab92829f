"""A sound machine."""

from pathlib import Path

import pytest
from unit.doctor.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)
