"""RUN/ram_dirs: in which RAM file systems the copies of a run may lie, one a line.

RUN/level_dirs tells the same of the levels of its cache.

Theory of operation. `snapshot.ram_dir` may be changed when a run goes on. What the ranks wrote
before still lies in the old place, newest copies among it, and takes memory until somebody removes
it. Each host can only look at its own memory, so all ranks are told every place there ever was.
"""

from collections.abc import Sequence
from pathlib import Path

from qmpi.errors import StorageError
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained, require_file
from qmpi.storage.run_directory import RunDirectory

NAME = "ram_dirs"
LEVELS_NAME = "level_dirs"


def note_ram_places(directory: RunDirectory, places: Sequence[str]) -> None:
    """Remember places; the caller holds a lock of the run.

    Args:
        directory: of the run.
        places: absolute paths.

    Raises:
        StorageError: the run directory takes no data.
    """
    _note(directory.root / NAME, places)


def note_level_places(directory: RunDirectory, places: Sequence[str]) -> None:
    """Remember where levels lie; the caller holds a lock of the run.

    Args:
        directory: of the run.
        places: absolute paths.

    Raises:
        StorageError: the run directory takes no data.
    """
    _note(directory.root / LEVELS_NAME, places)


def _note(path: Path, places: Sequence[str]) -> None:
    known = _places(path)
    fresh = [place for place in dict.fromkeys(places) if place and place not in known]
    if fresh:
        lines = [*known, *fresh]
        write_atomic(path, "".join(f"{line}\n" for line in lines).encode())


def ram_places(directory: RunDirectory) -> tuple[str, ...]:
    """Return the places that copies of a run may lie in.

    Args:
        directory: of the run.

    Returns:
        Absolute paths, the oldest first; nothing if none is known.
    """
    return _places(directory.root / NAME)


def level_places(directory: RunDirectory) -> tuple[str, ...]:
    """Return the places that levels of a run may lie in.

    Args:
        directory: of the run.

    Returns:
        Absolute paths, the oldest first; nothing if none is known.
    """
    return _places(directory.root / LEVELS_NAME)


def _places(path: Path) -> tuple[str, ...]:
    try:
        with explained("read", path):
            require_file(path)
            text = path.read_bytes().decode("utf-8", "replace")
    except StorageError:
        return ()  # a run of before; what it left is looked for in the place of today
    return tuple(line for line in dict.fromkeys(text.split("\n")) if line.startswith("/"))
