"""RUN/profile.json: a command asks a live job for a profile; the coordinator's rank takes it."""

import re
from contextlib import suppress
from pathlib import Path

import msgspec

from qmpi.errors import CorruptData
from qmpi.protocol.profiles import MOST_STEPS, ProfileRequest
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def write_request(path: Path, request: ProfileRequest) -> None:
    """Ask.

    Args:
        path: `RunDirectory.profile_request`.
        request: what for.

    Raises:
        StorageError: it cannot be written.
    """
    write_atomic(path, msgspec.json.encode(request) + b"\n", durable=False)


def withdraw_request(path: Path, name: str) -> None:
    """Take a request back, if nobody has taken it yet; another's stays.

    Args:
        path: `RunDirectory.profile_request`.
        name: of the profile that is not wanted any more.

    Raises:
        StorageError: it cannot be read or removed.
    """
    with explained("withdraw", path), suppress(FileNotFoundError):
        if f'"{name}"'.encode() in path.read_bytes():
            path.unlink()


def take_request(path: Path) -> ProfileRequest:
    """Read a request and take it away, so that it is followed once.

    Args:
        path: `RunDirectory.profile_request`.

    Returns:
        The request.

    Raises:
        StorageError: it cannot be read or removed.
        CorruptData: it is no request; it is removed all the same.
    """
    with explained("take", path):
        data = path.read_bytes()
        path.unlink()
    try:
        request = msgspec.json.decode(data, type=ProfileRequest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(f"{path} is no request for a profile: {error}") from None
    # The name becomes that of a folder.
    if not _NAME.fullmatch(request.name) or not 1 <= request.steps <= MOST_STEPS:
        raise CorruptData(f"{path} is no request for a profile: {request}")
    return request
