"""Parts of a program: what a listing of them must hold, and how they run in Python."""

from typing import Any

from qmpi.content.verify.code_evaluator import Evaluator
from qmpi.content.verify.code_sandbox import Sandbox
from qmpi.content.verify.code_spine import Spine, Token
from qmpi.content.verify.code_spines import spine_of

Node = Any
_TESTS = ("tests", "tested")
"""Parts that hold tests: alone, or after the functions."""


def parts_of(unit: Node, part: Node) -> list[Node]:
    """Return what a listing shows.

    Args:
        unit: the program.
        part: "whole", "tests", "tested", or names of functions.

    Returns:
        Functions, classes, statements and expressions.

    Raises:
        ValueError: the program has no such part.
    """
    if part == "whole":
        return [*unit["functions"], *unit["classes"], *unit["main"]]
    if part in _TESTS:
        return [*([] if part == "tests" else unit["functions"]), *_tests(unit)]
    named = [node for node in unit["functions"] if node[1] in part]
    if len(named) != len(part):
        raise ValueError(f"not all of {part} are in the program")
    return named


def row_of(language: str, unit: Node, part: Node) -> list[Token]:
    """Return the tokens that a listing must give.

    Args:
        language: of the listing.
        unit: the program.
        part: as `parts_of` takes it.

    Returns:
        The row.
    """
    spine = spine_of(language, unit)
    if part == "whole":
        for made in unit["classes"]:
            spine.made(made)
    for node in unit["functions"]:
        if part in ("whole", "tested") or (part != "tests" and node[1] in part):
            spine.function(node)
    if part == "whole":
        spine.body(unit["main"])
        # The main function of C ends in `return 0`.
        spine.all([0] if language == "c" and unit["main"] else [])
    elif part in _TESTS:
        _test_row(language, unit, spine)
    return spine.tokens


def _test_row(language: str, unit: Node, spine: Spine) -> None:
    given = list(unit.get("given", []))
    for name, title, numbers in unit["tests"]:
        if language in ("javascript", "typescript"):
            spine.expr(["s", title])
        else:
            spine.name(_test_name(language, name))
        for number in numbers:
            called, args, outcome, failed = unit["cases"][number]
            if language == "c":
                args = _named(args, given, spine)
            spine.case(["call", called, *args], _literal(outcome), failed=failed)


def _named(args: Node, given: list[Node], spine: Spine) -> list[Node]:
    """Return arguments whose lists are arrays that C declares before the call.

    Raises:
        ValueError: an array holds something else than the argument.
    """
    named: list[Node] = []
    for arg in args:
        if isinstance(arg, list) and arg[0] == "list":
            array = given.pop(0)
            if array[3] != arg:
                raise ValueError(f"{array[1]} holds {array[3]}, not {arg}")
            spine.body([array])
            named.append(array[1])
        else:
            named.append(arg)
    return named


def _tests(unit: Node) -> list[Node]:
    """Return what tests of a program must hold: their names, calls and values."""
    parts: list[Node] = [*unit.get("given", [])]
    for name, title, _ in unit["tests"]:
        spoken = unit["language"] in ("javascript", "typescript")
        parts.append(["s", title] if spoken else _test_name(unit["language"], name))
    for name, args, outcome, failed in unit["cases"]:
        parts.append(["call", name, *args])
        if not failed and not isinstance(outcome, bool):
            parts.append(_literal(outcome))
    for number in range(len(unit["cases"])):
        checked_case(unit, number)
    return parts


def _test_name(language: str, name: str) -> str:
    return {"python": "test_", "go": "Test"}.get(language, "") + name


def _literal(value: Node) -> Node:
    if isinstance(value, str):
        return ["s", value]
    return ["list", "ints", *value] if isinstance(value, list) else value


def checked_case(unit: Node, number: Node) -> tuple[str, Node, Node]:
    """Return name, arguments and outcome of a case, worked out again.

    Args:
        unit: the program.
        number: of the case.

    Returns:
        All three.

    Raises:
        ValueError: the certificate says something else of its outcome.
    """
    name, args, outcome, failed = unit["cases"][number]
    found = Evaluator(unit).outcome(name, args)
    if found != (outcome, failed) or type(found[0]) is not type(outcome):
        raise ValueError(f"{name} gives {found[0]!r}, not {outcome!r}")
    return name, args, outcome


def run_faults(unit: Node, part: Node, text: str) -> list[str]:
    """Run a Python listing and compare what it does with the program.

    Args:
        unit: the program.
        part: as `parts_of` takes it.
        text: the listing, with what it needs.

    Returns:
        Faults in words.
    """
    if part not in ("whole", *_TESTS):
        return run_cases(unit, text)
    sandbox = Sandbox()
    sandbox.run(text)
    if part == "whole":
        expected = Evaluator(unit).run_main()
        if sandbox.printed != expected:
            return [f"it prints {sandbox.printed!r}, not {expected!r}"]
        return []
    for name, _, _ in unit["tests"]:
        sandbox.call(f"test_{name}")
    return []


def run_cases(unit: Node, text: str) -> list[str]:
    """Return the cases that the functions of a Python listing fail.

    Args:
        unit: the program.
        text: the listing.

    Returns:
        Faults in words.
    """
    sandbox = Sandbox()
    sandbox.run(text)
    faults: list[str] = []
    for name, args, outcome, failed in unit.get("cases", []):
        if name in sandbox.names and not failed:
            values = Evaluator(unit).values(args)
            got = sandbox.value(f"{name}({', '.join(map(repr, values))})")
            if got != outcome:
                faults.append(f"{name}{tuple(values)} gives {got!r}, not {outcome!r}")
    return faults
