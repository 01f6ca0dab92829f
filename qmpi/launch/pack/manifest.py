"""What a pack holds: its first member, read before anything is unpacked.

Theory of operation. The manifest names every file with size, mode and SHA-256, so that whoever
unpacks knows beforehand how much room it takes and afterwards whether each byte is right. Its own
digest is the pack's identity: two packs are the same if and only if all their files are.

Names are checked when the manifest is decoded, once and for all: relative, without `..`, each once,
no file below another file. A link leads to a file of its own folder and nowhere else. So nothing
that is written by these names can leave the directory it is written into.
"""

import hashlib
from pathlib import PurePosixPath

import msgspec
from msgspec import Struct

from qmpi.errors import CorruptData

MANIFEST_NAME = "qmpi-pack.json"
"""First member of the archive; in the unpacked directory the sign that it is whole."""

FORMAT = 1

LARGEST_MANIFEST = 64 << 20
"""Bytes; an environment of a hundred thousand files takes a quarter of it."""

MODES = (0o644, 0o755)


class PackedFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One file.

    Attributes:
        path: relative, with "/".
        size: bytes; 0 for a link.
        mode: 0o644 or 0o755.
        sha256: of the content, in hexadecimal; empty for a link.
        link: name of a file in the same folder; empty for a file.
    """

    path: str
    size: int
    mode: int
    sha256: str
    link: str = ""


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """What a pack holds and where it can run.

    Attributes:
        format: of the archive.
        python: version of the interpreter inside, as 3.11.7.
        system: as `platform.system()` says it.
        machine: as `platform.machine()` says it.
        libc: C library that it was packed with, as "glibc 2.36"; a much older one may not do.
        qmpi: version.
        distributions: versions of the packages by name.
        left_out: packages that were left out by name.
        notes: what the machine must have because it is not inside.
        files: sorted by path.
    """

    format: int
    python: str
    system: str
    machine: str
    libc: str
    qmpi: str
    distributions: dict[str, str]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    files: tuple[PackedFile, ...]

    def encoded(self) -> bytes:
        """Return the bytes that stand in the archive."""
        return msgspec.json.encode(self)

    def total_bytes(self) -> int:
        """Return the size of all files together."""
        return sum(file.size for file in self.files)


def identity(encoded: bytes) -> str:
    """Return the identity of a pack.

    Args:
        encoded: its manifest, as it stands in the archive.

    Returns:
        64 hexadecimal digits.
    """
    return hashlib.sha256(encoded).hexdigest()


def decode_manifest(encoded: bytes) -> Manifest:
    """Read and check a manifest.

    Args:
        encoded: as it stands in the archive.

    Returns:
        A manifest whose names are safe to write below any directory.

    Raises:
        CorruptData: it is no manifest, of a later format, or a name in it leads elsewhere.
    """
    try:
        manifest = msgspec.json.decode(encoded, type=Manifest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CorruptData(f"the pack's manifest cannot be read: {error}") from error
    if manifest.format != FORMAT:
        raise CorruptData(
            f"the pack has format {manifest.format}, this qmpi reads {FORMAT}: pack it again"
        )
    _check(manifest)
    return manifest


def _check(manifest: Manifest) -> None:
    files = {file.path for file in manifest.files}
    if len(files) != len(manifest.files):
        raise CorruptData("the pack's manifest names a file twice")
    for file in manifest.files:
        if file.path == MANIFEST_NAME or not _is_plain(file.path):
            raise CorruptData(f"the pack names a file that leads elsewhere: {file.path!r}")
        if any(str(folder) in files for folder in PurePosixPath(file.path).parents):
            raise CorruptData(f"the pack names a file below a file: {file.path!r}")
        if file.size < 0 or file.mode not in MODES:
            raise CorruptData(f"the pack gives {file.path!r} an impossible size or mode")
    links = {file.path: file.link for file in manifest.files if file.link}
    for path, link in links.items():
        target = str(PurePosixPath(path).with_name(link)) if _is_name(link) else ""
        if target not in files or target in links:
            raise CorruptData(f"the pack has a link that leads elsewhere: {path!r}")


def _is_plain(path: str) -> bool:
    return bool(path) and all(map(_is_name, path.split("/")))


def _is_name(part: str) -> bool:
    return part not in {"", ".", ".."} and "/" not in part and part.isprintable()
