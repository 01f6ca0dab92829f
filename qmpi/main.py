"""Entry of every MPI rank: `mpirun -n N python -m qmpi.main JOB.toml`.

With `--work` the file describes a work farm (`qmpi.storage.work_file`) instead of a training job.

`python -m` puts the working directory in front of the standard library. It is taken away before
anything else is imported, so that a random.py there is not taken for Python's.

Until a rank has been let into the run, it writes nothing there and says what is wrong on standard
error: the run may be another's.

An uncaught error never leaves a rank waiting: it is logged, the process leaves with `os._exit`, and
its peers hear of it as of any death. Nothing here waits for MPI to finalize, which may hang after a
failure; but for a job that ends as a whole under a launcher that bears no failures anyway.
"""

import sys

if not sys.flags.safe_path and __name__ == "__main__":
    sys.path.pop(0)

import argparse
import logging
import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

from msgspec.structs import replace

from qmpi.config.load import absolute, load_job
from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings
from qmpi.errors import ExitCode, LaunchError, QmpiError, UserError, pointer
from qmpi.protocol.status import EndMarker
from qmpi.runtime.clock import Clock
from qmpi.runtime.leftovers import clear_stop
from qmpi.runtime.meeting import COORDINATOR, Surroundings
from qmpi.runtime.processes import HostProcesses
from qmpi.runtime.rank import RankContext
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.status_file import read_status, write_end
from qmpi.units import Seconds

