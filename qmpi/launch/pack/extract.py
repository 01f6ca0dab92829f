"""Writes the files of a pack below an empty folder, each compared with its digest on the way.

Nothing is written that the manifest does not name, and its names are safe; an archive that holds
other members, or a link in place of a file, is damaged.
"""

import hashlib
import os
import tarfile
from pathlib import Path
from typing import BinaryIO

from qmpi.errors import CorruptData
from qmpi.launch.pack.archive import PIECE, Readable, damage_told, members
from qmpi.launch.pack.manifest import Manifest, PackedFile
from qmpi.storage.os_errors import explained

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def extract(archive: BinaryIO, name: Path, manifest: Manifest, folder: Path) -> None:
    """Write all files.

    Args:
        archive: at its start.
        name: of the archive, for messages.
        manifest: of the archive.
        folder: empty.

    Raises:
        CorruptData: a file is missing, too many, or not what the manifest says.
        StorageError: there is no room, or no permission.
    """
    expected = {file.path: file for file in manifest.files}
    made: set[str] = set()
    with explained("unpack into", folder):
        for member, content in members(archive, name):
            packed = expected.pop(member.name, None)
            if packed is None or not _fits(member, packed):
                raise CorruptData(_damaged(name, f"{member.name!r} is not what its manifest says"))
            _make_folder(folder, packed.path, made)
            if packed.link:
                (folder / packed.path).symlink_to(packed.link)
            else:
                _write(content, name, packed, folder / packed.path)
    if expected:
        raise CorruptData(_damaged(name, f"it ends before {min(expected)}"))


def _fits(member: tarfile.TarInfo, packed: PackedFile) -> bool:
    if packed.link:
        return member.issym() and member.linkname == packed.link
    return member.isreg() and member.size == packed.size


def _make_folder(folder: Path, path: str, made: set[str]) -> None:
    parent = path.rpartition("/")[0]
    if parent not in made:
        (folder / parent).mkdir(mode=0o755, parents=True, exist_ok=True)
        made.add(parent)


def _write(content: Readable, name: Path, packed: PackedFile, target: Path) -> None:
    digest, size = hashlib.sha256(), 0
    descriptor = os.open(target, _NEW, packed.mode)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        while True:
            # A full disk must not be taken for a damaged archive, nor the other way round.
            with damage_told(name):
                piece = content.read(PIECE)
            if not piece:
                break
            digest.update(piece)
            _write_all(file, piece)
            size += len(piece)
        os.fchmod(file.fileno(), packed.mode)
    if size != packed.size or digest.hexdigest() != packed.sha256:
        raise CorruptData(
            _damaged(name, f"{packed.path} has another digest than its manifest says")
        )


def _write_all(file: BinaryIO, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[file.write(view) :]


def _damaged(name: Path, what: str) -> str:
    return f"{name} is damaged: {what}; copy it again, or pack it again"
