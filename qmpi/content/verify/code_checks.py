"""Is what a document of the code type says true?

Theory of operation. Each fact of a document is one kind of claim, and each kind has a function here
that works it out again: a listing is parsed and held against the program of the certificate, a
Python listing is run too; outputs, calls and values are compared with the checker's own run of that
program. At the end each digit of the text must lie in some fact.
"""

import ast
from collections.abc import Callable, Iterator
from typing import Any

from qmpi.content.page import Document, Fact
from qmpi.content.verify.code_evaluator import BadProgramError, EndedError, Evaluator
from qmpi.content.verify.code_grammars import LANGUAGES
from qmpi.content.verify.code_listings import listing_faults, needed_of
from qmpi.content.verify.code_sandbox import EscapedError, Sandbox


def check_code(document: Document) -> list[str]:
    """Check a document of the code type.

    Args:
        document: with its certificate.

    Returns:
        Faults in words; none if all that it says is true.

    Raises:
        InputError: a grammar is not installed.
    """
    faults: list[str] = []
    if not document.text.endswith("\n") or document.text.endswith("\n\n"):
        faults.append("the text does not end in one line break")
    reader = Reader(document)
    for fact in document.facts:
        text = document.text[fact.start : fact.end]
        faults += [f"{fact.kind}: {fault}" for fault in reader.faults(fact, text)]
    faults += [f"no fact covers the digit at {place}" for place in uncovered(document)]
    return faults


def uncovered(document: Document) -> Iterator[int]:
    """Return the places of digits that lie in no fact and no problem."""
    spans = [(fact.start, fact.end) for fact in document.facts]
    spans += [(problem.start, problem.end) for problem in document.problems]
    covered = bytearray(len(document.text))
    for start, end in spans:
        covered[start:end] = b"\1" * (min(end, len(covered)) - start)
    for place, char in enumerate(document.text):
        if char.isdigit() and not covered[place]:
            yield place


class Reader:
    """Checks the facts of one document.

    Attributes:
        document: with its certificate.
        listings: text of each listing seen so far, by program and part.
    """

    def __init__(self, document: Document) -> None:
        """Read the programs of a certificate.

        Args:
            document: with its certificate.
        """
        self.document = document
        self.listings: dict[tuple[str, str], tuple[str, str]] = {}

    def unit(self, key: Any) -> Any:
        """Return a program of the certificate."""
        units: Any = self.document.world["units"]
        return units[key]

    def faults(self, fact: Fact, text: str) -> list[str]:
        """Return what is wrong with a fact.

        Args:
            fact: of the document.
            text: its characters.
        """
        try:
            if fact.kind in LANGUAGES:
                return self._listing(fact, text)
            check = _KINDS.get(fact.kind)
            if check is None:
                return ["no checker knows this kind"]
            return check(self, fact, text)
        except (BadProgramError, EndedError, EscapedError) as error:
            return [str(error)]
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            return [f"the certificate cannot be read: {error!r}"]

    def _listing(self, fact: Fact, text: str) -> list[str]:
        key, part = fact.args
        unit = self.unit(key)
        parts = _parts(unit, part)
        self.listings[str(key), str(part)] = (fact.kind, text)
        faults = listing_faults(fact.kind, text, needed_of(parts))
        if fact.kind == "python" and not faults:
            sandbox = Sandbox()
            sandbox.run(text)
            expected = Evaluator(unit).run_main() if part == "whole" else []
            if sandbox.printed != expected:
                faults.append(f"it prints {sandbox.printed!r}, not {expected!r}")
        return faults

    def _output(self, fact: Fact, text: str) -> list[str]:
        expected = "\n".join(Evaluator(self.unit(fact.args[0])).run_main())
        return [] if text == expected else [f"the program prints {expected!r}, not {text!r}"]

    def _session(self, fact: Fact, text: str) -> list[str]:
        key, language = fact.args
        unit = self.unit(key)
        if language == "python":
            return _python_session(text)
        return _other_session(unit, text)


def _parts(unit: Any, part: Any) -> list[Any]:
    if part == "whole":
        return [*unit["functions"], *unit["classes"], *unit["main"]]
    named = [node for node in (*unit["functions"], *unit["classes"]) if node[1] in part]
    if len(named) != len(part):
        raise ValueError(f"not all of {part} are in the program")
    return named


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
    """Return the lines that Python's prompt answers with."""
    tree = ast.parse(source)
    if not tree.body:
        return []
    if isinstance(tree.body[0], ast.Expr):
        value = sandbox.value(source)
        return [] if value is None else [repr(value)]
    sandbox.run(source)
    return []


def _other_session(unit: Any, text: str) -> list[str]:
    lines = text.split("\n")
    typed = [line[2:] if line[:2] == "> " else line[4:] for line in lines if _is_typed(line)]
    wanted = [*unit["functions"]]
    cases = unit.get("cases", [])
    needed = needed_of([*wanted, *[["call", case[0], *case[1]] for case in cases]])
    faults = listing_faults(unit["language"], "\n".join(typed), needed)
    evaluator = Evaluator(unit)
    expected = [_inspected(evaluator.outcome(case[0], case[1])[0]) for case in cases]
    shown = [line for line in lines if not _is_typed(line)]
    if shown != expected:
        faults.append(f"the answers are {expected}, not {shown}")
    return faults


def _is_typed(line: str) -> bool:
    return line.startswith(("> ", "... "))


def _inspected(value: Any) -> str:
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


_KINDS: dict[str, Callable[[Reader, Fact, str], list[str]]] = {
    "output": Reader._output,  # noqa: SLF001
    "session": Reader._session,  # noqa: SLF001
}
