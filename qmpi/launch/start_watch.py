"""Notice a job that cannot come up: a rank is gone, or was never started, before the ranks met.

Theory of operation. Until its ranks have met, nobody inside the job can tell of a death: a rank
that dies inside MPI's own start leaves the others waiting there, and mpirun waits with them. The
ranks of this host share the session of their mpirun and run this very interpreter, so they can be
counted. One that was seen and is gone, or fewer than were asked for, is given a few seconds, in
which a job that ends by itself says why; then the job is to be ended.

Ranks of other hosts cannot be seen, and are not counted. While mpirun has any other process here,
as the `ssh` or `srun` that starts its daemons elsewhere, only the loss of a rank counts.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from qmpi.launch.mpirun import SHIELD
from qmpi.units import Seconds

LOOK_SECONDS = 0.5
"""Looking goes through all processes of the host, while its ranks need every core to come up."""

GONE_SECONDS = 3.0
"""How long a job may go on after it has lost a rank before its first status."""

FEWER_SECONDS = 8.0
"""How long there may be fewer ranks than asked for, with none coming."""


class Kin(NamedTuple):
    """A process of the job's session: its parent, and whether it runs this interpreter."""

    pid: int
    parent: int
    is_python: bool


class StartWatch:
    """Watches the processes of one start of the job until its ranks have met."""

    def __init__(self, launcher: int, ranks: int, told: Sequence[Path], now: Seconds) -> None:
        """Begin at the start of the job.

        Args:
            launcher: pid of mpirun, the leader of its session.
            ranks: asked for on this host.
            told: files of which one is written as soon as the ranks have met: status, journal.
            now: time of the start.
        """
        self._launcher = launcher
        self._wanted = ranks
        self._told = told
        self._stamps = self._read()
        self._looked = now
        self._changed = now
        self._glimpsed: set[int] = set()
        self._ranks: set[int] = set()
        self._alone = True
        self._is_up = False

    def is_up(self) -> bool:
        """Return whether the ranks have met: from then on a request to stop is heard."""
        self._is_up = self._is_up or self._read() != self._stamps
        return self._is_up

    def look(self, now: Seconds) -> str:
        """Look once.

        Args:
            now: time of this look.

        Returns:
            Why the job must be ended, in words; "" while it is well.
        """
        if self.is_up() or now - self._looked < LOOK_SECONDS:
            return ""
        if now - self._looked > GONE_SECONDS:
            self._changed = now  # this process, or the machine, has slept
        self._looked = now
        alive = self._look(now)
        if not self._ranks:
            return ""  # still mpirun's own start
        return self._judge(len(alive & self._ranks), now)

    def _look(self, now: Seconds) -> set[int]:
        kin = list(session(self._launcher))
        python = {one.pid for one in kin if one.is_python}
        alive = {one.pid for one in kin if one.is_python and one.parent not in python}
        self._alone = len(python) == len(kin)
        # Seen twice: a process that a rank starts looks like one for a moment.
        found = (alive & self._glimpsed) - self._ranks
        if found or (self._ranks & self._glimpsed) - alive:
            self._changed = now
        self._ranks |= found
        self._glimpsed = alive
        return alive

    def _judge(self, alive: int, now: Seconds) -> str:
        waited = now - self._changed
        gone = len(self._ranks) - alive
        if gone and waited > GONE_SECONDS:
            return f"{_ranks(gone)} died before the ranks had met; ending the job"
        fewer = self._alone and alive < self._wanted
        if fewer and waited > FEWER_SECONDS:
            return (
                f"{alive} of {_ranks(self._wanted)} came up; ending the job (is there a limit on "
                "processes or threads, `ulimit -u`?)"
            )
        return ""

    def _read(self) -> list[int]:
        return [_written(file) for file in self._told]


def _written(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def came_up(status: Path, started: Seconds) -> bool:
    """Return whether a job that was started has written a status.

    Args:
        status: its file.
        started: when the job was.
    """
    try:
        return status.stat().st_mtime >= started - 1.0
    except OSError:
        return False


def session(leader: int) -> Iterator[Kin]:
    """List the living processes of a session, but for its leader.

    Args:
        leader: pid of the leader.

    Yields:
        One entry a process.
    """
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != leader:
            try:
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                if fields[0] in "ZX" or int(fields[3]) != leader:
                    continue
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue  # it has ended meanwhile
            yield Kin(int(entry.name), int(fields[1]), runs_rank(command))


def runs_rank(command: Sequence[bytes]) -> bool:
    """Return whether a process is a rank, by its command.

    Args:
        command: program and arguments, from /proc.

    Returns:
        Whether it runs this interpreter, but for the moment in which a daemon is started by it.
    """
    return command[0] == os.fsencode(sys.executable) and os.fsencode(SHIELD) not in command


def _ranks(number: int) -> str:
    return "1 rank" if number == 1 else f"{number} ranks"
