"""Worker threads: work of ports runs here, one piece at a time a thread, and comes back as events.

Theory of operation. The driver must answer peers within milliseconds; a step takes seconds and a
shard read waits for a disk. Each worker is one thread with a queue, so work of one kind keeps its
order (a snapshot is taken before the next step runs). Libraries release the interpreter lock while
they compute, so the driver runs beside them.

Whatever a piece of work raises comes back as `WorkCrashed`: nothing dies with a thread.
"""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from msgspec import Struct

from qmpi.errors import ExitCode, MachineError, QmpiError
from qmpi.ports.base import Event, Reply, WorkCrashed
from qmpi.units import Seconds

logger = logging.getLogger(__name__)


class Task(Struct, frozen=True):
    """A piece of work queued on a worker.

    Attributes:
        run: does it; returns what came of it, None if nobody is to be told.
        reply: takes that.
    """

    run: Callable[[], Event | None]
    reply: Reply


class Worker:
    """One thread that does one kind of work in order; it starts with the first piece."""

    def __init__(self, name: str) -> None:
        """Have nothing to do yet.

        Args:
            name: of the thread, for logs.
        """
        self._name = name
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, task: Task) -> None:
        """Queue a piece of work.

        Args:
            task: what to do.

        Raises:
            MachineError: the system gives no more threads.
        """
        self._tasks.put(task)
        if self._thread is None:
            # A daemon: the process leaves by os._exit and never waits for a thread that hangs in a
            # library.
            thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise MachineError(
                    f"{error}: raise the limit on processes and threads (`ulimit -u`, pids.max of "
                    "the container) or that on memory (`ulimit -v`), or start fewer ranks"
                ) from error
            self._thread = thread

    def settle(self, patience: Seconds) -> bool:
        """Wait until all that was queued so far is done.

        Args:
            patience: seconds after which it is left undone.

        Returns:
            True if it is done.
        """
        if self._thread is None:
            return True
        done = threading.Event()

        def reach() -> None:
            done.set()

        self._tasks.put(Task(reach, _nobody))
        return done.wait(patience)

    def close(self, patience: Seconds) -> bool:
        """End the thread once all that was queued is done; nothing may be queued any more.

        Args:
            patience: seconds after which it is left to itself.

        Returns:
            True if there is no thread any more.
        """
        if self._thread is None:
            return True
        self._tasks.put(None)
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            event = self._run(task)
            if event is not None:
                task.reply(event)

    def _run(self, task: Task) -> Event | None:
        try:
            return task.run()
        except QmpiError as error:
            return WorkCrashed(type(error).__name__, str(error), int(error.exit_code))
        except MemoryError as error:
            return WorkCrashed("MemoryError", f"out of memory: {error}", int(ExitCode.MACHINE))
        except OSError as error:
            # The machine, met where no adapter explained it.
            logger.exception("work of %s failed", self._name)
            return WorkCrashed(type(error).__name__, str(error), int(ExitCode.MACHINE))
        except Exception as error:
            # The last line of defence: an unknown error must reach the coordinator, not die with a
            # thread.
            logger.exception("work of %s failed", self._name)
            return WorkCrashed(type(error).__name__, str(error), int(ExitCode.BUG))


def _nobody(event: Event) -> None:
    """Take an event that nobody waits for."""
    del event
