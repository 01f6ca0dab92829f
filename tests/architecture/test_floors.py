"""Imports point downwards, and the pure core stays pure when it runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from architecture.tree import ROOT

PURE = ("units", "errors", "config", "protocol", "policy", "memory", "roles", "simulator")
LIGHT = ("transport", "corpora", "content", "ingest", "storage", "monitor")
LIBRARIES = (
    *(
        "mpi4py",
        "torch",
        "numpy",
        "h5py",
        "hdf5plugin",
        "blosc2",
        "tokenizers",
        "zstandard",
        "tiktoken",
    ),
    *("click", "rich"),
)

REFUSE = """
import importlib, pkgutil, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ImportError(f"{name} is refused here")

REFUSED = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Refuse())
count = 0
for name in sys.argv[2:]:
    package = importlib.import_module(name)
    count += 1
    for found in pkgutil.walk_packages(getattr(package, "__path__", []), name + "."):
        importlib.import_module(found.name)
        count += 1
print(count)
"""
"""A program that refuses some libraries, imports modules with all below them, and counts these."""


def _import_all(modules: list[str], refused: tuple[str, ...]) -> int:
    done = subprocess.run(
        [sys.executable, "-c", REFUSE, ",".join(refused), *modules],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def _modules(folder: str) -> int:
    return len(list((ROOT / "qmpi" / folder).rglob("*.py"))) or 1


def test_import_contracts_hold() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [tool, "setup.cfg", "--no-cache"],
        capture_output=True, text=True, timeout=110, check=False, cwd=ROOT,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " 0 broken" in done.stdout


def test_pure_core_runs_without_any_library() -> None:
    count = _import_all([f"qmpi.{name}" for name in PURE], LIBRARIES)
    assert count == sum(_modules(name) for name in PURE)


def test_commands_load_neither_mpi_nor_torch_nor_hdf5() -> None:
    count = _import_all(["qmpi.cli"], ("mpi4py", "torch", "h5py", "blosc2", "tokenizers"))
    assert count == _modules("cli")


@pytest.mark.parametrize(
    "name", ["transport", "corpora", "content", "ingest", "storage", "monitor"]
)
def test_light_ranks_never_load_torch(name: str) -> None:
    assert _import_all([f"qmpi.{name}"], ("torch",)) == _modules(name)


def test_importing_qmpi_loads_nothing_else() -> None:
    program = (
        "import sys; before = set(sys.modules); import qmpi; print(*set(sys.modules) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, timeout=60, check=True, cwd=ROOT,
    )  # fmt: skip
    assert done.stdout.split() == ["qmpi"]


def test_the_refusal_refuses() -> None:
    with pytest.raises(AssertionError, match="torch is refused here"):
        _import_all(["qmpi.model"], ("torch",))


def test_a_rank_loads_the_code_of_its_own_roles_alone() -> None:
    code = (
        "import sys, qmpi.main, qmpi.runtime.bootstrap, qmpi.roles.build\n"
        "print(*(name for name in sys.modules if name.startswith('qmpi.roles.')))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(told.stdout.split())
    assert "qmpi.roles.herald" in loaded
    others = ("trainer", "farm", "memory", "generator", "replica", "spare", "coordinator.machine")
    assert not [x for x in loaded if x.startswith(tuple(f"qmpi.roles.{one}" for one in others))]
