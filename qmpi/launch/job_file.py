"""The job file of a run that goes on: written before the start, taken back if nothing came of it.

Theory of operation. Ranks read `job.toml`, so it must say what is wanted before they start. If then
no step is trained with it (a rank refuses it, the job never comes up), the run is what it was, and
the next `--resume` must not go on with settings that nobody has ever trained with. So the one that
wrote the file puts the old text back, while it still holds the run. It leaves alone what somebody
has written there meanwhile.
"""

from qmpi.config.settings import Settings
from qmpi.launch.train import claim_run
from qmpi.protocol.status import EndMarker
from qmpi.runtime.same_run import Continuation, run_path
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.journal import glance_at
from qmpi.storage.os_errors import explained
from qmpi.storage.run_directory import RunDirectory


class JobFile:
    """The job file of one run, over one start of its command."""

    def __init__(self, settings: Settings, way: Continuation) -> None:
        """Look at nothing yet.

        Args:
            settings: the job as it shall go on.
            way: how the run goes on.
        """
        self._settings, self._way = settings, way
        self._directory = RunDirectory(run_path(settings))
        self._before = self._written = b""
        self._trained = 0

    def claim(self) -> None:
        """Write the job that the ranks read; the caller holds the supervisor's lock of the run.

        Raises:
            ConfigError: the run cannot go on so.
            StorageError: it takes no data.
        """
        before, trained = self._text(), self._steps_trained()
        claim_run(self._settings, self._way)
        self._before, self._trained, self._written = before, trained, self._text()

    def release(self, marker: EndMarker | None) -> None:
        """Put the old job back if the run was resumed in vain; the caller still holds the lock.

        Args:
            marker: how the job ended; None: by an error.

        Raises:
            StorageError: the run takes no data.
        """
        failed = marker is None or marker.state == "failed"
        if not (failed and self._way.changes and self._before):
            return
        if self._steps_trained() == self._trained and self._text() == self._written:
            write_atomic(self._directory.job, self._before)

    def _text(self) -> bytes:
        path = self._directory.job
        with explained("read the job", path):
            return path.read_bytes() if path.exists() else b""

    def _steps_trained(self) -> int:
        journal = self._directory.journal
        with explained("look at", journal):
            is_there = journal.exists()
        return glance_at(journal).trained if is_there else 0
