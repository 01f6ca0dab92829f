"""What is required is named once, and every version that is installed for tests is written down."""

import tomllib
from collections import Counter
from importlib.metadata import PackageNotFoundError, requires

import pytest
from architecture.tree import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LISTS = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
BUILDERS = {"setuptools", "pip"}
"""Of the environment itself, whatever version it brings."""


def pinned() -> set[str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {str(canonicalize_name(line.partition("==")[0])) for line in lines if "==" in line}


@pytest.mark.parametrize("extra", LISTS)
def test_a_package_is_required_once(extra: str) -> None:
    named = Counter(canonicalize_name(Requirement(text).name) for text in LISTS[extra])
    assert [name for name, times in named.items() if times > 1] == []


def test_what_is_required_has_a_tested_version() -> None:
    waiting = [(Requirement(text), extra) for extra in LISTS for text in LISTS[extra]]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted, extra = waiting.pop()
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
            continue
        name = str(canonicalize_name(wanted.name))
        if (name, frozenset(wanted.extras)) in seen:
            continue
        seen.add((name, frozenset(wanted.extras)))
        try:
            further = requires(name) or []
        except PackageNotFoundError:
            continue  # an extra that is not installed here
        waiting += [
            (Requirement(text), one) for text in further for one in ("", *sorted(wanted.extras))
        ]
    assert {name for name, _ in seen} - pinned() - BUILDERS - {"qmpi"} == set()
