"""Many ranks on few cores: they start, they train, and those that wait cost next to nothing."""

import os
import sys
import time
from pathlib import Path
from statistics import median

import pytest
from mpi.live_run import LiveRun

COPIES = ("--set", "snapshot.every_steps=1000", "--set", "snapshot.disk_every_steps=1000")
"""No copies while the idle are watched: a replica that receives one is not idle."""

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_megabytes(pid: int) -> float:
    line = next(
        x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1024


def has_torch(pid: int) -> bool:
    return "libtorch" in Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_sixty_four_ranks_on_two_cores(tmp_path: Path) -> None:
    roles = {"generator": 29, "memory": 29, "replica": 2, "trainer": 2, "spare": 1}
    options = [f"--set=roles.{name}={count}" for name, count in roles.items()]
    with LiveRun(tmp_path, *options, "--set", "train.steps=4000", *COPIES) as run:
        began = time.monotonic()
        status = run.wait_for_step(1, timeout=180)
        started_seconds = time.monotonic() - began
        status = run.wait_for_step(10)
        by_role: dict[str, list[int]] = {}
        for rank in status["ranks"]:
            by_role.setdefault(rank["role"], []).append(rank["pid"])
        torch_roles = {role for role, pids in by_role.items() if any(map(has_torch, pids))}
        resident = {
            role: round(max(map(resident_megabytes, pids))) for role, pids in by_role.items()
        }
        watched = [pid for role in ("replica", "spare") for pid in by_role[role]]
        before, moment = {pid: cpu_seconds(pid) for pid in watched}, time.monotonic()
        time.sleep(10)
        wall = time.monotonic() - moment
        idle = {pid: (cpu_seconds(pid) - before[pid]) / wall for pid in watched}
    figures = {
        "started_seconds": round(started_seconds, 1),
        "resident_megabytes": resident,
        "idle_core_share_median": round(median(idle.values()), 4),
        "idle_core_share_max": round(max(idle.values()), 4),
        "ranks": sum(map(len, by_role.values())),
    }
    sys.stdout.write(f"{figures}\n")
    assert figures["ranks"] == 64
    assert torch_roles == {"trainer", "spare"}
    assert resident["coordinator"] < 60
    assert resident["memory"] < 110
    assert started_seconds < 60
    assert figures["idle_core_share_median"] < 0.02
