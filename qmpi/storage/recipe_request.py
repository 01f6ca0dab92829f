"""RUN/recipe.json: a command asks a run for other weights of its sources.

It stays until it is answered, so that no death on the way loses it; whoever follows it writes its
name into the journal first.
"""

import re
from contextlib import suppress
from pathlib import Path

import msgspec

from qmpi.errors import CorruptData
from qmpi.protocol.recipe import RecipeRequest
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def write_recipe_request(path: Path, request: RecipeRequest) -> None:
    """Ask.

    Args:
        path: `RunDirectory.recipe_request`.
        request: what for.

    Raises:
        StorageError: it cannot be written.
    """
    write_atomic(path, msgspec.json.encode(request) + b"\n")


def read_recipe_request(path: Path) -> RecipeRequest | None:
    """Read a request, and leave it.

    Args:
        path: `RunDirectory.recipe_request`.

    Returns:
        The request; None if there is none.

    Raises:
        StorageError: it cannot be read.
        CorruptData: it is no request.
    """
    with explained("read", path):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
    try:
        request = msgspec.json.decode(data, type=RecipeRequest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(f"{path} is no request for other weights: {error}") from None
    if not _NAME.fullmatch(request.name):
        raise CorruptData(f"{path} is no request for other weights: {request}")
    return request


def close_recipe_request(path: Path, name: str) -> None:
    """Take a request away; another's stays.

    Args:
        path: `RunDirectory.recipe_request`.
        name: of the request.

    Raises:
        StorageError: it cannot be read or removed.
    """
    with explained("remove", path), suppress(FileNotFoundError):
        if f'"{name}"'.encode() in path.read_bytes():
            path.unlink()
