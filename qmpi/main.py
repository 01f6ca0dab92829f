"""Entry of every MPI rank: `mpirun -n N python -m qmpi.main JOB.toml`.

With `--work` the file describes a work farm (`qmpi.storage.work_file`) instead of a training job.

An uncaught error never leaves a rank waiting: it is logged, the process leaves with `os._exit`, and
its peers hear of it as of any death. Nothing here waits for MPI to finalize, which may hang after a
failure.
"""

import argparse
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from qmpi.config.load import load_job
from qmpi.errors import ExitCode, LaunchError, QmpiError, RunInUse
from qmpi.protocol.status import EndMarker
from qmpi.runtime.bootstrap import build_rank
from qmpi.runtime.clock import Clock
from qmpi.runtime.farm_bootstrap import build_farm_rank
from qmpi.runtime.meeting import COORDINATOR, Surroundings
from qmpi.runtime.processes import HostProcesses
from qmpi.runtime.rank import RankContext
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.status_file import read_status, write_end
from qmpi.storage.work_file import read_work
from qmpi.units import Seconds

Builder = Callable[[Surroundings], RankContext]

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 3.0


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line.

    Args:
        arguments: without the program's name.

    Returns:
        job, run_dir, set, work.
    """
    parser = argparse.ArgumentParser(
        prog="python -m qmpi.main",
        description="One rank of a qmpi job. Start it under mpirun or srun.",
        epilog="example: mpirun -n 9 python -m qmpi.main jobs/demo.toml --set train.steps=100",
    )
    parser.add_argument("job", type=Path, metavar="JOB.toml", help="job file")
    parser.add_argument("--run-dir", metavar="DIR", help="directory of the run")
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override a field"
    )
    parser.add_argument(
        "--work", action="store_true", help="the file describes units of work, not a training job"
    )
    return parser.parse_args(arguments)


def run_rank(build: Builder, run: Path) -> int:
    """Run this rank to its end.

    Args:
        build: meets the other ranks and builds this one.
        run: directory of the run.

    Returns:
        Exit code.
    """
    from qmpi.transport.mpi import start_mpi

    clock = Clock()
    transport = start_mpi(clock.now, clock.sleep, os.environ)
    rank, directory = int(transport.rank), RunDirectory(run)
    _log_to(directory, rank)
    asked = directory.stop_request if rank == COORDINATOR else None
    processes = HostProcesses(directory.ranks, asked)
    signal.signal(signal.SIGTERM, processes.on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        context = build(Surroundings(transport, clock, processes, os.environ))
        context.loop.run(context.roles)
    except LaunchError as error:
        # No end marker: the job shall be started again.
        logger.warning("%s", error)
        return int(error.exit_code)
    except QmpiError as error:
        logger.critical("%s", error)
        if rank == COORDINATOR and not isinstance(error, RunInUse):
            _tell_end(run, int(error.exit_code), str(error))
        transport.flush(Seconds(clock.now() + FLUSH_SECONDS))
        return int(error.exit_code)
    transport.flush(Seconds(clock.now() + FLUSH_SECONDS))
    context.settle(Seconds(FLUSH_SECONDS))
    logger.info("leaving: %s", processes.reason)
    return processes.exit_code


def run_training(options: argparse.Namespace) -> int:
    """Run a rank of a training job.

    Args:
        options: from `parse`.

    Returns:
        Exit code.
    """
    settings = load_job(options.job, options.set, options.run_dir)
    run = Path(settings.job.run_dir or f"runs/{settings.job.name}").absolute()
    return run_rank(lambda world: build_rank(world, settings, run), run)


def run_work(options: argparse.Namespace) -> int:
    """Run a rank of a work farm.

    Args:
        options: from `parse`.

    Returns:
        Exit code.
    """
    work = read_work(options.job)
    run = Path(options.run_dir or options.job.parent).absolute()
    return run_rank(lambda world: build_farm_rank(world, work, run), run)


def main() -> NoReturn:
    """Run the rank and leave the process."""
    code = int(ExitCode.BUG)
    try:
        options = parse(sys.argv[1:])
        code = run_work(options) if options.work else run_training(options)
    except QmpiError as error:
        sys.stderr.write(f"qmpi: error ({error.fault}): {error}\n")
        code = int(error.exit_code)
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else int(ExitCode.USER)
    except BaseException:
        logger.critical("a bug in qmpi:\n%s", traceback.format_exc())
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    if code == ExitCode.MACHINE:
        # A rank that leaves with an error may take the whole MPI job along; one that is killed is
        # told to the others, which heal. mpirun's exit code is not believed in either case.
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(code)


def _log_to(directory: RunDirectory, rank: int) -> None:
    handlers: list[logging.Handler] = []
    try:
        directory.log_dir.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(directory.log_of(rank), encoding="utf-8"))
    except OSError:
        handlers.append(logging.StreamHandler())
    layout = f"%(asctime)s rank {rank} %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=layout, handlers=handlers, force=True)


def _tell_end(run: Path, exit_code: int, reason: str) -> None:
    try:
        status = read_status(run)
        step, digest = status.step, status.digest
    except QmpiError:
        step, digest = 0, ""  # it failed before there was a status
    marker = EndMarker(
        state="failed",
        exit_code=exit_code,
        step=step,
        digest=digest,
        reason=reason,
        time=time.time(),
    )
    try:
        write_end(run, marker)
    except QmpiError as error:
        sys.stderr.write(f"qmpi: the end marker cannot be written: {error}\n")


if __name__ == "__main__":
    main()
