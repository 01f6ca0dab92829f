"""RUN/replay.json: which other run this one replays. A run without that file replays none."""

from pathlib import Path

import msgspec

from qmpi.errors import CorruptData
from qmpi.protocol.replay import Replay
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained


def write_replay(path: Path, replay: Replay) -> None:
    """Write down what a run replays.

    Args:
        path: `RunDirectory.replay`.
        replay: what it goes by.

    Raises:
        StorageError: it cannot be written.
    """
    write_atomic(path, msgspec.json.encode(replay) + b"\n")


def read_replay(path: Path) -> Replay | None:
    """Read what a run replays.

    Args:
        path: `RunDirectory.replay`.

    Returns:
        What it goes by; None: it is no replay.

    Raises:
        StorageError: it cannot be read.
        CorruptData: the file was broken.
    """
    with explained("read", path):
        if not path.exists():
            return None
        data = path.read_bytes()
    try:
        return msgspec.json.decode(data, type=Replay)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(
            f"{path} does not tell what the run replays ({error}); begin the replay again with "
            "another --run-dir"
        ) from error
