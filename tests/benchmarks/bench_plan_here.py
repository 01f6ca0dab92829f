"""Memory and time of small jobs on this machine: what `qmpi plan` says and what a run shows.

Each job is planned in place, then run with one trainer and with two; the last is the second once
more with compiled layers, of which a plan knows counts alone. Time is processor time a step
of the thread that computes, since a shared machine stretches the wall's. Others slow a thread's own
time too, through caches and sibling threads, so rates are medians, taken before and after each run.
Memory is the highest that the process has been resident.

    python tests/benchmarks/bench_plan_here.py --seconds 12
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from os import sysconf
from pathlib import Path
from statistics import median

from qmpi.config.load import load_job
from qmpi.config.machine import load_machine
from qmpi.config.settings import Settings
from qmpi.planning.estimate import Details, make_plan
from qmpi.planning.workload import Counts, speeds_of_cores, workload
from qmpi.runtime.heap import keep_memory
from qmpi.training.speed import measure

ROOT = Path(__file__).parents[2]
SKIPPED, LEAST_STEPS = 2, 4
MIB = 2**20

JOBS = {
    "jobs/demo.toml": ("demo.toml", []),
    "jobs/laptop.toml": ("laptop.toml", []),
    "two layers of 512": (
        "laptop.toml",
        ["model.layers=2", "model.width=512", "model.heads=8", "train.lanes=4"],
    ),
    "float32, 512 tokens, 2 microbatches": (
        "laptop.toml",
        [
            *["train.precision=float32", "train.sequence_tokens=512", "train.sequences=2"],
            *["train.microbatches=2", "train.lanes=4"],
        ],
    ),
    "jobs/laptop.toml, compiled": ("laptop.toml", ["train.compile=on"]),
}


@dataclass
class Seen:
    """What a run showed: seconds of a processor a step, bytes resident at most, wall a step."""

    processor: float
    resident: float
    wall: float


def run(path: Path, overrides: list[str], steps: int, folder: Path) -> Seen:
    """Run a job and watch its trainers."""
    command = [sys.executable, "-m", "qmpi.cli.main", "train", str(path), "--quiet"]
    command += ["--run-dir", str(folder), "--set", f"train.steps={steps}"]
    # A step of the smallest job is shorter than the time between two looks at most jobs.
    command += ["--set", "monitor.status_seconds=0.1"]
    for override in overrides:
        command += ["--set", override]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    first: dict[int, float] = {}
    begin = end = (0, 0.0)
    seen = Seen(0.0, 0.0, 0.0)
    while process.poll() is None:
        time.sleep(0.1)
        try:
            status = json.loads((folder / "status.json").read_text())
        except (OSError, ValueError):
            continue
        step, pids = status["step"], _trainers(status)
        if step < SKIPPED or step >= steps:
            continue
        spent = {pid: _processor(pid) for pid in pids}
        if not first and all(spent.values()):
            first, begin = spent, (step, time.time())
        if step > begin[0] and first and step > end[0]:
            end = (step, time.time())
            seen.processor = max(spent[p] - first.get(p, 0) for p in pids) / (step - begin[0])
            seen.wall = (end[1] - begin[1]) / (step - begin[0])
        seen.resident = max(seen.resident, *(_resident(pid) for pid in pids))
    if process.returncode != 0:
        raise SystemExit(f"{path} with {overrides} ended with {process.returncode}")
    return seen


def _trainers(status: dict[str, object]) -> list[int]:
    ranks: list[dict[str, object]] = status["ranks"]  # pyright: ignore[reportAssignmentType]
    return [int(str(r["pid"])) for r in ranks if r["role"] == "trainer"]


def _processor(pid: int) -> float:
    """Return the processor seconds of the process's busiest thread: the one that computes.

    The others wait for messages; on a busy machine a step lasts long and they wait much.
    """
    return max((_thread(task) for task in Path(f"/proc/{pid}/task").glob("*")), default=0.0)


def _thread(task: Path) -> float:
    try:
        fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((float(x.split()[1]) * 1024 for x in text.splitlines() if "VmHWM" in x), 0.0)


def plan(settings: Settings, trainers: int) -> Details:
    """Plan for a processor of its own for each trainer."""
    speeds = speeds_of_cores(measure(settings, time.thread_time, median))
    counts = Counts(ranks=4 + trainers, trainers=trainers)
    return make_plan(workload(settings, counts, load_machine("laptop"), speeds, None))


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=12.0, help="of processor time a run")
    parser.add_argument("--only", default="", help="jobs whose name has this in it")
    options = parser.parse_args()
    head = ("job", "trainers", "MiB planned", "seen", "", "s a step planned", "processor s seen")
    say("| " + " | ".join((*head, "", "wall s")) + " |")
    say("|---" * (len(head) + 2) + "|")
    keep_memory()
    for name, (file, changes) in JOBS.items():
        if options.only not in name:
            continue
        for trainers in (1, 2):
            overrides = [*changes, f"roles.trainer={trainers}", "roles.spare=0", "roles.memory=1"]
            settings = load_job(ROOT / "jobs" / file, overrides)
            before = plan(settings, trainers)
            with tempfile.TemporaryDirectory() as folder:
                path = ROOT / "jobs" / file
                steps = SKIPPED + max(LEAST_STEPS, round(options.seconds / _busy(before)))
                seen = run(path, overrides, steps, Path(folder) / "run")
            after = plan(settings, trainers)
            planned = (_busy(before) + _busy(after)) / 2
            memory = sum(before.plan.memory_bytes_by_kind.values())
            say(
                f"| {name} | {trainers} | {memory / MIB:.0f} | {seen.resident / MIB:.0f} | "
                f"{memory / seen.resident - 1:+.0%} | {planned:.3f} | {seen.processor:.3f} | "
                f"{planned / seen.processor - 1:+.0%} | {seen.wall:.2f} |"
            )


def _busy(details: Details) -> float:
    time_by_cause = details.time
    return 0.0 if time_by_cause is None else time_by_cause.total


if __name__ == "__main__":
    main()
