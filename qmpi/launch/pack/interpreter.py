"""The interpreter and its standard library, as a directory that can lie anywhere.

Theory of operation. Python finds its standard library from where its program lies, if the usual
`lib/pythonX.Y` is beside `bin`: then no path is built in, and none is written down. A file
`pyvenv.cfg` that names no home only says that packages in the user's own directory are not to be
looked at: that directory is on the shared file system, and would differ from rank to rank of
different users. Left out of the standard library is what no job uses: its tests, the tools with
windows, the installer, and the static library.
"""

import os
import platform
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from qmpi.errors import LaunchError
from qmpi.launch.pack.distributions import normal, stdlib_folder
from qmpi.launch.pack.elf import ORIGIN, redirected, search
from qmpi.launch.pack.item import Item

_LEFT_OUT = {
    *("__pycache__", "site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter"),
    *("turtledemo", "ensurepip", "lib2to3", "pydoc_data", "sitecustomize.py", "turtle.py"),
}

_START = """#!/bin/sh
# Runs qmpi with the interpreter beside this file, wherever both lie.
unset PYTHONHOME
here=$(dirname -- "$(readlink -f -- "$0")")
exec "$here/python" -P -m qmpi.cli.main "$@"
"""


def interpreter_items() -> Iterator[Item]:
    """List the files of the interpreter that runs now.

    Yields:
        Program, libraries, start script.

    Raises:
        LaunchError: this interpreter cannot be moved.
    """
    program = _program()
    _require_movable(program)
    yield from _moved("bin/python", program)
    for name in ("python3", f"python{sysconfig.get_python_version()}"):
        yield Item(f"bin/{name}", b"", link="python")
    yield Item("bin/qmpi", _START.encode(), program=True)
    yield Item("pyvenv.cfg", b"include-system-site-packages = false\n")
    yield from _tree_items(Path(os.__file__).parent, stdlib_folder())
    finder = Path(__file__).with_name("finder.py")
    yield Item(f"{stdlib_folder()}/sitecustomize.py", finder.read_bytes())


def machine_notes() -> tuple[str, ...]:
    """Return what the machine must have because it is not in the pack."""
    program = _program()
    found = search(program.read_bytes())
    inside = {path.name for _, path in found.libraries(program)}
    return tuple(
        f"{name}, where the system's loader finds it: the interpreter names no folder for it"
        for name in found.needed
        if name.startswith("libpython") and name not in inside
    )


def _program() -> Path:
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def _moved(place: str, file: Path) -> Iterator[Item]:
    """Yield a program or a library, with the libraries that it names a folder for."""
    content = file.read_bytes()
    found = search(content)
    here = place.rpartition("/")[0]
    beside: list[Item] = []
    for written, library in found.libraries(file):
        to = library.name if found.is_fixed else written.removeprefix(f"{ORIGIN.decode()}/")
        beside += _moved(normal(f"{here}/{to}"), library)
    if found.is_fixed:
        content = redirected(content, found, ORIGIN if beside else b"")
    yield Item(place, content, program=bool(file.stat().st_mode & 0o100))
    yield from beside


def libc() -> str:
    """Return name and version of the C library, as "glibc 2.36"."""
    return " ".join(platform.libc_ver())


def _require_movable(program: Path) -> None:
    if (Path(sys.prefix) / "conda-meta").is_dir() or (
        Path(sys.base_prefix) / "conda-meta"
    ).is_dir():
        raise LaunchError(
            "this Python belongs to a conda environment, whose libraries lie in places that only "
            "conda knows: pack it with conda-pack, unpack it on each node, run its bin/conda-unpack"
        )
    if sys.platform != "linux" or not program.is_file():
        raise LaunchError(f"the interpreter {program} cannot be packed: only Linux has been tried")


def _tree_items(folder: Path, place: str) -> Iterator[Item]:
    for entry in sorted(folder.iterdir()):
        if entry.name in _LEFT_OUT or entry.name.startswith("config-"):
            continue
        if entry.is_dir():
            yield from _tree_items(entry, f"{place}/{entry.name}")
        elif entry.is_file() and entry.suffix != ".pyc":
            is_library = ".so" in entry.suffixes
            path = f"{place}/{entry.name}"
            yield from _moved(path, entry) if is_library else [Item(path, entry)]
