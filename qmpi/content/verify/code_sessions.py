"""Interactive sessions: is what the prompt answers true of what was typed?"""

import ast
from typing import Any

from qmpi.content.verify.code_evaluator import Evaluator
from qmpi.content.verify.code_listings import listing_faults, needed_of
from qmpi.content.verify.code_sandbox import EscapedError, Sandbox
from qmpi.content.verify.code_spines import spine_of

Node = Any


def session_faults(unit: Node, text: str) -> list[str]:
    """Check a session.

    Args:
        unit: its program.
        text: the session.

    Returns:
        Faults in words.
    """
    language = unit["language"]
    faults = _typed_faults(unit, text, language)
    return faults or (_python_session(text) if language == "python" else _shown(unit, text))


def _python_session(text: str) -> list[str]:
    sandbox = Sandbox()
    faults: list[str] = []
    lines = text.split("\n")
    place = 0
    while place < len(lines):
        if not lines[place].startswith(">>> "):
            return [f"{lines[place]!r} is what nothing was asked for"]
        source = [lines[place][4:]]
        place += 1
        while place < len(lines) and lines[place].startswith("..."):
            source.append(lines[place][4:])
            place += 1
        shown: list[str] = []
        while place < len(lines) and not lines[place].startswith(">>> "):
            shown.append(lines[place])
            place += 1
        got = _prompted(sandbox, "\n".join(source))
        if got != shown:
            faults.append(f"{source[0]} gives {got}, not {shown}")
    return faults


def _prompted(sandbox: Sandbox, source: str) -> list[str]:
    """Return the lines that Python's prompt answers with.

    Raises:
        EscapedError: the source is not Python.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise EscapedError(f"no Python: {error}") from error
    if not tree.body:
        return []
    if isinstance(tree.body[0], ast.Expr):
        value = sandbox.value(source)
        return [] if value is None else [repr(value)]
    sandbox.run(source)
    return []


def _typed_faults(unit: Node, text: str, language: Node) -> list[str]:
    prompt = ">>> " if language == "python" else "> "
    typed = [
        line.removeprefix(prompt) if line.startswith(prompt) else line[4:]
        for line in text.split("\n")
        if line.startswith((prompt, "..."))
    ]
    wanted = [*unit["functions"]]
    cases = unit.get("cases", [])
    needed = needed_of([*wanted, *[["call", case[0], *case[1]] for case in cases]])
    spine = spine_of(unit["language"], unit)
    calls = {case[0]: [] for case in cases}
    for case in cases:
        calls[case[0]].append(["call", case[0], *case[1]])
    for node in wanted:
        spine.function(node)
        spine.all(calls.get(node[1], []))
    return listing_faults(unit["language"], "\n".join(typed), needed, spine.tokens)


def _shown(unit: Node, text: str) -> list[str]:
    cases = unit.get("cases", [])
    evaluator = Evaluator(unit)
    expected = [_inspected(evaluator.outcome(case[0], case[1])[0]) for case in cases]
    shown = [line for line in text.split("\n") if not line.startswith(("> ", "... "))]
    return [] if shown == expected else [f"the answers are {expected}, not {shown}"]


def _inspected(value: Node) -> str:
    """Return a value as the prompt of Node shows it."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f"'{value}'"
        case []:
            return "[]"
        case list():
            return f"[ {', '.join(map(str, value))} ]"
    return str(value)
