"""Each port has a suite, and both worlds run it."""

import ast
import importlib

import pytest
from architecture.tree import ROOT, parse

CONFORMANCE = ROOT / "tests" / "conformance"
SHARED = {"__init__", "base"}
PORTS = [p.stem for p in sorted((ROOT / "qmpi" / "ports").glob("*.py")) if p.stem not in SHARED]


def _imported(path) -> set[str]:
    found = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_there_are_ports() -> None:
    assert {"books", "clock", "engine", "transport"} <= set(PORTS)


@pytest.mark.parametrize("port", PORTS)
def test_a_suite_runs_over_both_worlds(port: str) -> None:
    assert (CONFORMANCE / f"{port}_suite.py").exists(), f"{port} has promises that nothing holds"
    suite = importlib.import_module(f"conformance.{port}_suite")
    assert suite.CHECKS
    assert len(set(suite.CHECKS)) == len(suite.CHECKS)
    worlds = {f"conformance.{world}.{port}" for world in ("real", "modelled")}
    reached = _imported(CONFORMANCE / f"test_{port}.py")
    assert worlds <= reached
    # The suite comes with the test, or with a world that plays it as a whole.
    for world in worlds:
        reached |= _imported(CONFORMANCE.joinpath(*world.split(".")[1:]).with_suffix(".py"))
    assert f"conformance.{port}_suite" in reached


@pytest.mark.parametrize("port", PORTS)
def test_every_check_of_a_suite_is_run(port: str) -> None:
    paths = [CONFORMANCE / f"{port}_suite.py", *CONFORMANCE.glob(f"{port}_breaks.py")]
    suite = importlib.import_module(f"conformance.{port}_suite")
    run = {check.__name__ for check in suite.CHECKS}
    run |= {check.__name__ for check in getattr(suite, "TEAM_CHECKS", ())}
    run |= {check.__name__ for check in getattr(suite, "SHARED", ())}
    run |= {check.__name__ for check in getattr(suite, "KEEPING", ())}
    run |= {check.__name__ for check, _ in getattr(suite, "DEATHS", ())}
    for path in paths:
        defined = {node.name for node in parse(path).body if isinstance(node, ast.FunctionDef)}
        unused = {name for name in defined if name.startswith("check_")} - run
        # The suite of transport runs one of its checks on its own terms: somebody dies in it.
        assert unused <= {"check_loss"}, f"{path.name}: {sorted(unused)} are never run"


@pytest.mark.parametrize("port", PORTS)
def test_the_promises_are_told_and_the_suite_named(port: str) -> None:
    text = importlib.import_module(f"qmpi.ports.{port}").__doc__
    assert text is not None
    assert "Promises, held by one conformance suite." in text
