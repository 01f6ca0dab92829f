"""Is there room for another start of a job? One that cannot write down why it died is not started.

A job on a full disk would come up, fail at its first record, and die without an end marker, again
and again.
"""

from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.run_directory import RunDirectory

PROBE_BYTES = 1 << 16
"""As much as some seconds of journal and status."""


def check_room(directory: RunDirectory) -> None:
    """Refuse to start a job again that could not even write down why it died.

    Args:
        directory: of the run.

    Raises:
        StorageError: the run directory takes no data; says why.
    """
    probe = directory.root / "probe"
    write_atomic(probe, bytes(PROBE_BYTES))
    probe.unlink(missing_ok=True)
