"""REF.json, a reference that runs are held against; RUN/specialisation.json, how one stands."""

from pathlib import Path

import msgspec

from qmpi.errors import CorruptData, InputError
from qmpi.protocol.specialisation import REFERENCE_VERSION, Reference, Specialisation
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained, require_file


def write_reference(path: Path, reference: Reference) -> None:
    """Write a reference.

    Args:
        path: of its file; replaced if it exists.
        reference: what it tells.

    Raises:
        StorageError: it cannot be written.
    """
    data = msgspec.json.format(msgspec.json.encode(reference), indent=1)
    write_atomic(path, data + b"\n")


def read_reference(path: Path) -> Reference:
    """Read a reference.

    Args:
        path: of its file.

    Returns:
        What it tells.

    Raises:
        InputError: there is none, or the file is something else.
        StorageError: it cannot be read.
    """
    with explained("read the reference", path):
        if not path.exists():
            raise InputError(
                f"there is no reference {path}; `qmpi curriculum --reference {path} --run RUN ...` "
                "makes one of finished runs"
            )
        require_file(path)
        data = path.read_bytes()
    try:
        reference = msgspec.json.decode(data, type=Reference)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is no reference ({error})") from error
    if reference.version != REFERENCE_VERSION:
        raise InputError(
            f"{path} is a reference of form {reference.version}, and this version reads form "
            f"{REFERENCE_VERSION}: make it again with `qmpi curriculum --reference`"
        )
    return reference


def write_specialisation(path: Path, told: Specialisation) -> None:
    """Keep how a run stands beside its reference.

    Args:
        path: `RunDirectory.specialisation`.
        told: what was found.

    Raises:
        StorageError: it cannot be written.
    """
    write_atomic(path, msgspec.json.encode(told) + b"\n")


def read_specialisation(path: Path) -> Specialisation | None:
    """Read how a run stands beside its reference.

    Args:
        path: `RunDirectory.specialisation`.

    Returns:
        What was found; None: nobody has looked.

    Raises:
        StorageError: it cannot be read.
        CorruptData: the file was broken.
    """
    with explained("read", path):
        if not path.exists():
            return None
        data = path.read_bytes()
    try:
        return msgspec.json.decode(data, type=Specialisation)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(
            f"{path} is damaged ({error}); remove it: `qmpi curriculum --run` makes it again"
        ) from error
