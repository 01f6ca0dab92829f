"""RUN/recipe.json: a command asks a run for other weights of its sources.

It stays until it is answered, so that no death on the way loses it; whoever follows it writes its
name into the journal first.
"""

from pathlib import Path

import msgspec

from qmpi.errors import CorruptData
from qmpi.protocol.recipe import RecipeRequest
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.named_request import REQUEST_NAME
from qmpi.storage.os_errors import explained


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
    if not REQUEST_NAME.fullmatch(request.name):
        raise CorruptData(f"{path} is no request for other weights: {request}")
    return request
