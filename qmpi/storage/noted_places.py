"""RUN/ram_dirs and RUN/level_dirs: where files of a run may lie outside its directory, one a line.

The first names the RAM file systems of its copies, the second the directories of the levels of its
cache.

Theory of operation. A setting that names such a place may be changed when a run goes on. What the
ranks wrote before still lies in the old one, newest copies among it, and takes memory until
somebody removes it. Each host can only look at its own memory and disks, so all ranks are told
every place there ever was.
"""

from collections.abc import Sequence
from typing import Literal

from qmpi.errors import StorageError
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained, require_file
from qmpi.storage.run_directory import RunDirectory

Places = Literal["ram_dirs", "level_dirs"]
"""Name of the file: of copies, or of levels."""


def note_places(directory: RunDirectory, kind: Places, places: Sequence[str]) -> None:
    """Remember places; the caller holds a lock of the run.

    Args:
        directory: of the run.
        kind: what lies there.
        places: absolute paths.

    Raises:
        StorageError: the run directory takes no data.
    """
    known = noted_places(directory, kind)
    fresh = [place for place in dict.fromkeys(places) if place and place not in known]
    if fresh:
        lines = "".join(f"{line}\n" for line in (*known, *fresh))
        write_atomic(directory.root / kind, lines.encode())


def noted_places(directory: RunDirectory, kind: Places) -> tuple[str, ...]:
    """Return the places that files of a run may lie in.

    Args:
        directory: of the run.
        kind: what is looked for.

    Returns:
        Absolute paths, the oldest first; nothing if none is known.
    """
    path = directory.root / kind
    try:
        with explained("read", path):
            require_file(path)
            text = path.read_bytes().decode("utf-8", "replace")
    except StorageError:
        return ()  # a run of before; what it left is looked for in the place of today
    return tuple(line for line in dict.fromkeys(text.split("\n")) if line.startswith("/"))
