"""Run a program under a limit, and leave nothing of it behind.

Theory of operation. The program leads a session of its own; ranks that an mpirun starts stay in it,
so that all can be ended together. A process that waits for a dead file system cannot be killed, so
nobody waits for the end of one that was.
"""

import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from qmpi.launch.sessions import end_session

PARTING_SECONDS = 1.0


class Answer(Struct, frozen=True):
    """How a program ended.

    Attributes:
        code: exit code, negative for a signal; None: it was not started, or not done in time.
        out: what it printed, as far as it came.
        err: what it said on standard error.
        seconds: how long it took.
        fault: why there is no exit code, in words.
    """

    code: int | None
    out: str = ""
    err: str = ""
    seconds: float = 0.0
    fault: str = ""

    @property
    def why(self) -> str:
        """What went wrong, in one line."""
        if self.fault:
            return self.fault
        lines = [line.strip() for line in (self.err or self.out).splitlines()]
        said = next((line for line in reversed(lines) if line.strip("-= ")), "")
        if self.code is not None and self.code < 0:
            return f"it was ended by {signal_name(-self.code)}" + (f": {said}" if said else "")
        return f"exit code {self.code}" + (f": {said}" if said else "")


Runner = Callable[[Sequence[str], Mapping[str, str], float], Answer]
"""Runs a command in an environment for at most some seconds."""


def run_program(
    command: Sequence[str],
    environ: Mapping[str, str],
    limit: float,
    now: Callable[[], float],
) -> Answer:
    """Run a program to its end, or to the limit.

    Args:
        command: program and arguments; no shell.
        environ: its environment.
        limit: seconds.
        now: clock.

    Returns:
        How it ended; never raises for what the program does.
    """
    began = now()
    try:
        process = subprocess.Popen(
            list(command),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as problem:
        return Answer(None, fault=f"{command[0]} cannot be started: {problem.strerror}")
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        out, err = _end(process)
        took = now() - began
        return Answer(None, _text(out), _text(err), took, f"no end within {limit:.0f} s")
    return Answer(process.returncode, _text(out), _text(err), now() - began)


def signal_name(number: int) -> str:
    """Return the name of a signal, as SIGKILL.

    Args:
        number: of the signal.
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _end(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    end_session(process.pid)
    process.kill()
    try:
        return process.communicate(timeout=PARTING_SECONDS)
    except subprocess.TimeoutExpired as late:
        return late.output or b"", late.stderr or b""


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
