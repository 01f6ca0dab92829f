"""Puts a pack in its place on this machine: whole, or not at all, and only once.

Theory of operation. The files are written into a hidden folder beside the target, each compared
with its digest on the way; then the interpreter in it is tried, and only then the folder is
renamed. So whoever sees the target sees a whole environment that runs. A process killed half-way
leaves a hidden folder, which the next one removes.

Many may come at once, each rank of a node or several jobs. A lock (`flock`, which the kernel drops
with its holder) lets one unpack; the others wait, and find it there. Where a file system has no
locks they all unpack, and the first to rename wins.

A directory that holds something else is not touched, unless it is a pack and replacing is asked
for: another job may be running from it.
"""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from qmpi.errors import InputError, StorageError
from qmpi.launch.pack.archive import read_manifest
from qmpi.launch.pack.extract import extract
from qmpi.launch.pack.machine import Machine, require_machine
from qmpi.launch.pack.manifest import MANIFEST_NAME, Manifest, identity
from qmpi.launch.pack.presence import held, is_there, remember, require_own
from qmpi.storage.os_errors import explained, require_file

Trial = Callable[[Path], None]

SLACK = 1.05
"""Room that files take beyond their sizes: blocks, directories."""

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


class Wanted(Struct, frozen=True):
    """What shall be where.

    Attributes:
        archive: the pack.
        target: directory of the environment, without links.
        manifest: of the pack.
        encoded: the same as it stands in the pack.
        machine: this one.
    """

    archive: Path
    target: Path
    manifest: Manifest
    encoded: bytes
    machine: Machine

    def is_met(self, *, verify: bool = False) -> bool:
        """Return whether the environment is there.

        Args:
            verify: compare digests, not sizes.
        """
        return is_there(self.target, self.manifest, self.encoded, self.machine, verify=verify)


class Placed(Struct, frozen=True):
    """What unpacking came to.

    Attributes:
        directory: where the environment is.
        pack: identity of the pack.
        reused: it was there already.
        files: how many.
        bytes: their size together.
    """

    directory: Path
    pack: str
    reused: bool
    files: int
    bytes: int


class Insistence(Struct, frozen=True):
    """How much is to be done that need not be.

    Attributes:
        verify: compare what is there already with its digests.
        replace: replace another pack in the directory.
    """

    verify: bool = False
    replace: bool = False


def place(
    archive: Path, directory: Path, machine: Machine, trial: Trial, insist: Insistence
) -> Placed:
    """Unpack, unless it is there already.

    Args:
        archive: the pack.
        directory: where to.
        machine: this one.
        trial: raises if the environment in a directory does not run.
        insist: what else to do.

    Returns:
        What was done.

    Raises:
        InputError: it is no pack, of another kind of machine, or the directory holds other things.
        CorruptData: it is damaged.
        StorageError: there is no room, or no permission.
    """
    require_file(archive)
    with explained("read", archive):
        file = archive.open("rb")
    with file:
        manifest, encoded = read_manifest(file, archive)
        require_machine(manifest, machine, archive)
        target = Path(os.path.realpath(directory))
        if not target.name:
            raise InputError(f"{target} cannot be replaced as a whole: choose a directory below it")
        wanted = Wanted(archive, target, manifest, encoded, machine)
        with _alone(target):
            reused = wanted.is_met(verify=insist.verify)
            if not reused:
                _require_free(wanted, replace=insist.replace)
                _sweep(target)
                file.seek(0)
                _unpack(file, wanted, trial)
    return Placed(target, identity(encoded), reused, len(manifest.files), manifest.total_bytes())


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    with explained("make the directory", target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    path = target.with_name(f".{target.name}.lock")
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with explained("open the lock", path):
            lock = os.open(path, flags, 0o600)
    except StorageError:
        if not (target / MANIFEST_NAME).exists():
            raise
        lock = -1  # a directory that somebody with more rights has filled: it is only looked at
    try:
        if lock >= 0:
            _lock(lock, path)
        yield
    finally:
        if lock >= 0:
            os.close(lock)


def _lock(descriptor: int, path: Path) -> None:
    with explained("lock", path):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise


def _require_free(wanted: Wanted, *, replace: bool) -> None:
    target = wanted.target
    there = held(target)
    if there is not None:
        require_own(target, wanted.machine)
        if there != wanted.encoded and not replace:
            raise InputError(
                f"{target} holds another pack ({identity(there)[:16]}, wanted "
                f"{identity(wanted.encoded)[:16]}): choose another directory, or --replace it if "
                "no job runs from it"
            )
    elif target.is_dir():
        if any(target.iterdir()):
            raise InputError(f"{target} holds other things: choose an empty or a new directory")
    elif target.exists():
        raise InputError(f"{target} is a file: name a directory")
    with explained("look at", target.parent):
        room = os.statvfs(target.parent)
    free, needed = room.f_bavail * room.f_frsize, int(wanted.manifest.total_bytes() * SLACK)
    if free < needed:
        raise StorageError(
            f"{target.parent} has {free >> 20} MiB free, the pack needs {needed >> 20} MiB: free "
            "space there, choose another directory, or pack less (qmpi pack --without)"
        )


def _sweep(target: Path) -> None:
    """Remove what killed processes left; who holds the lock is alone."""
    for left in target.parent.glob(f".{_quoted(target.name)}.part-*"):
        shutil.rmtree(left, ignore_errors=True)


def _quoted(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _unpack(file: BinaryIO, wanted: Wanted, trial: Trial) -> None:
    target = wanted.target
    with explained("write beside", target):
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}.part-", dir=target.parent))
    try:
        extract(file, wanted.archive, wanted.manifest, part)
        with explained("write", part):
            (part / MANIFEST_NAME).write_bytes(wanted.encoded)
            part.chmod(0o755)
        remember(part, wanted.machine)
        trial(part)
        _publish(part, wanted)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _publish(part: Path, wanted: Wanted) -> None:
    target = wanted.target
    if wanted.is_met():
        return  # without locks somebody else may have been first; jobs may run from theirs
    old = part.with_name(f"{part.name}-old")
    with explained("put in place", target):
        if held(target) is not None:
            target.rename(old)
        try:
            part.rename(target)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST} or not wanted.is_met():
                with suppress(OSError):
                    old.rename(target)
                raise
    shutil.rmtree(old, ignore_errors=True)
