"""Two ranks that share a model: a step as `qmpi plan` has it beside one that was measured.

The job is that of `bench_teams.py`; rates are measured in place, by the time of this thread.

    python tests/benchmarks/bench_teams_plan.py --axis tensor pipeline --rounds 3
"""

import argparse
import statistics
import sys
import time

import bench_teams

from qmpi.config.machine import Machine, NodeShape
from qmpi.planning.team import team_time
from qmpi.planning.workload import Counts, speeds_of_cores, workload
from qmpi.training.speed import measure


def planned(axis, ranks):
    """Return seconds of a step, and CPU seconds of all ranks."""
    settings = bench_teams.job_of("small", axis, ranks)
    speeds = speeds_of_cores(measure(settings, time.thread_time))
    counts = Counts(ranks=4 + ranks, trainers=ranks)
    job = workload(settings, counts, Machine(node=NodeShape(cores=ranks)), speeds, None)
    team = team_time(job, speeds)
    lanes = team.time.lanes + team.time.exchange + team.time.waiting
    busy = ranks * lanes * (1 - team.bubble) + ranks * (team.time.total - lanes)
    return team.time.total, busy


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--axis", nargs="+", default=["tensor", "pipeline"])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    for axis in args.axis:
        seen = [bench_teams.round_of(axis, "small", "ours") for _ in range(args.rounds)]
        wall, cpu = (statistics.median(one[key] for one in seen) for key in ("wall", "cpu"))
        step, busy = planned(axis, 2)
        sys.stdout.write(
            f"{axis}: planned {step:.2f} s a step, {busy:.2f} s of CPU; measured {wall:.2f} s, "
            f"{cpu:.2f} s of CPU: {step / wall:.2f} and {busy / cpu:.2f} of it\n"
        )


if __name__ == "__main__":
    main()
