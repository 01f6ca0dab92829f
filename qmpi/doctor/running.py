"""Run a program under a limit, and leave nothing of it behind.

Theory of operation. The program leads a session of its own; ranks that an mpirun starts stay in it,
so that all can be ended together. A process that waits for a dead file system cannot be killed, so
nobody waits for the end of one that was.
"""

import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from msgspec import Struct

from qmpi.doctor.amounts import size
from qmpi.launch.sessions import end_session, has_ended

PARTING_SECONDS = 1.0
LOOK_SECONDS = 0.05
PIECE = 1 << 16
SHOWN = 500
TRACE = "Traceback (most recent call last)"
OWN_LINE = "qmpi-doctor "
"""How lines begin that are not for people."""

LARGEST = 8 << 20
"""A program that prints more than this does not do what it was asked for."""


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

    @property
    def whole(self) -> str:
        """What it said, as far as fits one line of a report; of a trace the end alone."""
        text = self.err if self.err.strip() else self.out
        if TRACE in text:
            return self.why
        lines = (line.strip() for line in text.splitlines() if not line.startswith(OWN_LINE))
        said = " ".join(line for line in lines if line.strip("-= "))
        return said if len(said) <= SHOWN else f"{said[:SHOWN]}..."


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
    told = _Told(process)
    while not (done := told.has_ended()) and now() - began < limit and told.size < LARGEST:
        told.read(LOOK_SECONDS)
    end_session(process.pid)
    if not done:
        process.kill()
    told.read(0.0)
    took, out, err = now() - began, told.text(0), told.text(1)
    told.leave(None if done else PARTING_SECONDS)
    if not done:
        why = f"no end of its output after {size(told.size)}" if told.size >= LARGEST else ""
        return Answer(None, out, err, took, why or f"no end within {limit:.0f} s")
    return Answer(process.returncode, out, err, took)


def signal_name(number: int) -> str:
    """Return the name of a signal, as SIGKILL.

    Args:
        number: of the signal.
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class _Told:
    """What a program prints, taken as it comes: neither pipe may fill, none may be without end."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Listen to both streams.

        Args:
            process: with pipes.
        """
        self._process = process
        self._pieces: tuple[list[bytes], list[bytes]] = ([], [])
        self._pipes = selectors.DefaultSelector()
        for place, pipe in enumerate((process.stdout, process.stderr)):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._pipes.register(pipe, selectors.EVENT_READ, place)
        self.size = 0

    def has_ended(self) -> bool:
        """Return whether the program has; others may still hold its streams."""
        return has_ended(self._process)

    def read(self, wait: float) -> None:
        """Take what there is; merely waits once both streams are closed.

        Args:
            wait: seconds to wait for the first of it.
        """
        while ready := self._pipes.select(wait):
            for key, _ in ready:
                data = os.read(key.fd, PIECE)
                self._pieces[key.data].append(data)
                self.size += len(data)
                if not data:
                    self._pipes.unregister(key.fileobj)
            if self.size >= LARGEST:
                return
            wait = 0.0

    def text(self, place: int) -> str:
        """Return what a stream said.

        Args:
            place: 0 for standard output, 1 for errors.
        """
        return b"".join(self._pieces[place]).decode("utf-8", "replace")

    def leave(self, patience: float | None) -> None:
        """Let go of the program.

        Args:
            patience: how long to wait for one that was killed; None: it has ended.
        """
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        self._pipes.close()
