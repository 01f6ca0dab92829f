"""A folder that appears whole or not at all, with room made sure of first.

Theory of operation. Files are written into a hidden folder beside the target, which is renamed when
all of them stand. A process killed half-way leaves a hidden folder, which the next one removes. An
older folder is replaced only if asked for, and only if nothing lies in it that such a folder has
not: a slip of the keyboard must not cost a home directory.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from qmpi.errors import InputError, StorageError
from qmpi.storage.atomic_file import (
    TEMPORARY_SUFFIX,
    sync_directory,
    temporary_name,
    written_by_nobody,
)
from qmpi.storage.os_errors import explained, storage_error
from qmpi.units import Bytes

SLACK = 1.02
"""Room that files take beyond their sizes."""


class OwnFiles(NamedTuple):
    """How a folder that was made here is known.

    Attributes:
        patterns: of the names of its files.
        mark: name of the file that none is without.
    """

    patterns: tuple[str, ...]
    mark: str


@contextmanager
def new_folder(target: Path, size: Bytes, own: OwnFiles, *, replace: bool) -> Iterator[Path]:
    """Make a folder.

    Args:
        target: its name; what leads to it is made.
        size: bytes that will be written.
        own: what such a folder holds; only one that holds nothing else is replaced.
        replace: replace an older one.

    Yields:
        A folder to write into.

    Raises:
        InputError: something else has the name, or an older one and it shall not be replaced.
        StorageError: no room, no permission; nothing is left behind.
    """
    target = Path(os.path.realpath(target))
    check_folder(target, own, replace=replace)
    with explained("make the folder", target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _require_room(target.parent, size)
        part = temporary_name(target)
        _sweep(target)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
    try:
        yield part
        with explained("write", target):
            sync_directory(part)
            _publish(part, target, own, replace=replace)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_folder(target: Path, own: OwnFiles, *, replace: bool) -> None:
    """Check that a folder may be made; for those who want to know before they work.

    Args:
        target: its name.
        own: as of `new_folder`.
        replace: as of `new_folder`.

    Raises:
        InputError: it may not.
        StorageError: it cannot be looked at.
    """
    with explained("look at", target):
        if not _exists(target):
            return
        if not target.is_dir():
            raise InputError(f"{target} is a file: name a folder")
        there = sorted(target.iterdir())
        foreign = [path.name for path in there if not _is_own(path, own)]
    if there and not foreign and own.mark not in {path.name for path in there}:
        foreign = [there[0].name]
    if foreign:
        raise InputError(f"{target} holds other things ({foreign[0]}): name a new folder")
    if there and not replace:
        raise InputError(f"{target} exists; name another folder, or replace it with --force")


def _exists(target: Path) -> bool:
    try:
        target.stat()
    except FileNotFoundError:
        return False
    except NotADirectoryError as error:
        file = next(path for path in target.parents if path.exists())
        raise InputError(f"{target} cannot be a folder: {file} is a file") from error
    return True


def _is_own(path: Path, own: OwnFiles) -> bool:
    named = any(fnmatch(path.name, pattern) for pattern in own.patterns)
    return named and path.is_file()


def _require_room(parent: Path, size: Bytes) -> None:
    system = os.statvfs(parent)
    free, needed = system.f_bavail * system.f_frsize, int(size * SLACK)
    if free < needed:
        raise StorageError(
            f"{parent} has {free / 1e6:,.1f} MB free, {needed / 1e6:,.1f} MB are needed: free "
            "space there, or name a folder elsewhere"
        )


def _sweep(target: Path) -> None:
    """Remove what killed processes left."""
    start = f".{target.name}."
    for left in target.parent.iterdir():
        mine = left.name.startswith(start) and left.name.endswith(TEMPORARY_SUFFIX)
        if mine and left.is_dir() and written_by_nobody(left):
            shutil.rmtree(left, ignore_errors=True)


def _publish(part: Path, target: Path, own: OwnFiles, *, replace: bool) -> None:
    old = part.with_name(f"{part.name}-old")
    check_folder(target, own, replace=replace)
    if target.exists():
        target.rename(old)
    try:
        part.rename(target)
    except OSError as error:
        if old.exists():
            old.rename(target)
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            raise InputError(f"{target} was made by somebody else meanwhile") from error
        raise storage_error(error, "put in place", target) from error
    sync_directory(target.parent)
    shutil.rmtree(old, ignore_errors=True)
