"""RUN/profile.json: a command asks a live job for a profile; the coordinator's rank takes it."""

from pathlib import Path

import msgspec

from qmpi.errors import CorruptData
from qmpi.protocol.profiles import MOST_STEPS, ProfileRequest
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.named_request import REQUEST_NAME
from qmpi.storage.os_errors import explained


def write_request(path: Path, request: ProfileRequest) -> None:
    """Ask.

    Args:
        path: `RunDirectory.profile_request`.
        request: what for.

    Raises:
        StorageError: it cannot be written.
    """
    write_atomic(path, msgspec.json.encode(request) + b"\n", durable=False)


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
    if not REQUEST_NAME.fullmatch(request.name) or not 1 <= request.steps <= MOST_STEPS:
        raise CorruptData(f"{path} is no request for a profile: {request}")
    return request
