"""Ask a job to stop in order: by a file, and where no file can be written, by a signal.

Theory of operation. The coordinator's rank looks for RUN/stop, wherever it runs, so the file is the
way. It is asked for again where it is gone: a job that was just starting may have cleared it as a
leftover. A full disk takes no file. Then the coordinator's rank is signalled, if it is on this
host, else mpirun, which passes SIGUSR1 on to all ranks; not before the ranks have written who they
are, since only from then on do they listen.
"""

import os
import signal
from collections.abc import Callable

from qmpi.errors import StorageError
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.rank_files import read_rank_files, run_of, start_ticks
from qmpi.storage.run_directory import RunDirectory

AGAIN = 40
"""A signal is repeated after so many more times that it was asked for."""


class StopAsker:
    """Asks one job to stop."""

    def __init__(
        self,
        directory: RunDirectory,
        say: Callable[[str], None],
        has_ended: Callable[[], bool],
        launcher: int = 0,
    ) -> None:
        """Ask nothing yet.

        Args:
            directory: of the run.
            say: told what was done, in words.
            has_ended: whether the job says that it has ended.
            launcher: pid of mpirun, a child of this process that was not reaped; 0 if it is
                another's.
        """
        self._directory = directory
        self._say = say
        self._has_ended = has_ended
        self._launcher = launcher
        self._refused = 0

    def ask(self) -> None:
        """Ask, unless the request stands or the job has ended; may be called again and again."""
        request = self._directory.stop_request
        if request.exists() or self._has_ended():
            return
        try:
            write_atomic(request, b"stop\n", durable=False)
        except StorageError as error:
            self._by_signal(error)
        else:
            self._say("stopping in order: what is under way is finished or can be resumed")

    def _by_signal(self, error: StorageError) -> None:
        if self._refused % AGAIN == 0 and self._signal() and not self._refused:
            self._say(f"stopping in order, by a signal to the ranks: {error}")
        elif not self._refused:
            return  # nobody listens yet
        self._refused += 1

    def _signal(self) -> bool:
        folder = self._directory.ranks
        known = [one for one in read_rank_files(folder) if one.run in {"", run_of(folder)}]
        for process in known:
            here = process.host == os.uname().nodename
            if process.rank == 0 and here and start_ticks(process.pid) == process.started:
                return _sent(process.pid, signal.SIGTERM)
        return bool(known and self._launcher) and _sent(self._launcher, signal.SIGUSR1)


def _sent(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
