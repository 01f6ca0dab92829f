"""The process of one mpirun: how it is started so that it survives, and how it is ended.

Theory of operation. mpirun takes SIGTERM, SIGHUP and SIGINT for an order to kill its ranks a
quarter of a second later, and dies of SIGXCPU. A batch system may send such a signal to every
process of a job at once. So mpirun starts in a session of its own, out of reach of a terminal and
of a signal to the group, and with those signals blocked, out of reach of the others: a mask is
inherited, and mpirun gives its ranks an empty one. Its daemons on other hosts are started so too
(`qmpi.launch.shield`). The command that waits for it takes the signal
and stops the run in order. SIGINT alone stays free: it is what ends mpirun here. Of a job that is
tied to its command the kernel sends it when that has died (`qmpi.launch.tied`).
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from qmpi.errors import LaunchError
from qmpi.launch.mpirun import LaunchPlan
from qmpi.launch.sessions import end_session, has_ended
from qmpi.launch.shield import BLOCKED
from qmpi.runtime.clock import Clock

END_SIGNAL = signal.SIGINT

TIED = Path(__file__).with_name("tied.py")

TERM_SECONDS = 3.0
KILL_SECONDS = 3.0


def start_launcher(plan: LaunchPlan, output: BinaryIO, scratch: Path) -> subprocess.Popen[bytes]:
    """Start mpirun.

    Args:
        plan: the job.
        output: takes what it and its ranks print.
        scratch: folder for MPI's own files.

    Returns:
        The process, leader of a session.

    Raises:
        LaunchError: it cannot be started.
    """
    tie = [sys.executable, "-I", "-S", str(TIED), str(os.getpid())] if plan.is_tied else []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
    try:
        return subprocess.Popen(
            [*tie, *plan.command()],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=plan.environment_in(scratch),
            start_new_session=True,
        )
    except OSError as error:
        raise LaunchError(f"{plan.mpirun} cannot be started: {error.strerror}") from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def finish_launcher(process: subprocess.Popen[bytes], patience: float, clock: Clock) -> None:
    """Wait for mpirun to end by itself, then end it and all that it has started on this host.

    Args:
        process: from `start_launcher`.
        patience: seconds that it may take by itself; after a failure it may ignore a signal.
        clock: the clock.
    """
    for number, seconds in (
        (None, patience),
        (END_SIGNAL, TERM_SECONDS),
        (signal.SIGKILL, KILL_SECONDS),
    ):
        if has_ended(process):
            break
        if number is not None:
            process.send_signal(number)
        deadline = clock.now() + seconds
        while not has_ended(process) and clock.now() < deadline:
            clock.sleep(0.01)
    end_session(process.pid)
    process.poll()
