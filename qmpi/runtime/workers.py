"""Worker threads: work effects run here, one at a time a thread, and come back as events.

Theory of operation. The loop must answer peers within milliseconds; a step takes seconds and a
shard read waits for a disk. Each worker is one thread with a queue, so work of one kind keeps its
order (a snapshot is taken before the next step runs). Results go to one inbox and wake the loop.
libraries release the interpreter lock while they compute, so the loop runs beside them.
"""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from msgspec import Struct

from qmpi.errors import ExitCode, MachineError, QmpiError
from qmpi.protocol.envelope import RoleName
from qmpi.roles.interface import Event, WorkCrashed

logger = logging.getLogger(__name__)


class Result(Struct, frozen=True):
    """What came of a piece of work."""

    owner: RoleName
    event: Event
    cause: str


class Job(Struct, frozen=True):
    """A piece of work."""

    owner: RoleName
    cause: str
    run: Callable[[], Event]


class Inbox:
    """Results on their way to the loop."""

    def __init__(self) -> None:
        """Make an empty inbox."""
        self.wake = threading.Event()
        self._results: SimpleQueue[Result] = SimpleQueue()

    def put(self, result: Result) -> None:
        """Add a result and wake the loop.

        Args:
            result: what came of a piece of work.
        """
        self._results.put(result)
        self.wake.set()

    def take(self) -> list[Result]:
        """Return all results that are here."""
        found: list[Result] = []
        while not self._results.empty():
            found.append(self._results.get())
        return found


class Worker:
    """One thread that does one kind of work in order."""

    def __init__(self, name: str, inbox: Inbox) -> None:
        """Start the thread.

        Args:
            name: for logs.
            inbox: where results go.

        Raises:
            MachineError: the system gives no more threads.
        """
        self._inbox = inbox
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        # A daemon: the process leaves by os._exit and never waits for a thread that hangs in a
        # library.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise MachineError(
                f"{error}: raise the limit on processes and threads (`ulimit -u`, pids.max of the "
                "container), or start fewer ranks"
            ) from error

    def submit(self, job: Job) -> None:
        """Queue a piece of work.

        Args:
            job: what to run.
        """
        self._jobs.put(job)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            self._inbox.put(Result(job.owner, self._run(job), job.cause))

    @staticmethod
    def _run(job: Job) -> Event:
        try:
            return job.run()
        except QmpiError as error:
            return WorkCrashed(type(error).__name__, str(error), int(error.exit_code))
        except MemoryError as error:
            return WorkCrashed("MemoryError", f"out of memory: {error}", int(ExitCode.MACHINE))
        except Exception as error:
            # The last line of defence: an unknown error must reach the coordinator, not die with a
            # thread.
            logger.exception("work for %s failed", job.owner)
            return WorkCrashed(type(error).__name__, str(error), int(ExitCode.BUG))