Builder = Callable[[Surroundings], RankContext]

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 3.0


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line.

    Args:
        arguments: without the program's name.

    Returns:
        job, run_dir, set, work, from_scratch, died, change, replan, back_to.
    """
    parser = argparse.ArgumentParser(
        prog="python -m qmpi.main",
        description="One rank of a qmpi job. Start it under mpirun or srun.",
        epilog="example: mpirun -n 9 python -m qmpi.main jobs/demo.toml --set train.steps=100",
    )
    parser.add_argument("job", metavar="JOB.toml", help="job file")
    parser.add_argument("--run-dir", metavar="DIR", help="directory of the run")
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override a field"
    )
    parser.add_argument(
        "--work", action="store_true", help="the file describes units of work, not a training job"
    )
    parser.add_argument(
        "--from-scratch",
        action="store_true",
        help="if no snapshot of the run can be read, begin at step 0 instead of refusing",
    )
    parser.add_argument(
        "--died", default="", metavar="WHY", help="why the start before this one ended; noted"
    )
    parser.add_argument(
        "--change",
        action="store_true",
        help="go on with other train.steps or [optimizer]; the step is written down",
    )
    parser.add_argument(
        "--replan",
        action="store_true",
        help="plan a schedule anew whose shape would change",
    )
    parser.add_argument(
        "--back-to",
        type=_step_and_starts,
        default=(-1, -1),
        metavar="STEP[:STARTS]",
        help="go back to a step; only if the journal knows STARTS starts and no more",
    )
    return parser.parse_args(arguments)


def _step_and_starts(text: str) -> tuple[int, int]:
    step, _, starts = text.partition(":")
    if not all(number.isascii() and number.isdigit() for number in (step, starts or "0")):
        raise argparse.ArgumentTypeError(f"{text!r}: write STEP or STEP:STARTS, numbers from 0")
    return int(step), int(starts or -1)


class Exit(NamedTuple):
    """How this process leaves.

    Attributes:
        together: the whole job ends: nobody needs to be told of this rank's end, and the launcher
            may learn the code.
    """

    code: int
    together: bool


def run_rank(build: Builder, run: Path) -> Exit:
    """Run this rank to its end.

    Args:
        build: meets the other ranks and builds this one.
        run: directory of the run.

    Returns:
        How it leaves.
    """
    from qmpi.transport.mpi import start_mpi

    clock, directory = Clock(), RunDirectory(run)
    logging.basicConfig(level=logging.INFO, format="qmpi: %(message)s")
    processes = HostProcesses(
        directory.ranks,
        directory.stop_request,
        directory.profile_request,
        directory.recipe_request,
    )
    processes.listen()
    transport = start_mpi(clock.now, clock.sleep, os.environ)
    rank = int(transport.rank)
    processes.is_coordinator = rank == COORDINATOR
    is_in = False

    def entered() -> None:
        nonlocal is_in
        is_in = True
        _log_to(directory, rank)

    try:
        context = build(Surroundings(transport, clock, processes, os.environ, entered))
        context.loop.run(context.roles)
    except LaunchError as error:
        # No end marker: the job shall be started again.
        logger.warning("%s", error)
        return Exit(int(error.exit_code), together=False)
    except QmpiError as error:
        if is_in or rank == COORDINATOR or not isinstance(error, UserError):
            logger.critical("%s", error)  # a refusal is told once, not by thousands of ranks
        # A run that refuses this job is in use, or another: its end is not this job's to tell.
        if rank == COORDINATOR and (is_in or not isinstance(error, UserError)):
            _tell_end(run, int(error.exit_code), str(error))
        transport.flush(Seconds(clock.now() + FLUSH_SECONDS))
        return Exit(int(error.exit_code), together=not is_in)  # before, all ranks meet it alike
    if rank == COORDINATOR and directory.end.exists():
        clear_stop(directory)  # obeyed, or too late; the next start must not take it for its own
    transport.flush(Seconds(clock.now() + FLUSH_SECONDS))
    context.settle(Seconds(FLUSH_SECONDS))
    code, reason = processes.exit_code, processes.reason
    logger.info("leaving: %s", reason)
    if rank == COORDINATOR and code not in (ExitCode.DONE, ExitCode.REQUEUE):
        sys.stderr.write(f"qmpi: the job ends: {reason}\n")
    return Exit(code, processes.together)


def run_training(options: argparse.Namespace) -> Exit:
    """Run a rank of a training job.

    Args:
        options: from `parse`.

    Returns:
        How it leaves.
    """
    from qmpi.runtime.bootstrap import Start, build_rank
    from qmpi.runtime.same_run import Continuation, run_path

    left_open: list[Settings] = []

    def later(settings: Settings) -> ParallelSettings:
        left_open.append(settings)
        return settings.parallel

    settings = load_job(absolute(options.job), options.set, options.run_dir, later)
    run = run_path(settings)
    back_to, starts = options.back_to
    way = Continuation(options.change or back_to >= 0, options.replan, back_to, starts)

    def build(world: Surroundings) -> RankContext:
        start = Start(settings, run, options.from_scratch, options.died, way)
        if left_open:
            from qmpi.runtime.chosen_layout import agreed  # no other rank need load what plans

            start = replace(start, settings=agreed(world, settings))
        return build_rank(world, start)

    return run_rank(build, run)


def run_work(options: argparse.Namespace) -> Exit:
    """Run a rank of a work farm.

    Args:
        options: from `parse`.

    Returns:
        How it leaves.
    """
    from qmpi.runtime.farm_bootstrap import build_farm_rank
    from qmpi.storage.work_file import read_work

    job = absolute(options.job)
    work, run = read_work(job), absolute(options.run_dir or str(job.parent))
    return run_rank(lambda world: build_farm_rank(world, work, run), run)


def main() -> NoReturn:
    """Run the rank and leave the process."""
    # A full disk takes no log: a trace for each line of it would hide the reason told at the end.
    logging.raiseExceptions = False
    code, together = int(ExitCode.BUG), False
    try:
        options = parse(sys.argv[1:])
        code, together = run_work(options) if options.work else run_training(options)
    except QmpiError as error:
        sys.stderr.write(f"qmpi: error ({error.fault}): {error}\n  {pointer(error.page())}\n")
        code = int(error.exit_code)
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else int(ExitCode.USER)
    except BaseException:
        logger.critical("a bug in qmpi:\n%s", traceback.format_exc())
    logging.shutdown()
    if together or code in (ExitCode.DONE, ExitCode.REQUEUE):
        from qmpi.runtime.healing import part

        part(code, os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    if code in (ExitCode.MACHINE, ExitCode.BUG) and not together:
        # A rank that leaves with an error may take the whole MPI job along, or go unnoticed; one
        # that is killed is told to the others, which heal. At the end of the whole job the code is
        # for whoever started mpirun by hand; `qmpi train` believes the end marker alone.
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(code)


def _log_to(directory: RunDirectory, rank: int) -> None:
    handlers: list[logging.Handler] = []
    try:
        directory.log_dir.mkdir(parents=True, exist_ok=True)
        log = directory.log_of(rank)
        # A pipe would have this rank wait for a reader.
        is_pipe = log.is_fifo()
        handlers.append(
            logging.StreamHandler() if is_pipe else logging.FileHandler(log, encoding="utf-8")
        )
    except OSError:
        handlers.append(logging.StreamHandler())
    layout = f"%(asctime)s rank {rank} %(levelname)s %(name)s: %(message)s"
    told = logging.StreamHandler()
    told.setLevel(logging.CRITICAL)
    told.setFormatter(logging.Formatter("qmpi: %(message)s"))
    logging.basicConfig(level=logging.INFO, format=layout, handlers=[*handlers, told], force=True)


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
