"""Is what a document of the code type says true?

Theory of operation. Each fact of a document is one kind of claim, and each kind has a function here
that works it out again: a listing is parsed and held against the program of the certificate, a
Python listing is run too; outputs, calls and values are compared with the checker's own run of that
program. A fact of an unknown kind is a fault, and so is a certificate that cannot be read.
"""

import json
from collections.abc import Callable
from typing import Any

from qmpi.content.document import Document, Fact
from qmpi.content.verify.code_data_checks import (
    Base,
    config_faults,
    in_force,
    override_faults,
    shell_faults,
)
from qmpi.content.verify.code_evaluator import EndedError, Evaluator
from qmpi.content.verify.code_grammars import LANGUAGES
from qmpi.content.verify.code_listings import listing_faults, needed_of
from qmpi.content.verify.code_parts import checked_case, parts_of, row_of, run_cases, run_faults
from qmpi.content.verify.code_sandbox import EscapedError
from qmpi.content.verify.code_sessions import session_faults
from qmpi.content.verify.code_spines import spine_of
from qmpi.content.verify.code_texts import patched, read_step, same_value
from qmpi.content.verify.code_values import BadProgramError

Node = Any
_MOST_STEPS = 26
"""A trace may stop after so many."""
_MARKS = (".", "__", "/", ":")
_AROUND = {
    "go": ("func main() { ", " }"),
    "rust": ("fn main() { ", "; }"),
    "java": ("void main() { ", "; }"),
    "c": ("void main() { ", "; }"),
    "bash": ("echo ", ""),
}
"""What makes a call a listing."""


def check_code(document: Document) -> list[str]:
    """Check a document of the code type.

    Args:
        document: with its certificate.

    Returns:
        Faults in words; none if all that it says is true.
    """
    reader = _Reader(document)
    faults: list[str] = []
    for fact in document.facts:
        text = document.text[fact.start : fact.end]
        faults += [f"{fact.kind}: {fault}" for fault in reader.faults(fact, text)]
    reader.base.close()
    return faults


class _Reader:
    """Checks the facts of one document, in their order."""

    def __init__(self, document: Document) -> None:
        self._text = document.text
        self._world: Node = document.world
        self._listings: dict[tuple[str, str], tuple[str, str]] = {}
        self.base = Base(document.world)
        self._kinds: dict[str, Callable[[Fact, str], list[str]]] = {
            "output": self._output,
            "value": self._value,
            "call": self._call,
            "trace": self._trace,
            "line": self._line,
            "diff": self._diff,
            "session": lambda fact, text: session_faults(self._unit(fact), text),
            "sql": lambda fact, text: self.base.faults(text, fact.args),
            "rows": lambda _, text: self.base.shown(text),
            "shell": self._shell,
            "json": lambda _, text: config_faults("json", text, self._world["config"]),
            "toml": lambda _, text: config_faults("toml", text, self._world["config"]),
            "overrides": self._overrides,
            "path": self._path,
            "setting": self._setting,
        }

    def _unit(self, fact: Fact) -> Node:
        return self._world["units"][fact.args[0]]

    def faults(self, fact: Fact, text: str) -> list[str]:
        try:
            check = self._kinds.get(fact.kind)
            if check is not None:
                return check(fact, text)
            if fact.kind in LANGUAGES:
                return self._listing(fact, text)
        except (BadProgramError, EndedError, EscapedError) as error:
            return [str(error)]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            return [f"it cannot be read: {error!r}"]
        return ["no checker knows this kind"]

    def _listing(self, fact: Fact, text: str) -> list[str]:
        key, part = fact.args
        unit = self._unit(fact)
        before = [held for _, held in self._listings.values()]
        self._listings[str(key), str(part)] = (fact.kind, text)
        row = row_of(fact.kind, unit, part)
        faults = listing_faults(fact.kind, text, needed_of(parts_of(unit, part)), row)
        if fact.kind == "python" and not faults:
            # Tests, and a function written anew, may call what was listed before.
            alone = part == "whole"
            return run_faults(unit, part, text if alone else "\n".join([*before, text]))
        return faults

    def _output(self, fact: Fact, text: str) -> list[str]:
        expected = "\n".join(Evaluator(self._unit(fact)).run_main())
        return [] if text == expected else [f"the program prints {expected!r}, not {text!r}"]

    def _value(self, fact: Fact, text: str) -> list[str]:
        unit = self._unit(fact)
        outcome = checked_case(unit, fact.args[1])[2]
        if isinstance(outcome, bool) and unit["language"] in ("c", "bash"):
            outcome = int(outcome)
        return [] if same_value(text, outcome) else [f"it is {outcome!r}, not {text}"]

    def _call(self, fact: Fact, text: str) -> list[str]:
        unit = self._unit(fact)
        name, args, _ = checked_case(unit, fact.args[1])
        spine = spine_of(unit["language"], unit)
        spine.expr(["call", name, *args])
        needed = needed_of([["call", name, *args]])
        before, after = _AROUND.get(unit["language"], ("", ""))
        return listing_faults(unit["language"], before + text + after, needed, spine.tokens)

    def _trace(self, fact: Fact, text: str) -> list[str]:
        unit = self._unit(fact)
        name, args, _ = checked_case(unit, fact.args[1])
        evaluator = Evaluator(unit)
        evaluator.outcome(name, args)
        rows = [read_step(line) for line in text.split("\n")]
        expected = [(str(place), *row) for place, row in enumerate(evaluator.trail, 1)]
        if rows != expected[:_MOST_STEPS]:
            return [f"the steps are {expected[:_MOST_STEPS]}, not {rows}"]
        return []

    def _line(self, fact: Fact, text: str) -> list[str]:
        key, part, name = fact.args
        lines = self._listings[str(key), str(part)][1].split("\n")
        first = next((place for place, line in enumerate(lines, 1) if str(name) in line), 0)
        said = self._text[fact.end :].partition("\n")[0]
        if text != str(first) or not said.startswith(f": {name} "):
            return [f"{name} is first on line {first}, not on line {text}"]
        return []

    def _diff(self, fact: Fact, text: str) -> list[str]:
        old, new, names = fact.args
        language, listing = self._listings[str(old), str(names)]
        units = self._world["units"]
        fixed = patched(listing, text)
        needed = needed_of(parts_of(units[new], names))
        faults = listing_faults(language, fixed, needed, row_of(language, units[new], names))
        name, number = self._world["bug"]
        args = units[new]["cases"][number][1]
        right, wrong = (Evaluator(units[key]).outcome(name, args) for key in (new, old))
        if right == wrong:
            faults.append("the fix changes nothing")
        if language == "python" and not faults:
            faults += run_cases(units[new], fixed)
        return faults

    def _shell(self, fact: Fact, text: str) -> list[str]:
        prompt, first = fact.args
        return shell_faults(self._world, text, str(prompt), first)

    def _overrides(self, fact: Fact, text: str) -> list[str]:
        return override_faults(text, str(fact.args[0]), self._world["overrides"])

    def _path(self, fact: Fact, text: str) -> list[str]:
        keys = [text]
        for mark in _MARKS:
            keys = [part for key in keys for part in key.split(mark)]
        return [] if keys == fact.args[0] else [f"the path is {fact.args[0]}, not {text}"]

    def _setting(self, fact: Fact, text: str) -> list[str]:
        value = json.dumps(in_force(self._world, fact.args[0]))
        return [] if value == text else [f"{fact.args[0]} is {value}, not {text}"]
