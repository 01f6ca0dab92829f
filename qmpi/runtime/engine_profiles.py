"""Profiles of one engine: recorded on its thread, written on another while it goes on.

Theory of operation. A profile is begun between two steps and ended between two; whatever fails in
it is told as its fault, and the engine trains on. Torch writes plain JSON into a temporary, which
is read, named after the rank, compressed and renamed: no reader sees a part of a trace.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from qmpi.errors import QmpiError
from qmpi.ports.base import Event, Reply
from qmpi.ports.engine import ProfileSteps, ProfileWritten
from qmpi.runtime.worker import Task, Worker
from qmpi.storage.trace_file import TraceFolder
from qmpi.units import Seconds

if TYPE_CHECKING:
    from qmpi.training.profiler import Profiler


class Recording(Struct):
    """The profile under way; `left` steps are not recorded yet."""

    work: ProfileSteps
    profiler: "Profiler"
    reply: Reply
    left: int


class EngineProfiles:
    """Profiles, one at a time. All calls but `settle` come from the engine's thread.

    Invariants: each profile that was begun is told of once.
    """

    def __init__(self, folder: TraceFolder | None) -> None:
        """Record nothing yet.

        Args:
            folder: where traces are written; None: nowhere, and each profile fails.
        """
        self._folder = folder
        self._worker = Worker("profiles")
        self._recording: Recording | None = None

    def begin(self, work: ProfileSteps, profiler: "Profiler", reply: Reply) -> None:
        """Begin a profile; one that is under way ends without a trace.

        Args:
            work: what is asked for.
            profiler: records.
            reply: takes the end.
        """
        before, self._recording = self._recording, None
        try:
            if before is not None:
                before.reply(_failed(before.work, "another profile was asked for"))
                before.profiler.stop()
            profiler.start()
        except QmpiError as error:
            reply(_failed(work, str(error)))
            return
        self._recording = Recording(work, profiler, reply, work.steps)

    @contextmanager
    def step(self, number: int) -> Iterator[None]:
        """Record the body, if a profile is under way; it counts if it raises nothing.

        Args:
            number: of the step.

        Yields:
            Nothing.
        """
        recording = self._recording
        if recording is None:
            yield
            return
        with recording.profiler.step(number):
            yield
        recording.left -= 1
        if recording.left <= 0:
            self._end(recording)

    def settle(self, patience: Seconds) -> bool:
        """Wait until the traces of profiles that have ended are written; any thread may call.

        Args:
            patience: seconds after which they are left unwritten.

        Returns:
            True if they are.
        """
        return self._worker.settle(patience)

    def _end(self, recording: Recording) -> None:
        self._recording = None
        try:
            recording.profiler.stop()
        except QmpiError as error:
            recording.reply(_failed(recording.work, str(error)))
            return
        self._worker.submit(Task(lambda: self._written(recording), recording.reply))

    def _written(self, recording: Recording) -> Event:
        work = recording.work
        if self._folder is None:
            return _failed(work, "this engine writes no traces")
        try:
            path = self._folder.write(work.name, recording.profiler.write)
        except QmpiError as error:
            return _failed(work, str(error))
        return ProfileWritten(work.name, str(path))


def _failed(work: ProfileSteps, why: str) -> ProfileWritten:
    return ProfileWritten(work.name, "", why)
