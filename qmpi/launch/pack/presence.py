"""Whether a directory holds a pack, whole and untouched.

The manifest in it says which pack it is; every file must have its size. Since the machine's start
that is enough, since nothing that was lost in a crash can lie there. After it, the digests are
computed again, once. Programs that clear old files from temporary directories are why sizes are
looked at at all.
"""

import hashlib
import os
import stat
from pathlib import Path

from qmpi.errors import InputError
from qmpi.launch.pack.archive import PIECE
from qmpi.launch.pack.machine import Machine
from qmpi.launch.pack.manifest import MANIFEST_NAME, Manifest, PackedFile
from qmpi.storage.atomic_file import write_atomic

SEEN_NAME = ".qmpi-boot"
"""Holds the start of the machine in which all digests were right."""

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def is_there(
    target: Path, manifest: Manifest, encoded: bytes, machine: Machine, *, verify: bool
) -> bool:
    """Return whether a directory holds a pack, with every file.

    Args:
        target: the directory.
        manifest: of the pack.
        encoded: the same as it stands in the pack.
        machine: this one.
        verify: compare digests even if that was done since the machine's start.

    Raises:
        InputError: it is a directory that others can write to.
    """
    if held(target) != encoded:
        return False
    require_own(target, machine)
    seen = _seen(target)
    deep = verify or not seen or seen != machine.boot
    if not all(_is_right(target / file.path, file, deep=deep) for file in manifest.files):
        return False
    if seen != machine.boot and os.access(target, os.W_OK):
        remember(target, machine)
    return True


def held(target: Path) -> bytes | None:
    """Return the manifest of the pack that a directory holds; None if it holds none."""
    try:
        return (target / MANIFEST_NAME).read_bytes()
    except OSError:
        return None


def remember(target: Path, machine: Machine) -> None:
    """Note that all digests were right since the machine's start.

    Args:
        target: the directory.
        machine: this one.

    Raises:
        StorageError: it cannot be written.
    """
    write_atomic(target / SEEN_NAME, machine.boot.encode(), durable=False)


def require_own(target: Path, machine: Machine) -> None:
    """Refuse a directory in which somebody else could have put what we would run.

    Args:
        target: the directory.
        machine: this one.

    Raises:
        InputError: it belongs to another user, or others may write to it.
    """
    state = target.stat()
    if state.st_uid not in {0, machine.user}:
        raise InputError(f"{target} belongs to another user ({state.st_uid}): choose another")
    if state.st_mode & _OTHERS_WRITE:
        raise InputError(f"others may write to {target}: choose another, or chmod go-w it")


def _seen(target: Path) -> str:
    try:
        return (target / SEEN_NAME).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def _is_right(path: Path, packed: PackedFile, *, deep: bool) -> bool:
    try:
        if packed.link:
            return os.readlink(path) == packed.link  # noqa: PTH115 - an error less to meet
        state = path.lstat()
        if not stat.S_ISREG(state.st_mode) or state.st_size != packed.size:
            return False
        return not deep or _digest(path) == packed.sha256
    except OSError:
        return False


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
