"""Ask a job to stop in order: by a file, and where no file can be written, by a signal.

Theory of operation. The coordinator's rank looks for RUN/stop, wherever it runs, so the file is the
way. It is asked for again where it is gone: a job that was just starting may have cleared it as a
leftover. A full disk takes no file. Then the coordinator's rank is signalled, once it has written
who it is: from then on it listens. mpirun puts it on the host of the command, so it is within
reach; where it is not, as when another host's job is followed, what keeps the file from being
written is said, and the job is ended when its time to stop is over.
"""

import os
import signal
from collections.abc import Callable

from qmpi.errors import StorageError
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.rank_files import RankProcess, read_rank_files, run_of, start_ticks
from qmpi.storage.run_directory import RunDirectory

AGAIN = 40
"""A signal is repeated after so many more times that it was asked for."""


class StopAsker:
    """Asks one job to stop."""

    def __init__(
        self, directory: RunDirectory, say: Callable[[str], None], has_ended: Callable[[], bool]
    ) -> None:
        """Ask nothing yet.

        Args:
            directory: of the run.
            say: told what was done, in words.
            has_ended: whether the job says that it has ended.
        """
        self._directory = directory
        self._say = say
        self._has_ended = has_ended
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
        folder = self._directory.ranks
        known = [one for one in read_rank_files(folder) if one.run in {"", run_of(folder)}]
        if not known:
            return  # nobody listens yet
        if self._refused % AGAIN == 0:
            sent = any(_signalled(process) for process in known)
            if not self._refused:
                how = "stopping in order, by a signal" if sent else "cannot ask the job to stop"
                self._say(f"{how}: {error}")
        self._refused += 1


def _signalled(process: RankProcess) -> bool:
    here = process.rank == 0 and process.host == os.uname().nodename
    if not here or start_ticks(process.pid) != process.started:
        return False
    try:
        os.kill(process.pid, signal.SIGTERM)
    except (ProcessLookupError, PermissionError):
        return False
    return True
