"""Programs are run by two interpreters, by Python, and by compilers where there are some."""

import shutil
import subprocess
from pathlib import Path

import pytest

from qmpi.content.code.bash import Bash
from qmpi.content.code.c import C
from qmpi.content.code.dialect import Dialect
from qmpi.content.code.java import Java
from qmpi.content.code.machine import _STATEMENTS, Machine
from qmpi.content.code.main import use
from qmpi.content.code.operators import OPERATORS, RefusedError
from qmpi.content.code.python import Python
from qmpi.content.code.reserved import COMMON, COMMON_LISTS
from qmpi.content.code.rust import Rust
from qmpi.content.code.script import JavaScript
from qmpi.content.code.sheet import Sheet, with_class
from qmpi.content.code.unit import _COUNTERS
from qmpi.content.code.words import _tables
from qmpi.content.counter import Draw
from qmpi.content.page import Page
from qmpi.content.verify.code_evaluator import Evaluator
from qmpi.content.verify.code_grammars import LANGUAGES, parser_of
from qmpi.content.verify.code_sandbox import EscapedError, Sandbox

COMPILED = {
    "javascript": (JavaScript, "main.js", "node main.js"),
    "bash": (Bash, "main.sh", "bash main.sh"),
    "c": (C, "main.c", "gcc -w -o main main.c && ./main"),
    "rust": (Rust, "main.rs", "rustc -A warnings -o main main.rs && ./main"),
    "java": (Java, "Main.java", "java Main.java"),
}


def program(language: type[Dialect], seed: int) -> tuple[str, list[str], dict[str, object]]:
    """A program as text, what it prints, and the program itself."""
    page = Page(Draw(b"program %d" % seed), "code", 1 + seed * 37 % 100)
    studio = Sheet(page).studio((language,))
    for _ in range(4):
        made, cases = studio.function()
        for case in cases:
            if not case.failed:
                use(studio, made, case)
    with_class(studio, 6)
    printed = studio.run()
    studio.dialect.remember(studio.unit)
    text = "\n".join(studio.dialect.whole(studio.unit, [])) + "\n"
    return text, printed or [], studio.unit


@pytest.mark.parametrize("seed", range(40))
def test_two_interpreters_and_python_agree(seed: int) -> None:
    text, printed, unit = program(Python, seed)
    sandbox = Sandbox()
    sandbox.run(text)
    assert sandbox.printed == printed
    assert Evaluator(unit).run_main() == printed


@pytest.mark.slow
@pytest.mark.parametrize("language", sorted(COMPILED))
def test_compilers_agree(language: str, tmp_path: Path) -> None:
    dialect, name, command = COMPILED[language]
    if shutil.which(command.split()[0]) is None:
        pytest.skip(f"no {command.split()[0]} here")
    for seed in range(12):
        text, printed, _ = program(dialect, seed)
        (tmp_path / name).write_text(text)
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.stdout.splitlines(), done.stderr) == (printed, ""), text


def run(body: list[object], **values: object) -> object:
    function = ["fn", "f", [[name, "int"] for name in values], "int", body, []]
    return Machine({"f": function}, {}).call("f", list(values.values()))


def test_what_languages_disagree_on_is_refused() -> None:
    for node in (["/", "x", 2], ["%", "x", 2], ["&", "x", 2], ["/", 4, 0], ["*", 65536, 65536]):
        with pytest.raises(RefusedError):
            run([["ret", node]], x=-3)


def test_a_loop_without_end_is_refused() -> None:
    with pytest.raises(RefusedError):
        run([["while", True, [["aug", "+", "x", 0]]]], x=1)


def test_loops_branches_and_lists() -> None:
    body = [
        ["let", "xs", "ints", ["list", "ints"]],
        ["for", "i", 0, "x", 1, [["if", ["==", "i", 3], [["break"]], [["push", "xs", "i"]]]]],
        ["ret", "xs"],
    ]
    assert run(body, x=9) == [0, 1, 2]


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "open('x')",
        "(1).__class__",
        "while True:\n    pass",
        "def f():\n    return f()\nf()",
        "x = 2 ** 99",
        "x = 1 << 999",
        "for i in range(10 ** 9):\n    pass",
        "print(undefined)",
        "x = [",
    ],
)
def test_a_listing_does_no_harm(source: str) -> None:
    with pytest.raises(EscapedError):
        Sandbox().run(source)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_no_name_is_a_word_of_a_language(language: str) -> None:
    grammar = parser_of(language).language
    numbers = range(grammar.node_kind_count)
    kinds = {grammar.node_kind_for_id(n) for n in numbers if not grammar.node_kind_is_named(n)}
    if language == "sql":
        named = [str(grammar.node_kind_for_id(number)) for number in numbers]
        kinds = {kind.removeprefix("keyword_") for kind in named if kind.startswith("keyword_")}
    drawn = {word for table in _tables().values() for word in table}
    assert kinds & drawn == set()


def test_no_name_is_an_operator_of_programs() -> None:
    drawn = {word for table in _tables().values() for word in table}
    own = {*OPERATORS, *_STATEMENTS, "lit", "int", "bool", "str", "ints", "strs", "map", "fn"}
    counters = {name for names in _COUNTERS.values() for name in names}
    assert (drawn | counters | {*COMMON, *COMMON_LISTS}) & own == set()
