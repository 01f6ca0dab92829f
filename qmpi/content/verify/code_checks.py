"""Is what a document of the code type says true?

Theory of operation. Each fact of a document is one kind of claim, and each kind has a function here
that works it out again: a listing is parsed and held against the program of the certificate, a
Python listing is run too; outputs, calls and values are compared with the checker's own run of that
program. At the end each digit of the text must lie in some fact.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from qmpi.content.document import Document, Fact
from qmpi.content.verify.code_data_checks import (
    Base,
    config_faults,
    in_force,
    override_faults,
    shell_faults,
)
from qmpi.content.verify.code_evaluator import BadProgramError, EndedError, Evaluator
from qmpi.content.verify.code_grammars import LANGUAGES
from qmpi.content.verify.code_listings import listing_faults, needed_of
from qmpi.content.verify.code_spine import Spine, Token
from qmpi.content.verify.code_spines import spine_of
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
    reader.close()
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
        self._base = Base(document.world)

    def close(self) -> None:
        """Give back what the checks held."""
        self._base.close()

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
            if fact.kind == "sql":
                return self._base.faults(text, fact.args)
            if fact.kind in ("json", "toml"):
                return config_faults(fact.kind, text, self.document.world["config"])
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
        if part != "whole" and not isinstance(part, str):
            part = list(part)
        row = _row_of(fact.kind, unit, part)
        faults = listing_faults(fact.kind, text, needed_of(parts), row)
        if part in ("tests", "tested"):
            _compare_cases(unit)
        if fact.kind == "python" and not faults:
            return self._run(unit, part, text)
        return faults

    def _run(self, unit: Any, part: Any, text: str) -> list[str]:
        if part == "whole":
            sandbox = Sandbox()
            sandbox.run(text)
            expected = Evaluator(unit).run_main()
            if sandbox.printed != expected:
                return [f"it prints {sandbox.printed!r}, not {expected!r}"]
            return []
        if part in ("tests", "tested"):
            # Tests may stand apart from what they test; then that was listed before.
            before = [held for (_, other), (_, held) in self.listings.items() if other != str(part)]
            return _run_tests(unit, "\n".join([*before, text]))
        return _run_cases(unit, text)

    def _output(self, fact: Fact, text: str) -> list[str]:
        expected = "\n".join(Evaluator(self.unit(fact.args[0])).run_main())
        return [] if text == expected else [f"the program prints {expected!r}, not {text!r}"]

    def _case(self, fact: Fact) -> tuple[str, Any, Any]:
        """Return name, arguments and outcome of a case, worked out again.

        Raises:
            ValueError: the certificate says something else of its outcome.
        """
        key, number = fact.args[:2]
        unit = self.unit(key)
        name, args, outcome, failed = unit["cases"][number]
        found = Evaluator(unit).outcome(name, args)
        if found != (outcome, failed) or type(found[0]) is not type(outcome):
            raise ValueError(f"{name} gives {found[0]!r}, not {outcome!r}")
        return name, args, outcome

    def _value(self, fact: Fact, text: str) -> list[str]:
        outcome = self._case(fact)[2]
        if isinstance(outcome, bool) and self.unit(fact.args[0])["language"] in ("c", "bash"):
            outcome = int(outcome)
        if read_value(text) != outcome or type(read_value(text)) is not type(outcome):
            return [f"it is {outcome!r}, not {text}"]
        return []

    def _call(self, fact: Fact, text: str) -> list[str]:
        name, args, _ = self._case(fact)
        unit = self.unit(fact.args[0])
        spine = spine_of(unit["language"], unit)
        spine.expr(["call", name, *args])
        needed = needed_of([["call", name, *args]])
        before, after = _AROUND.get(unit["language"], ("", ""))
        return listing_faults(unit["language"], before + text + after, needed, spine.tokens)

    def _trace(self, fact: Fact, text: str) -> list[str]:
        name, args, _ = self._case(fact)
        evaluator = Evaluator(self.unit(fact.args[0]))
        evaluator.outcome(name, args)
        lines = text.split("\n")
        rows = [_row(line) for line in lines]
        expected = [(str(place), *row) for place, row in enumerate(evaluator.trail, 1)]
        if rows != expected[: len(rows)]:
            return [f"the steps are {expected[: len(rows)]}, not {rows}"]
        complete = len(rows) in {len(expected), MOST_ROWS}
        return [] if complete else ["the steps are not all there"]

    def _line(self, fact: Fact, text: str) -> list[str]:
        key, part, name = fact.args
        lines = self.listings[str(key), str(part)][1].split("\n")
        if not text.isdigit() or not 0 < int(text) <= len(lines):
            return [f"there is no line {text}"]
        held = lines[int(text) - 1]
        said = self.document.text[fact.end :].partition("\n")[0]
        first = next((place for place, line in enumerate(lines, 1) if str(name) in line), 0)
        if text != str(first) or not said.startswith(f": {name} "):
            return [f"{name} is first on line {first}, not on line {text}: {held!r}"]
        return []

    def _diff(self, fact: Fact, text: str) -> list[str]:
        old, new, names = fact.args
        language, listing = self.listings[str(old), str(names)]
        unit = self.unit(new)
        fixed = patched(listing, text)
        row = _row_of(language, unit, names)
        faults = listing_faults(language, fixed, needed_of(_parts(unit, names)), row)
        name, number = self.document.world["bug"]  # type: ignore[misc]
        case = unit["cases"][number]
        right, wrong = (Evaluator(self.unit(key)).outcome(name, case[1]) for key in (new, old))
        if right == wrong:
            faults.append("the fix changes nothing")
        if language == "python" and not faults:
            faults += _run_cases(unit, fixed)
        return faults

    def _rows(self, _: Fact, text: str) -> list[str]:
        return self._base.shown(text)

    def _shell(self, fact: Fact, text: str) -> list[str]:
        prompt, first = str(fact.args[0]), fact.args[1]
        return shell_faults(self.document.world, text, prompt, first)

    def _overrides(self, fact: Fact, text: str) -> list[str]:
        return override_faults(text, str(fact.args[0]), self.document.world["overrides"])

    def _path(self, fact: Fact, text: str) -> list[str]:
        keys = [text]
        for mark in (".", "__", "/", ":"):
            keys = [part for key in keys for part in key.split(mark)]
        return [] if keys == fact.args[0] else [f"the path is {fact.args[0]}, not {text}"]

    def _setting(self, fact: Fact, text: str) -> list[str]:
        value = json.dumps(in_force(self.document.world, fact.args[0]))
        return [] if value == text else [f"{fact.args[0]} is {value}, not {text}"]

    def _session(self, fact: Fact, text: str) -> list[str]:
        key, language = fact.args
        unit = self.unit(key)
        faults = _typed_faults(unit, text, language)
        return faults or (_python_session(text) if language == "python" else _shown(unit, text))


def _parts(unit: Any, part: Any) -> list[Any]:
    if part == "whole":
        return [*unit["functions"], *unit["classes"], *unit["main"]]
    if part in ("tests", "tested"):
        named = [] if part == "tests" else unit["functions"]
        return [*named, *_tests(unit)]
    named = [node for node in (*unit["functions"], *unit["classes"]) if node[1] in part]
    if len(named) != len(part):
        raise ValueError(f"not all of {part} are in the program")
    return named


def _row_of(language: str, unit: Any, part: Any) -> list[Token]:
    """Return the tokens that a listing must give."""
    spine = spine_of(language, unit)
    if part == "whole":
        for made in unit["classes"]:
            spine.made(made)
    if part != "tests":
        shown = part if isinstance(part, list) else [node[1] for node in unit["functions"]]
        for node in unit["functions"]:
            if node[1] in shown:
                spine.function(node)
    if part == "whole":
        spine.body(unit["main"])
        # The main function of C ends in `return 0`.
        spine.all([0] if language == "c" and unit["main"] else [])
    elif part in ("tests", "tested"):
        _test_row(language, unit, spine)
    return spine.tokens


def _test_row(language: str, unit: Any, spine: Spine) -> None:
    given = list(unit.get("given", []))
    for name, title, numbers in unit["tests"]:
        if language in ("javascript", "typescript"):
            spine.expr(["s", title])
        else:
            spine.name(_test_name(language, name))
        for number in numbers:
            called, args, outcome, failed = unit["cases"][number]
            arrays: list[Any] = []
            if language == "c":
                for place, arg in enumerate(args):
                    if isinstance(arg, list) and arg[0] == "list":
                        arrays.append(given.pop(0))
                        args = [*args[:place], arrays[-1][1], *args[place + 1 :]]
            spine.body(arrays)
            spine.case(["call", called, *args], _literal(outcome), failed=failed)


def _tests(unit: Any) -> list[Any]:
    """Return what tests of a program must hold: their names, calls and values."""
    parts: list[Any] = [*unit.get("given", [])]
    for name, title, _ in unit["tests"]:
        spoken = unit["language"] in {"javascript", "typescript"}
        parts.append(["s", title] if spoken else _test_name(unit["language"], name))
    for name, args, outcome, failed in unit["cases"]:
        parts.append(["call", name, *args])
        if not failed and not isinstance(outcome, bool):
            parts.append(_literal(outcome))
    return parts


def _test_name(language: str, name: str) -> str:
    return {"python": "test_", "go": "Test"}.get(language, "") + name


def _literal(value: Any) -> Any:
    if isinstance(value, str):
        return ["s", value]
    return ["list", "ints", *value] if isinstance(value, list) else value


def _compare_cases(unit: Any) -> None:
    """Work out all cases of a certificate.

    Raises:
        ValueError: one comes to something else.
    """
    evaluator = Evaluator(unit)
    for name, args, outcome, failed in unit["cases"]:
        found = evaluator.outcome(name, args)
        if found != (outcome, failed) or type(found[0]) is not type(outcome):
            raise ValueError(f"{name} gives {found[0]!r}, not {outcome!r}")


def _run_tests(unit: Any, text: str) -> list[str]:
    sandbox = Sandbox()
    sandbox.run(text)
    for name, _, _ in unit["tests"]:
        sandbox.call(f"test_{name}")
    return []


def _run_cases(unit: Any, text: str) -> list[str]:
    """Return the cases that the functions of a Python listing fail."""
    sandbox = Sandbox()
    sandbox.run(text)
    faults: list[str] = []
    for name, args, outcome, failed in unit.get("cases", []):
        if name in sandbox.names and not failed:
            evaluator = Evaluator(unit)
            values = evaluator.values(args)
            got = sandbox.value(f"{name}({', '.join(map(repr, values))})")
            if got != outcome:
                faults.append(f"{name}{tuple(values)} gives {got!r}, not {outcome!r}")
    return faults


def read_value(text: str) -> Any:
    """Return the value that a text in any of the languages writes.

    Args:
        text: a number, truth value, text or list.

    Raises:
        ValueError: it is none of these.
    """
    if text in {"true", "True"}:
        return True
    if text in {"false", "False"}:
        return False
    for opening, ending in _BRACKETS:
        if text.startswith(opening) and text.endswith(ending):
            inner = text[len(opening) : len(text) - len(ending)]
            return [read_value(part) for part in inner.split(", ")] if inner else []
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return int(text)


_BRACKETS = (("vec![", "]"), ("[]int{", "}"), ("List.of(", ")"), ("[", "]"))
MOST_ROWS = 26
"""A trace may stop here."""
_ROW = re.compile(
    r"(?:\| |step )?(\d+)[.:)]?(?: \||  )? ?([A-Za-z_]\w*)(?: = | \| |  | <- |: )(.*)"
)


def _row(line: str) -> tuple[str, str, str]:
    """Return number, name and value of a line of a trace.

    Raises:
        ValueError: it is none.
    """
    found = _ROW.fullmatch(line.removesuffix(" |"))
    if found is None:
        raise ValueError(f"{line!r} is no step")
    return found[1], found[2], found[3]


_AROUND = {
    "go": ("func main() { ", " }"),
    "rust": ("fn main() { ", "; }"),
    "java": ("void main() { ", "; }"),
    "c": ("void main() { ", "; }"),
    "bash": ("echo ", ""),
}
"""What makes a call a listing."""
_HUNK = re.compile(r"@@ -(\d+),(\d+) \+(\d+),(\d+) @@")


def patched(text: str, diff: str) -> str:
    """Return a text with a diff applied.

    Args:
        text: as it was.
        diff: hunks of a unified diff.

    Raises:
        ValueError: the diff does not fit the text.
    """
    lines = text.split("\n")
    out: list[str] = []
    done = 0
    ends = (0, 0)
    for line in diff.split("\n"):
        if line.startswith("@@ "):
            _expect((done, len(out)), ends)
            old, old_size, new, new_size = _numbers(line)
            out += lines[done : old - 1]
            done = old - 1
            _expect((done, len(out)), (old - 1, new - 1))
            ends = (done + old_size, len(out) + new_size)
        elif line[:1] in {" ", "-"}:
            if lines[done] != line[1:]:
                raise ValueError(f"line {done + 1} is {lines[done]!r}, not {line[1:]!r}")
            done += 1
            if line[0] == " ":
                out.append(line[1:])
        elif line[:1] == "+":
            out.append(line[1:])
        else:
            raise ValueError(f"{line!r} is no line of a diff")
    _expect((done, len(out)), ends)
    return "\n".join(out + lines[done:])


def _numbers(line: str) -> list[int]:
    found = _HUNK.fullmatch(line)
    if found is None:
        raise ValueError(f"{line!r} opens no hunk")
    return [int(part) for part in found.groups()]


def _expect(found: tuple[int, int], wanted: tuple[int, int]) -> None:
    if found != wanted:
        raise ValueError(f"a hunk reaches lines {found}, its head says {wanted}")


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


def _typed_faults(unit: Any, text: str, language: Any) -> list[str]:
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


def _shown(unit: Any, text: str) -> list[str]:
    cases = unit.get("cases", [])
    evaluator = Evaluator(unit)
    expected = [_inspected(evaluator.outcome(case[0], case[1])[0]) for case in cases]
    shown = [line for line in text.split("\n") if not line.startswith(("> ", "... "))]
    return [] if shown == expected else [f"the answers are {expected}, not {shown}"]


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
    "value": Reader._value,
    "call": Reader._call,
    "trace": Reader._trace,
    "line": Reader._line,
    "diff": Reader._diff,
    "rows": Reader._rows,
    "shell": Reader._shell,
    "overrides": Reader._overrides,
    "path": Reader._path,
    "setting": Reader._setting,
    "output": Reader._output,  # noqa: SLF001
    "session": Reader._session,  # noqa: SLF001
}
