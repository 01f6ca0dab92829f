"""From the environment that runs now to the files of a pack."""

import platform
from importlib.metadata import Distribution

from qmpi import __version__
from qmpi.launch.pack.bytecode import early_items, modules, table_file
from qmpi.launch.pack.distributions import package_items, site_folder, stdlib_folder
from qmpi.launch.pack.finder import TABLE_NAME
from qmpi.launch.pack.interpreter import interpreter_items, libc, machine_notes
from qmpi.launch.pack.item import Item
from qmpi.launch.pack.manifest import FORMAT, Manifest, PackedFile


def collect(packages: dict[str, Distribution], *, whole: bool) -> list[Item]:
    """List every file of the environment that is to be, compiled modules included.

    Args:
        packages: by name.
        whole: leave out neither headers nor tests.

    Returns:
        Files sorted by path; of two with one path the first: the interpreter's.
    """
    items: dict[str, Item] = {}
    for item in (*interpreter_items(), *package_items(packages, whole=whole)):
        items.setdefault(item.path, item)
    stdlib = stdlib_folder()
    roots = (stdlib, f"{stdlib}/lib-dynload", site_folder())
    table = table_file(modules(items.values(), roots))
    early = early_items(list(items.values()), stdlib)
    for item in (Item(f"{stdlib}/{TABLE_NAME}", table), *early):
        items[item.path] = item
    return [items[path] for path in sorted(items)]


def describe(
    files: tuple[PackedFile, ...], packages: dict[str, Distribution], left_out: frozenset[str]
) -> Manifest:
    """Return the manifest of a pack that is made here and now.

    Args:
        files: with their digests.
        packages: by name.
        left_out: names of packages.
    """
    return Manifest(
        format=FORMAT,
        python=platform.python_version(),
        system=platform.system(),
        machine=platform.machine(),
        libc=libc(),
        qmpi=__version__,
        distributions={name: package.version for name, package in packages.items()},
        left_out=tuple(sorted(left_out)),
        notes=machine_notes(),
        files=files,
    )
