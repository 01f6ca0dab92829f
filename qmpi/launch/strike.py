"""Kill one rank of a running job on purpose, and measure how long the run took to go on.

Only a process of this run is ever struck: its rank file must name the pid, this host, and the start
time that the kernel tells for that pid now. A pid alone may belong to a stranger by then.
"""

import os
import signal
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from qmpi.protocol.journal import GenerationOpened, JournalRecord, StepCommitted
from qmpi.protocol.status import StatusReport
from qmpi.storage.rank_files import read_rank_files, start_ticks
from qmpi.storage.run_directory import RunDirectory


class Strike(Struct, frozen=True):
    """A kill that was done.

    Attributes:
        rank: who was killed.
        role: what it was.
        step: steps committed by then.
        time: when, in seconds since the epoch.
    """

    rank: int
    role: str
    step: int
    time: float


class Striker:
    """Kills the last live rank of a role once the run has come far enough; once."""

    def __init__(self, run: Path, role: str, step: int) -> None:
        """Strike nothing yet.

        Args:
            run: directory of the run.
            role: whom to kill.
            step: steps that must have been committed.
        """
        self._directory = RunDirectory(run)
        self._role = role
        self._step = step
        self.strikes: tuple[Strike, ...] = ()

    def look(self, report: StatusReport, now: float) -> str:
        """Strike if it is time.

        Args:
            report: the newest status.
            now: seconds since the epoch.

        Returns:
            What was done, in words; "" if nothing.
        """
        if self.strikes or report.state != "running" or report.step < self._step:
            return ""
        pids = self._verified()
        living = [rank for rank in report.ranks if rank.role == self._role and rank.alive]
        for victim in sorted(living, key=lambda rank: -rank.rank):
            if victim.pid and pids.get(victim.rank) == victim.pid:
                os.kill(victim.pid, signal.SIGKILL)
                self.strikes = (Strike(victim.rank, self._role, report.step, now),)
                return (
                    f"SIGKILL to rank {victim.rank} ({self._role}, pid {victim.pid}) "
                    f"at step {report.step}"
                )
        return ""

    def _verified(self) -> dict[int, int]:
        host = os.uname().nodename
        return {
            process.rank: process.pid
            for process in read_rank_files(self._directory.ranks)
            if process.host == host
            and process.started != 0
            and start_ticks(process.pid) == process.started
        }


def recovery_seconds(records: Iterable[JournalRecord], killed_at: float) -> float | None:
    """Return the time from a kill to the first step that the healed group committed.

    A step of the old group may be committed just after the kill, since its report was on the way;
    it proves no recovery and does not count.

    Args:
        records: of the journal, in order.
        killed_at: seconds since the epoch, by the clock of the journal.

    Returns:
        Seconds; None if no group was formed after the kill.
    """
    healed = False
    for record in records:
        if record.time < killed_at:
            continue
        if isinstance(record, GenerationOpened):
            healed = True
        elif healed and isinstance(record, StepCommitted):
            return record.time - killed_at
    return None
