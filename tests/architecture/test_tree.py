"""What the tree may hold: sizes, names, and nothing that runs text as code or names one machine."""

import ast
import re
from collections import Counter

import pytest
from architecture.tree import ROOT, name_of, parse, python_files, text_files

LINES = 400
"""Longest file."""

SHARED_NAMES = {
    "__init__",
    "main",  # the entry of a rank, and the entry of the command
    "interface",  # what the floor's other modules fulfil: a role, a transport
    "journal",  # its records, and its file
    "lanes",  # how they are dealt, and what one computes
    "engine",  # of training, and of the simulation
}
"""Names that two packages may share; commands are named after what they call and come on top."""

UNPICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
RUNNERS = {"eval", "exec", "compile", "__import__"}
SHELLS = {("os", "system"), ("os", "popen"), ("subprocess", "getoutput")}
PICKLING_CALLS = {("torch", "save"), ("torch", "load")}

HERE = "/(work|root|opt/wheels|home/[a-z]+/[a-z]|mnt|Users)" + "/"
INDEXES = "py" + r"pi\.org|files\.pythonhosted|--(extra-)?index" + "-url|--find" + "-links"


def test_files_are_short() -> None:
    sizes = {name_of(p): len(p.read_text(encoding="utf-8").splitlines()) for p in python_files()}
    long = {name: size for name, size in sizes.items() if size > LINES}
    assert not long, f"split by concern: {long}"


def test_module_names_are_unique() -> None:
    modules = [p for p in python_files("qmpi") if p.parent.name != "cli"]
    twice = {name for name, count in Counter(p.stem for p in modules).items() if count > 1}
    assert twice == SHARED_NAMES - {"main"}
    assert not {p.stem for p in modules} & {"utils", "util", "helpers", "common", "misc"}


SANDBOX = "qmpi/content/verify/code_sandbox.py"
"""Runs generated Python to check it, after a whitelist of syntax and within bounds."""


def test_nothing_runs_text_or_pickles() -> None:
    found = [
        f"{name_of(path)}:{node.lineno}: {why}"
        for path in python_files()
        if name_of(path) != SANDBOX
        for node, why in _dangerous(parse(path))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from marshal import loads",
        "eval('1')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import os\nos.system('ls')",
        "import torch\ntorch.load('x')",
        "import numpy\nnumpy.load('x', allow_pickle=True)",
    ],
)
def test_the_search_finds(text: str) -> None:
    assert list(_dangerous(ast.parse(text)))


SIGNALS = frozenset(
    {"RefusedError", "FailedError", "EscapedError", "BadProgramError", "EndedError"}
)
"""Raised by a program that is run to make or check a listing; always caught in the same package."""


def test_errors_live_in_one_module() -> None:
    homeless = [
        f"{name_of(path)}: {node.name}"
        for path in python_files("qmpi")
        if path.name != "errors.py"
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and node.name not in SIGNALS
        and any(re.search("(Error|Exception)$", ast.unparse(base)) for base in node.bases)
    ]
    assert not homeless


@pytest.mark.parametrize("pattern", [HERE, INDEXES], ids=["paths", "registries"])
def test_no_file_knows_one_machine(pattern: str) -> None:
    found = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert not found, "\n".join(found)


def test_documents_that_code_names_exist() -> None:
    named = {
        (name, name_of(path))
        for path, text in text_files()
        for name in re.findall(r"docs/[a-z0-9_/-]+\.(?:md|py|svg)", text)
    }
    assert named
    missing = sorted(f"{name} (in {where})" for name, where in named if not (ROOT / name).exists())
    assert not missing, "\n".join(missing)


def _dangerous(module: ast.Module) -> list[tuple[ast.stmt | ast.expr, str]]:
    found: list[tuple[ast.stmt | ast.expr, str]] = []
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found += [(node, a.name) for a in node.names if a.name.split(".")[0] in UNPICKLERS]
        elif isinstance(node, ast.ImportFrom):
            found += [(node, m) for m in [node.module or ""] if m.split(".")[0] in UNPICKLERS]
        elif isinstance(node, ast.Call):
            found += [(node, why) for why in _dangerous_call(node)]
    return found


def _dangerous_call(call: ast.Call) -> list[str]:
    found = [
        word.arg
        for word in call.keywords
        if word.arg in {"shell", "allow_pickle"}
        and not (isinstance(word.value, ast.Constant) and word.value.value is False)
    ]
    if isinstance(call.func, ast.Name) and call.func.id in RUNNERS:
        found.append(call.func.id)
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        name = (call.func.value.id, call.func.attr)
        if name in SHELLS | PICKLING_CALLS:
            found.append(".".join(name))
    return found
