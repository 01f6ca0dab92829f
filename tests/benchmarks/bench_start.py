"""The start of many ranks from the environment that runs this, and from a pack of it.

Each start is one MPI job of `--ranks` ranks on this machine. Two of them, one without torch and one
trainer, run under strace, which sees only system calls that name a file; so their figures are
counts, and the seconds are those of the whole job. "Shared" are the places that lie on a shared
file system on a cluster: the environment, its Python and the checkout; the pack lies elsewhere.

Plain starts take qmpi from a copy, with its compiled files, or without them and with none written,
as in a checkout that nobody may write to; those of the libraries are there in both.

Run: python tests/benchmarks/bench_start.py [--ranks N] [--pack FILE] [--starts K] [--out FILE.md]
Without --pack one is made. It needs strace.
"""

import argparse
import compileall
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import qmpi
from qmpi.config.load import load_job
from qmpi.launch.mpirun import FLAGS, find_mpirun, rank_environment
from qmpi.launch.pack.machine import this_machine
from qmpi.launch.pack.make import Choice, make_pack
from qmpi.launch.pack.place import Insistence, place
from qmpi.launch.pack.trial import try_out
from qmpi.launch.train import check_sources
from qmpi.policy.placement import place as deal
from qmpi.storage.cache import default_cache

JOB = """
[job]
name = "start"
[roles]
coordinator = 1
generator = {light}
memory = {light}
trainer = 2
replica = 2
spare = 1
[model]
vocab_size = 4096
layers = 2
width = 64
heads = 2
kv_heads = 1
[train]
steps = 100000
lanes = 6
sequences = 2
sequence_tokens = 64
[snapshot]
every_steps = 100000
disk_every_steps = 100000
[failure]
start_seconds = 3600
"""

TRACE = """#!/bin/sh
case " $TRACED " in
*" $OMPI_COMM_WORLD_RANK "*)
    exec strace -f --seccomp-bpf -e trace=%file -o "$TRACES/$OMPI_COMM_WORLD_RANK" "$@" ;;
*) exec "$@" ;;
esac
"""

CALL = re.compile(r'^\d+ +(\w+)\((?:AT_FDCWD, |\d+, )?"([^"]*)"')
OPENS = {"open", "openat", "openat2"}
WRITES_NOT = "PYTHONDONTWRITEBYTECODE"
METADATA_RATE = 100_000
"""Operations a second of a busy parallel file system, for the figure at 8,000 ranks."""


@dataclass(frozen=True)
class Kind:
    """A way to start: which interpreter, and what is in its environment."""

    name: str
    python: Path
    extra: dict[str, str]


@dataclass(frozen=True)
class Count:
    """File operations of one rank: opens, other calls that name a file, those in shared places."""

    opens: int
    looks: int
    shared_opens: int
    shared_looks: int


@dataclass(frozen=True)
class Start:
    first_message: float
    all_in: float
    first_step: float
    light: Count
    trainer: Count


def count(trace: Path, shared: tuple[str, ...]) -> Count:
    """Count the calls of one rank."""
    numbers = [0, 0, 0, 0]
    for line in trace.read_text(errors="replace").splitlines():
        match = CALL.match(line)
        if match is None or not match[2]:
            continue  # fstat by another name: no path
        is_look = match[1] not in OPENS
        numbers[is_look] += 1
        numbers[2 + is_look] += match[2].startswith(shared)
    return Count(*numbers)


def end_session(session: int) -> None:
    """Kill what is left of a job: ranks keep the session of their mpirun."""
    for entry in Path("/proc").iterdir():
        with suppress(ProcessLookupError):
            if entry.name.isdigit() and os.getsid(int(entry.name)) == session:
                os.kill(int(entry.name), signal.SIGKILL)


