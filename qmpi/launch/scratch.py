"""The folder for MPI's own files, one for each run directory.

A launcher that is killed leaves its sockets and shared-memory segments behind, some megabytes a
rank in RAM; in a folder of their own they go with the job, or with the next one.
"""

import os
import shutil
import tempfile
from hashlib import blake2b
from pathlib import Path

from qmpi.errors import LaunchError

SHARED_MEMORY = Path("/dev/shm")


def make_scratch(run: Path) -> Path:
    """Make the folder, the same for every job of a run.

    Args:
        run: directory of the run; the caller holds its lock.

    Returns:
        An empty folder.

    Raises:
        LaunchError: it cannot be made.
    """
    scratch = scratch_of(run)
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(mode=0o700)
    except OSError as error:
        raise LaunchError(f"{scratch} cannot be made: {error.strerror}") from error
    return scratch


def scratch_of(run: Path) -> Path:
    """Name the folder; touches nothing.

    Args:
        run: directory of the run; it exists.

    Returns:
        Where it lies, whether it is there or not.
    """
    base = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    return base / f"qmpi-mpi-{os.getuid()}-{_name(run)}"


def _name(run: Path) -> str:
    # The file as well as its name: containers that share /dev/shm may each have this very path.
    found = run.stat()
    text = f"{run.resolve()}\0{found.st_dev}\0{found.st_ino}"
    return blake2b(os.fsencode(text), digest_size=6).hexdigest()
