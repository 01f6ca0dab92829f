"""Finds the modules of an unpacked environment without looking for them.

Theory of operation. Python looks for a module in every entry of `sys.path`: it lists directories,
asks for names that are not there, opens the compiled file and asks for the age of its source. Here
one file, `modules.bin`, holds the compiled form of every module behind a table of names; it is
opened once, and a module is one read at a known place. Extension modules are loaded from the path
that the table gives. What the table does not name is left to Python's own finders.

The loader is Python's own: it is handed the compiled bytes where it would open a file, and told no
age where it would ask for one. The bytes are marked as unchecked, so the source is not opened
either; it is there, for tracebacks and `inspect`. If the bytes are of another Python, or the file
has gone, the loader compiles the source, as it always does.

A module is taken from the table only where its package has the folder that the table means, so
that a package which puts other folders on its own path still gets what lies there. Modules on the
top are taken from the table whatever `sys.path` says: a pack is the same code for all ranks.

This file is copied into the environment as `sitecustomize.py`, which Python imports at its start,
before anything of ours. So it imports next to nothing.
"""

import os
import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec, SourceFileLoader

TYPE_CHECKING = False  # that of `typing` costs a dozen modules
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from _typeshed import ReadableBuffer

TABLE_NAME = "modules.bin"
"""Beside the standard library's modules."""

HEAD_BYTES = 16
"""Size of the table in decimal digits."""


class PackedLoader(SourceFileLoader):
    """Loads a module whose compiled form lies in the table's file."""

    def __init__(self, fullname: str, path: str, place: "tuple[int, int, int]") -> None:
        """Remember where it lies.

        Args:
            fullname: of the module.
            path: of its source.
            place: descriptor, offset and size of the compiled form.
        """
        super().__init__(fullname, path)
        self._place = place

    def path_stats(self, path: str) -> "dict[str, float]":  # noqa: ARG002
        """Return no age: the compiled form is not compared with it."""
        return {"mtime": 0, "size": 0}

    def get_data(self, path: str) -> bytes:
        """Return the bytes of a file; of the compiled form those of the table's file."""
        if path.endswith(".pyc"):
            descriptor, offset, size = self._place
            return os.pread(descriptor, size, offset)
        return super().get_data(path)

    def set_data(self, path: str, data: "ReadableBuffer", *, _mode: int = 0o666) -> None:
        """Write nothing: the environment stays as it was unpacked."""


class PackedFinder:
    """Looks modules up in the table."""

    def __init__(self, root: str, descriptor: int, table: "dict[str, str]", start: int) -> None:
        """Take the table.

        Args:
            root: the environment.
            descriptor: of the table's file.
            table: "KIND OFFSET SIZE PATH" by module; kinds are `p`ackage, `m`odule, e`x`tension.
            start: where the compiled forms begin in the file, bytes.
        """
        self._root, self._descriptor, self._table, self._start = root, descriptor, table, start

    def find_spec(
        self,
        name: str,
        path: "Sequence[str] | None" = None,
        target: "ModuleType | None" = None,  # noqa: ARG002
    ) -> "ModuleSpec | None":
        """Find a module.

        Args:
            name: full name.
            path: folders of its package; None on the top.
            target: not used.

        Returns:
            Its spec, or None if the table does not name it for these folders.
        """
        entry = self._table.get(name)
        if entry is None:
            return None
        kind, offset, size, place = entry.split(" ", 3)
        file = f"{self._root}/{place}"
        folder = os.path.dirname(file)  # noqa: PTH120 - pathlib is a dozen more modules
        owner = os.path.dirname(folder) if kind == "p" else folder  # noqa: PTH120
        if path is not None and owner not in path:
            return None
        if kind == "x":
            loader = ExtensionFileLoader(name, file)
        else:
            where = (self._descriptor, self._start + int(offset), int(size))
            loader = PackedLoader(name, file, where)
        spec = ModuleSpec(name, loader, origin=file, is_package=kind == "p")
        spec.has_location = True
        if kind == "p":
            spec.submodule_search_locations = [folder]
        return spec


def install(root: str, file: str) -> None:
    """Ask the table before Python's own path.

    Args:
        root: the environment, absolute.
        file: the table's file; where it cannot be read, Python finds modules as it always does.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    length = int(os.pread(descriptor, HEAD_BYTES, 0) or b"0")
    text = os.pread(descriptor, length, HEAD_BYTES).decode()
    table = dict(line.split(" ", 1) for line in text.splitlines())
    # After the built-in and the frozen modules, which need no file.
    sys.meta_path.insert(2, PackedFinder(root, descriptor, table, HEAD_BYTES + length))


if __name__ == "sitecustomize":
    install(sys.prefix, os.path.join(os.path.dirname(__file__), TABLE_NAME))  # noqa: PTH118, PTH120
