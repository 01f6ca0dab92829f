"""A pack of a few files, for tests of the format and of unpacking."""

import io
import tarfile
from pathlib import Path

from zstandard import ZstdCompressor

from qmpi.launch.pack.archive import digested, write_pack
from qmpi.launch.pack.item import Item
from qmpi.launch.pack.machine import Machine, this_machine
from qmpi.launch.pack.manifest import FORMAT, MANIFEST_NAME, Manifest, PackedFile
from qmpi.launch.pack.place import Insistence, Placed, place

HERE = this_machine()

FILES = (
    Item("bin/python", b"#!/bin/sh\nexit 0\n", program=True),
    Item("bin/python3", b"", link="python"),
    Item("lib/a folder/one.py", b"one = 1\n" * 50),
    Item("lib/" + "deep/" * 30 + "two.bin", bytes(range(256)) * 9),
    Item("lib/empty", b""),
)


def manifest_of(items: tuple[Item, ...] = FILES, **changes: str) -> Manifest:
    facts = {"python": "3.11.7", "system": HERE.system, "machine": HERE.kind, "libc": "glibc 2"}
    facts |= changes
    return Manifest(
        format=FORMAT,
        **facts,
        qmpi="0",
        distributions={},
        left_out=(),
        notes=(),
        files=tuple(digested(items)),
    )


def write_small(path: Path, items: tuple[Item, ...] = FILES, **changes: str) -> Path:
    with path.open("wb") as file:
        write_pack(file, manifest_of(items, **changes), items, 3)
    return path


def forged(path: Path, told: Manifest, files: tuple[PackedFile, ...], *contents: bytes) -> Path:
    """Write an archive whose manifest is `told`, and whose members are `files`."""
    compress = ZstdCompressor(3, write_checksum=True).compress
    first, rest = io.BytesIO(), io.BytesIO()
    _member(first, tarfile.TarInfo(MANIFEST_NAME), told.encoded())
    for file, data in zip(files, contents, strict=True):
        info = tarfile.TarInfo(file.path)
        if file.link:
            info.type, info.linkname = tarfile.SYMTYPE, file.link
        _member(rest, info, data)
    path.write_bytes(compress(first.getvalue()) + compress(rest.getvalue() + bytes(1024)))
    return path


def _member(out: io.BytesIO, info: tarfile.TarInfo, data: bytes) -> None:
    info.size = len(data)
    out.write(info.tobuf() + data + bytes(-len(data) % 512))


def put(
    archive: Path,
    target: Path,
    machine: Machine = HERE,
    *,
    verify: bool = False,
    replace: bool = False,
    trial=lambda _: None,
) -> Placed:
    return place(archive, target, machine, trial, Insistence(verify, replace))


def content(target: Path) -> dict[str, tuple[bytes, int]]:
    """Return what lies below a directory: content and mode by path."""
    return {
        path.relative_to(target).as_posix(): (
            (b"-> " + bytes(path.readlink())) if path.is_symlink() else path.read_bytes(),
            path.lstat().st_mode & 0o777,
        )
        for path in sorted(target.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def leftovers(parent: Path) -> list[str]:
    """Return hidden names that unpacking left beside its target, but for locks."""
    return [p.name for p in parent.iterdir() if p.name.startswith(".") and p.suffix != ".lock"]
