"""The compiled form of every module, behind a table of names.

Theory of operation. The interpreter in the pack is the one that runs now, so what it has compiled
is right there too. A compiled file that lies beside its source and is as old as it says is taken;
only its head is written anew, so that it is not compared with the source again. Else the source is
compiled. What does not compile (templates, test data of another Python) is left to be found as
ever.
"""

import importlib.util
import py_compile
import struct
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from qmpi.launch.pack.finder import HEAD_BYTES
from qmpi.launch.pack.item import Item

_UNCHECKED = 0b01
_HEAD = struct.Struct("<4sIII")
_HEAD_OF_HASHED = struct.Struct("<4sI8s")

EARLY = ("encodings/", "importlib/__init__.py", "warnings.py", "sitecustomize.py")
"""Of the standard library: loaded before the table is, so these get compiled files of their own."""


class Module(NamedTuple):
    """A module of the environment: full name, `p`ackage, `m`odule or e`x`tension, and its file."""

    name: str
    kind: str
    item: Item


def compiled(source: bytes, file: Path | None) -> bytes | None:
    """Return the compiled form of a module, marked so that nobody compares it with the source.

    Args:
        source: text of the module.
        file: where it lies on this machine, if it does; then what is compiled already is taken.

    Returns:
        Content of a `.pyc`, or None if the source does not compile.
    """
    body = _found(source, file) if file is not None else None
    if body is None:
        body = _compiled_anew(source)
    if body is None:
        return None
    magic, digest = importlib.util.MAGIC_NUMBER, importlib.util.source_hash(source)
    return _HEAD_OF_HASHED.pack(magic, _UNCHECKED, digest) + body


def _found(source: bytes, file: Path) -> bytes | None:
    try:
        data = Path(importlib.util.cache_from_source(str(file))).read_bytes()
        magic, flags, age, size = _HEAD.unpack_from(data)
        seconds = int(file.stat().st_mtime) & 0xFFFFFFFF
    except (OSError, struct.error):
        return None
    fits = (magic, flags, age, size) == (importlib.util.MAGIC_NUMBER, 0, seconds, len(source))
    return data[_HEAD.size :] if fits else None


def _compiled_anew(source: bytes) -> bytes | None:
    with tempfile.TemporaryDirectory(prefix="qmpi-pack-") as folder:
        text, out = Path(folder) / "module.py", Path(folder) / "module.pyc"
        text.write_bytes(source)
        try:
            with warnings.catch_warnings(action="ignore"):
                # The name is replaced when it is loaded; a fixed one makes equal packs equal.
                py_compile.compile(str(text), str(out), dfile=text.name, doraise=True)
        except (py_compile.PyCompileError, ValueError):
            return None
        return out.read_bytes()[_HEAD.size :]


def modules(items: Iterable[Item], roots: Iterable[str]) -> Iterator[Module]:
    """Find out which files are modules, and of which name.

    Args:
        items: files of the environment.
        roots: folders that are on the path of the environment, in this order.

    Yields:
        Each module once: of several files of a name the one that Python would find.
    """
    ordered = list(roots)
    found: dict[str, tuple[tuple[int, int], Module]] = {}
    for item in items:
        for rank, root in enumerate(ordered):
            module = _module(item, root)
            if module is None:
                continue
            order = (rank, "pxm".index(module.kind))
            if module.name not in found or order < found[module.name][0]:
                found[module.name] = (order, module)
    yield from (module for _, module in found.values())


def _module(item: Item, root: str) -> Module | None:
    if item.link or not item.path.startswith(f"{root}/"):
        return None
    path = PurePosixPath(item.path[len(root) + 1 :])
    stem, kind = _stem(path.name)
    parts = (*path.parts[:-1], stem) if stem != "__init__" else path.parts[:-1]
    if not kind or not parts or not all(part.isidentifier() for part in parts):
        return None
    return Module(".".join(parts), "p" if stem == "__init__" and kind == "m" else kind, item)


def _stem(name: str) -> tuple[str, str]:
    if name.endswith(".py"):
        return name.removesuffix(".py"), "m"
    for suffix in EXTENSION_SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix), "x"
    return "", ""


def table_file(found: Iterable[Module]) -> bytes:
    """Return the file that `finder` reads.

    Args:
        found: all modules.

    Returns:
        Table and compiled forms.
    """
    lines: list[str] = []
    bodies: list[bytes] = []
    offset = 0
    for name, kind, item in found:
        body = b"" if kind == "x" else compiled(item.content(), item.file)
        if body is None:
            continue
        lines.append(f"{name} {kind} {offset} {len(body)} {item.path}")
        bodies.append(body)
        offset += len(body)
    table = "\n".join(lines).encode()
    return b"".join([f"{len(table):0{HEAD_BYTES}}".encode(), table, *bodies])


def early_items(items: Iterable[Item], stdlib: str) -> Iterator[Item]:
    """Compile what Python loads before it knows of the table.

    Args:
        items: files of the environment.
        stdlib: folder of the standard library in it.

    Yields:
        Compiled files in the place where Python looks for them.
    """
    for item in items:
        place = item.path.removeprefix(f"{stdlib}/")
        if place == item.path or not place.startswith(EARLY) or not place.endswith(".py"):
            continue
        body = compiled(item.content(), item.file)
        if body is not None:
            path = PurePosixPath(item.path)
            name = f"{path.stem}.{sys.implementation.cache_tag}.pyc"
            yield Item(str(path.parent / "__pycache__" / name), body)
