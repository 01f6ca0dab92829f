"""Files by which a command asks a live run for something; each goes by its name."""

import re
from contextlib import suppress
from pathlib import Path

from qmpi.storage.os_errors import explained

REQUEST_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def withdraw_request(path: Path, name: str) -> None:
    """Take a request away, if it still lies there; another's stays.

    Args:
        path: of the request.
        name: of the request that is answered or not wanted any more.

    Raises:
        StorageError: it cannot be read or removed.
    """
    with explained("withdraw", path), suppress(FileNotFoundError):
        if f'"{name}"'.encode() in path.read_bytes():
            path.unlink()
