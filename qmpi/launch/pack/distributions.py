"""Which packages a job needs, and their files.

Theory of operation. The packages are those that qmpi requires, and what these require, as their
metadata say; of qmpi's extras those that are for running, as far as they are installed. Linters and
test tools that share the environment stay where they are. A package's files are those of its
RECORD, at the same places relative to `site-packages`, so programs and libraries that a wheel puts
into `bin` and `lib` come along. qmpi itself is taken from where it runs: a checkout has no RECORD
of its modules.

Left out unless wanted: what serves compiling against a package or testing it (headers, type stubs,
static libraries, test programs), and start scripts, whose first line names an interpreter
elsewhere.
"""

import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import qmpi
from qmpi.errors import ConfigError, LaunchError
from qmpi.launch.pack.item import Item

EXTRAS = ("mpi", "ingest", "verify")
"""Of qmpi: what a job may use. Only what is installed of them."""

_FOR_BUILDING = {".pyi", ".pxd", ".pyx", ".h", ".hpp", ".cuh", ".a", ".lib"}
_FOR_TESTING = ("torch/test/", "torch/bin/", "torch/share/")
_KEPT = ("torch/bin/torch_shm_manager",)
_NOT_FILES = {"direct_url.json", "INSTALLER", "REQUESTED"}
_PATH_HOOKS = ("__editable__", "distutils-precedence.pth")


def required(without: frozenset[str]) -> dict[str, Distribution]:
    """Find the packages that a job needs.

    Args:
        without: names of packages to leave out, with what nobody else requires.

    Returns:
        Packages by name, qmpi among them.

    Raises:
        ConfigError: qmpi itself shall be left out, or a name is of no package.
        LaunchError: a package that is required is not installed.
    """
    if "qmpi" in without:
        raise ConfigError("--without qmpi: a pack is there to run qmpi")
    found: dict[str, Distribution] = {}
    waiting: list[tuple[str, tuple[str, ...], bool]] = [("qmpi", EXTRAS, True)]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    named: set[str] = set()
    while waiting:
        name, extras, must = waiting.pop()
        named.add(name)
        if name in without or (name, extras) in seen:
            continue
        seen.add((name, extras))
        package = _distribution(name, must=must)
        if package is None:
            continue
        found[name] = package
        waiting += _requirements(package, extras, of_qmpi=name == "qmpi")
    if unknown := sorted(without - named):
        raise ConfigError(
            f"--without {unknown[0]}: qmpi does not need it, so it is left out anyway; it needs "
            + ", ".join(sorted(found))
        )
    return dict(sorted(found.items()))


def _distribution(name: str, *, must: bool) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        if must:
            raise LaunchError(
                f"{name} is required and not installed: mend the environment (pip check), or "
                f"leave it out on purpose (--without {name})"
            ) from None
        return None


def _requirements(
    package: Distribution, extras: tuple[str, ...], *, of_qmpi: bool
) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    for text in package.requires or ():
        one = Requirement(text)
        plain = one.marker is None or one.marker.evaluate({"extra": ""})
        if plain or any(one.marker.evaluate({"extra": extra}) for extra in extras if one.marker):
            name = str(canonicalize_name(one.name))
            # What an extra of qmpi names may be missing, as MPI where the machine has its own.
            yield name, tuple(sorted(one.extras)), plain or not of_qmpi


def package_items(packages: dict[str, Distribution], *, whole: bool) -> Iterator[Item]:
    """List the files of packages.

    Args:
        packages: by name.
        whole: leave nothing out that is not tied to this place.

    Yields:
        Files, in the places where they will lie.

    Raises:
        LaunchError: a package cannot be copied as it is installed.
    """
    site = site_folder()
    for name, package in packages.items():
        if package.files is None:
            raise LaunchError(
                f"{name} has no list of its files: install it again with pip, or leave it out "
                f"(--without {name})"
            )
        if name != "qmpi" and _is_editable(package):
            raise LaunchError(
                f"{name} is installed as a checkout (pip install --editable), so its files are "
                f"not known: install it properly, or leave it out (--without {name})"
            )
        for file in package.files:
            if _is_wanted(PurePosixPath(file), name, whole=whole):
                yield from _file_item(name, Path(str(package.locate_file(file))), f"{site}/{file}")
    yield from _own_items(site)


def site_folder() -> str:
    """Return the folder of the packages in the environment."""
    return f"{stdlib_folder()}/site-packages"


def stdlib_folder() -> str:
    """Return the folder of the standard library in the environment."""
    return f"{sys.platlibdir}/python{sysconfig.get_python_version()}"


def _is_editable(package: Distribution) -> bool:
    return '"editable": true' in (package.read_text("direct_url.json") or "")


def _is_wanted(path: PurePosixPath, package: str, *, whole: bool) -> bool:
    text = str(path)
    if "__pycache__" in path.parts or path.name.startswith(_PATH_HOOKS):
        return False
    if path.name in _NOT_FILES or (package == "qmpi" and ".dist-info/" not in text):
        return False
    if whole or text in _KEPT:
        return True
    return path.suffix not in _FOR_BUILDING and not text.startswith(_FOR_TESTING)


def _file_item(package: str, file: Path, place: str) -> Iterator[Item]:
    path = normal(place)
    if path.startswith("bin/") and _is_script(file):
        return
    if not file.is_file():
        raise LaunchError(
            f"{package} lacks its file {file}: install it again, or leave it out "
            f"(--without {package})"
        )
    yield Item(path, file, program=bool(file.stat().st_mode & 0o100))


def _own_items(site: str) -> Iterator[Item]:
    root = Path(qmpi.__file__).parent
    for file in sorted(root.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield Item(f"{site}/qmpi/{file.relative_to(root).as_posix()}", file)


def _is_script(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(2) == b"#!"


def normal(place: str) -> str:
    """Return a path of the environment without "..", which leads at most to its root.

    Args:
        place: a path in the environment.
    """
    parts: list[str] = []
    for part in PurePosixPath(place).parts:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
    return "/".join(parts)
