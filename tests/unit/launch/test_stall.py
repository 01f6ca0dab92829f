"""A job that hangs, told from a machine that slept and from a job that is ending."""

import os
from pathlib import Path

import pytest
from msgspec.structs import replace
from unit.launch.test_start_files import STATUS

from qmpi.config.settings import FailureSettings
from qmpi.launch.stall import StallWatch
from qmpi.storage.status_file import write_status
from qmpi.units import Seconds


def test_a_machine_that_slept_is_no_job_that_hangs(tmp_path: Path):
    limits = FailureSettings(start_seconds=10.0, dead_seconds=4.0)
    watch = StallWatch(tmp_path / "status.json", limits, 1.0, Seconds(0.0))
    assert watch.look(Seconds(3600.0)) == ""
    (tmp_path / "status.json").touch()
    assert watch.look(Seconds(7200.0)) == ""
    assert next(s for s in range(1, 20) if watch.look(Seconds(7200.0 + s))) == 12


@pytest.mark.parametrize("when", ["now", "before"])
def test_a_job_that_is_ending_is_given_time_to_bring_its_end_to_the_disk(
    tmp_path: Path, when: str
) -> None:
    limits = FailureSettings(start_seconds=9.0, dead_seconds=2.0)
    said = replace(STATUS, state="finished")
    write_status(tmp_path, said)
    watch = StallWatch(tmp_path / "status.json", limits, 1.0, Seconds(0.0))
    if when == "now":
        write_status(tmp_path, said)
        os.utime(tmp_path / "status.json", (1.0, 1.0))
    looks = [watch.look(Seconds(0.5 * look)) for look in range(1, 260)]
    silent = next(look / 2 for look, told in enumerate(looks) if told)
    # What an earlier start has left says nothing of this one, which never came up.
    assert silent == pytest.approx(120.0 if when == "now" else 9.0, abs=1.1)