class Bench:
    """Starts jobs in a folder."""

    def __init__(self, folder: Path, ranks: int, patience: float) -> None:
        self.folder, self.ranks, self.patience = folder, ranks, patience
        self.job = folder / "job.toml"
        self.job.write_text(JOB.format(light=(ranks - 6) // 2))
        self.settings = load_job(self.job, (), None)
        check_sources(self.settings, default_cache(os.environ))
        roles = deal(["here"] * ranks, self.settings.roles, self.settings.train.lanes).roles
        self.light = next(n for n, r in enumerate(roles) if [str(x) for x in r] == ["memory"])
        self.trainer = next(n for n, r in enumerate(roles) if "trainer" in map(str, r))
        self.tracer = folder / "trace.sh"
        self.tracer.write_text(TRACE)
        self.tracer.chmod(0o755)
        checkout = Path(qmpi.__file__).parents[1]
        places = {sys.prefix, sys.base_prefix, str(checkout), str(folder / "plain")}
        self.shared = tuple(sorted(places))

    def start(self, kind: Kind, number: int) -> Start:
        """Start once, wait for the first step, stop."""
        run = self.folder / f"run-{kind.name.replace(' ', '-')}-{number}"
        traces = run.with_name(f"{run.name}-traces")
        traces.mkdir()
        environment = {
            **rank_environment(self.settings, os.environ),
            **kind.extra,
            "TRACED": f"{self.light} {self.trainer}",
            "TRACES": str(traces),
        }
        root = ["--allow-run-as-root"] if os.getuid() == 0 else []
        mpirun = kind.python.with_name("mpirun")
        command = [str(mpirun if mpirun.exists() else find_mpirun(os.environ)), *root, *FLAGS]
        command += ["-n", str(self.ranks), str(self.tracer), str(kind.python), "-m", "qmpi.main"]
        command += [str(self.job), "--run-dir", str(run)]
        began = time.monotonic()
        with (run.with_suffix(".out")).open("wb") as output:
            process = subprocess.Popen(
                command,
                env=environment,
                cwd=self.folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            times = self._watch(process, run, began)
            (run / "stop").touch()
            self._wait(process, 60.0)
        finally:
            if process.poll() is None:  # else its number may be that of a stranger by now
                end_session(process.pid)
            process.wait(30)
        counts = [count(traces / str(n), self.shared) for n in (self.light, self.trainer)]
        return Start(*times, *counts)

    def _wait(self, process: subprocess.Popen[bytes], patience: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)

    def _watch(
        self, process: subprocess.Popen[bytes], run: Path, began: float
    ) -> tuple[float, float, float]:
        first = entered = 0.0
        status = run / "status.json"
        while time.monotonic() - began < self.patience and process.poll() is None:
            now = time.monotonic() - began
            if not entered and (run / "logs").is_dir():
                logs = len(list((run / "logs").iterdir()))
                first = first or (now if logs else 0.0)
                entered = now if logs >= self.ranks else 0.0
            if entered and status.exists() and re.search(rb'"step":[1-9]', status.read_bytes()):
                return first, entered, now
            time.sleep(0.05)
        raise SystemExit(f"no first step: {run.with_suffix('.out').read_text()[-2000:]}")


def kinds(folder: Path, environment: Path) -> list[Kind]:
    """Return the four ways to start."""
    bare, written = folder / "plain" / "bare", folder / "plain" / "written"
    for copy in (bare, written):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(Path(qmpi.__file__).parent, copy / "qmpi", ignore=ignored)
    compileall.compile_dir(str(written), quiet=1)
    here, packed = Path(sys.executable), environment / "bin" / "python"
    writing, not_writing = {WRITES_NOT: ""}, {WRITES_NOT: "1"}
    # Started in the checkout, `rank_environment` names it for ranks that take qmpi from there.
    own = {"PYTHONPATH": ""}
    return [
        Kind("pack", packed, {**writing, **own}),
        Kind("plain", here, {**writing, "PYTHONPATH": str(written)}),
        Kind("pack, no bytecode", packed, {**not_writing, **own}),
        Kind("plain, no bytecode", here, {**not_writing, "PYTHONPATH": str(bare)}),
    ]


def table(results: dict[str, list[Start]], ranks: int) -> str:
    """Return the figures as Markdown."""
    lines = [
        f"| start of {ranks} ranks | first message, s | all in, s | first step, s |"
        " memory rank: opens, other | of them shared | trainer: opens, other | of them shared |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, starts in results.items():
        seconds = [
            f"{median(values):.1f} ({min(values):.1f} to {max(values):.1f})"
            for values in zip(
                *((s.first_message, s.all_in, s.first_step) for s in starts), strict=True
            )
        ]
        cells: list[str] = []
        for one in (starts[-1].light, starts[-1].trainer):
            cells += [
                f"{one.opens:,}, {one.looks:,}",
                f"{one.shared_opens:,}, {one.shared_looks:,}",
            ]
        lines.append(f"| {name} | {' | '.join(seconds)} | {' | '.join(cells)} |")
    lines += ["", "At 8,000 ranks, all like the memory rank, operations in shared places:", ""]
    for name, starts in results.items():
        one = starts[-1].light
        total = 8000 * (one.shared_opens + one.shared_looks)
        lines.append(f"- {name}: {total:,}, {total / METADATA_RATE:,.0f} s at {METADATA_RATE:,}/s")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--ranks", type=int, default=64)
    parser.add_argument("--starts", type=int, default=1, help="of each kind, in turns")
    parser.add_argument("--pack", type=Path)
    parser.add_argument("--patience", type=float, default=600.0, help="seconds for a start")
    parser.add_argument("--only", help="kinds of start that begin so, as 'pack'")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if shutil.which("strace") is None:
        raise SystemExit("strace is missing: apt-get install strace")
    memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory(dir=memory) as fast:
        folder, began = Path(here), time.monotonic()
        pack = options.pack or folder / "env.qmpi.tar.zst"
        if options.pack is None:
            make_pack(pack, Choice())
        made, began = time.monotonic() - began, time.monotonic()
        placed = place(pack, Path(fast) / "env", this_machine(), try_out, Insistence())
        unpacked = time.monotonic() - began
        bench = Bench(folder, options.ranks, options.patience)
        ways = [
            way
            for way in kinds(folder, placed.directory)
            if way.name.startswith(options.only or "")
        ]
        results: dict[str, list[Start]] = {way.name: [] for way in ways}
        for number in range(options.starts):
            for way in ways:
                results[way.name].append(bench.start(way, number))
                told = f"load average {os.getloadavg()[0]:.1f}, {way.name}: {results[way.name][-1]}"
                sys.stderr.write(f"{told}\n")
        load = os.getloadavg()[1]
        text = (
            f"`python {' '.join(sys.argv)}`, {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, "
            f"{os.cpu_count()} cores, load average {load:.1f}. Pack: "
            f"{pack.stat().st_size / 1e6:.0f} MB, {placed.files} files of "
            f"{placed.bytes / 1e6:.0f} MB; packed in {made:.0f} s (0: it was there), unpacked and "
            f"tried in {unpacked:.0f} s.\n\n{table(results, options.ranks)}"
        )
    sys.stdout.write(text)
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
