"""What the tree may hold: sizes, names, and nothing that runs text as code or names one machine."""

import ast
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

import pytest
from architecture.tree import ROOT, name_of, parse, python_files, text_files

LINES = 400
"""Longest file."""

TABLE_LINES = 700
"""Longest file that is one state machine with its table: splitting it would hide what follows."""

TABLE = re.compile(r"^RULES: tuple\[Rule\[\w+\], \.\.\.\] = \(", re.MULTILINE)

NO_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "stuff"}
"""Words that say nothing of what a module is about."""

NAMED_SO_FOR_NOW: dict[str, str] = {
    "qmpi/ports/transport.py": "the word only looks as if it repeated its folder's",
}
"""Path of a module or folder whose name breaks the rule, and why it may; "" is no reason."""

UNPICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
RUNNERS = {"eval", "exec", "compile", "__import__"}
SHELLS = {("os", "system"), ("os", "popen"), ("subprocess", "getoutput")}
PICKLING_CALLS = {("torch", "save"), ("torch", "load")}

HERE = "/(work|root|opt/wheels|home/[a-z]+/[a-z]|mnt|Users)" + "/"
INDEXES = "py" + r"pi\.org|files\.pythonhosted|--(extra-)?index" + "-url|--find" + "-links"


def test_files_are_short() -> None:
    texts = {name_of(path): path.read_text(encoding="utf-8") for path in python_files()}
    long = {
        name: size
        for name, text in texts.items()
        if (size := len(text.splitlines())) > (TABLE_LINES if TABLE.search(text) else LINES)
    }
    assert not long, f"split by concern: {long}"


def test_a_name_says_what_its_folder_does_not() -> None:
    found = _misnamed(name_of(path) for path in python_files("qmpi"))
    assert sorted(found) == sorted(NAMED_SO_FOR_NOW), found
    assert all(NAMED_SO_FOR_NOW.values())


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("qmpi/content/code/code_python.py", "qmpi/content/code/code_python.py"),
        ("qmpi/content/code/python_code.py", "qmpi/content/code/python_code.py"),
        ("qmpi/content/code/codepython.py", "qmpi/content/code/codepython.py"),
        ("qmpi/content/code/code.py", "qmpi/content/code/code.py"),
        ("qmpi/content/code/content_words.py", "qmpi/content/code/content_words.py"),
        ("qmpi/corpora/corpus_survey.py", "qmpi/corpora/corpus_survey.py"),
        ("qmpi/roles/role_book.py", "qmpi/roles/role_book.py"),
        ("qmpi/roles/book_of_roles.py", "qmpi/roles/book_of_roles.py"),
        ("qmpi/policy/old_policies.py", "qmpi/policy/old_policies.py"),
        ("qmpi/qmpi_units.py", "qmpi/qmpi_units.py"),
        ("qmpi/ingest/ingest_read/__init__.py", "qmpi/ingest/ingest_read"),
        ("qmpi/ingest/reading_ingest/files.py", "qmpi/ingest/reading_ingest"),
        ("qmpi/storage/utils.py", "qmpi/storage/utils.py"),
        ("qmpi/storage/file_helpers.py", "qmpi/storage/file_helpers.py"),
        ("qmpi/common/words.py", "qmpi/common"),
        ("qmpi/storage/utils/__init__.py", "qmpi/storage/utils"),
    ],
)
def test_the_rule_of_names_finds(path: str, named: str) -> None:
    assert list(_misnamed([path])) == [named]


def test_the_rule_of_names_lets_pass() -> None:
    assert not _misnamed(
        [
            "qmpi/content/code/__init__.py",
            "qmpi/content/code/words.py",
            "qmpi/content/technical/words.py",
            "qmpi/content/verify/code_checks.py",
            "qmpi/launch/mpirun.py",
        ]
    )


def test_a_module_and_a_folder_do_not_share_a_name() -> None:
    assert not _doubled(name_of(path) for path in python_files("qmpi"))
    assert _doubled(["qmpi/ingest/read.py", "qmpi/ingest/read/files.py"]) == ["qmpi/ingest/read"]
    assert _doubled(["qmpi/ingest/Read.py", "qmpi/ingest/read.py"]) == ["qmpi/ingest/read"]


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


def _misnamed(paths: Iterable[str]) -> dict[str, str]:
    """Return modules and folders whose name repeats that of a folder above, or says nothing."""
    found: dict[str, str] = {}
    for path in map(PurePosixPath, paths):
        whole = path.parent if path.name == "__init__.py" else path
        for place in (whole, *whole.parents):
            if why := _fault_of_name(place.stem.lower(), place.parent.parts):
                found[str(place)] = why
    return found


def _fault_of_name(name: str, above: tuple[str, ...]) -> str:
    if not above:
        return ""
    if NO_NAMES & set(name.split("_")):
        return "says nothing"
    plain = name.replace("_", "")
    repeated = (
        folder
        for folder in above
        for form in _forms(folder.replace("_", ""))
        if plain.startswith(form) or plain.endswith(form)
    )
    return next((f"repeats {folder}" for folder in repeated), "")


def _forms(folder: str) -> set[str]:
    """Return a folder's name, its singular and its plural."""
    if folder == "corpora":
        return {folder, "corpus"}
    singular = re.sub("ies$", "y", folder) if folder.endswith("ies") else folder.removesuffix("s")
    return {folder, singular, re.sub("y$", "ie", singular) + "s"}


def _doubled(paths: Iterable[str]) -> list[str]:
    """Return what is a module and a folder at once, or one name in two spellings."""
    places = {place for path in map(PurePosixPath, paths) for place in (path, *path.parents)}
    count = Counter(str(place.with_suffix("")).lower() for place in places if place.name)
    return sorted(name for name, number in count.items() if number > 1)


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


def test_a_file_nested_too_deep_is_as_damaged_as_any_other() -> None:
    handlers = [
        (f"{name_of(path)}:{node.lineno}", ast.unparse(node.type))
        for path in python_files("qmpi")
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ExceptHandler) and node.type is not None
    ]
    decoding = [(where, caught) for where, caught in handlers if "msgspec.DecodeError" in caught]
    assert len(decoding) > 10
    deaf = [where for where, caught in decoding if "RecursionError" not in caught]
    assert not deaf, f"the decoder raises RecursionError for [[[[...: {deaf}"
