"""Makes a program: functions and classes that run, calls with their outcomes, a main part.

Theory of operation. A function is grown from a shape and tried at once on drawn arguments; one that
the interpreter refuses is grown again, and after a few refusals a plain formula takes its place.
What the program prints, and what each call returns, is what the interpreter found.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from msgspec import Struct

from qmpi.content.code.dialect import Dialect, mass_of
from qmpi.content.code.docs import doc_of, tags_of
from qmpi.content.code.grow import Grower
from qmpi.content.code.machine import FailedError, Machine
from qmpi.content.code.operators import RefusedError, Value
from qmpi.content.code.reserved import COMMON, COMMON_LISTS
from qmpi.content.code.shapes import ClassShape, FunctionShape
from qmpi.content.code.shapes_classics import CLASSICS
from qmpi.content.code.shapes_lists import LISTS
from qmpi.content.code.shapes_numbers import NUMBERS
from qmpi.content.code.shapes_texts import TEXTS
from qmpi.content.code.template import Node
from qmpi.content.code.words import Words
from qmpi.content.level import sized
from qmpi.content.page import Page

_TRIES = 6
_MOST_CALL = 2500
"""Statements of one call; slow shapes are drawn again with other numbers."""
_MOST_RUN = 40_000
_COUNTERS = {"i": ("k", "idx", "n", "pos"), "j": ("p", "other", "q", "inner")}
"""Other names of what loops count with."""


class Case(Struct, frozen=True):
    """A call and what came of it.

    Attributes:
        name: of the function.
        args: expressions without variables.
        outcome: the value returned.
        failed: the call ended with an error; the outcome is its message.
    """

    name: str
    args: list[Node]
    outcome: Value
    failed: bool


class Made(Struct, frozen=True):
    """A function of the program.

    Attributes:
        shape: what it was grown from.
        node: ["fn", name, params, result, body, doc].
        names: name of each role.
    """

    shape: FunctionShape
    node: Node
    names: dict[str, str]


class Studio:
    """Makes the program of one document.

    Attributes:
        page: the document.
        draw: its chance.
        words: its names.
        dialect: its language.
        unit: the program.
        machine: runs it.
        made: its functions.
        apart: a list gets a name before it is an argument.
        mass: statements so far, calls to come included; a line each, or a little more.
    """

    def __init__(self, page: Page, dialect: Dialect) -> None:
        """Start an empty program.

        Args:
            page: the document.
            dialect: its language.
        """
        self.page = page
        self.draw = page.draw
        self.dialect = dialect
        self.words = Words(page.draw, page.budget)
        self.words.camel = dialect.camel
        self._functions: dict[str, Node] = {}
        self._classes: dict[str, Node] = {}
        self.unit: dict[str, Any] = {
            "language": dialect.name,
            "functions": [],
            "classes": [],
            "main": [],
        }
        self.machine = Machine(self._functions, self._classes)
        self.machine.lists = dialect.lists
        self.made: list[Made] = []
        self.mass = 0
        budget = page.budget
        self._depth = sized(page.draw, budget.structure, 1, 4)
        self._filling = 20 + budget.structure // 2
        self._noise = page.draw.below(5 + budget.distractors // 3)
        self._tagged = page.draw.below(4) == 0
        self._plainness = 20 + page.draw.below(60)
        self._remarks = page.draw.below(40)
        self._helpers: list[tuple[str, int]] = []
        self._longest = sized(page.draw, budget.steps, 4, 9)
        # In C and Bash a list is no expression: it gets a name before it is an argument.
        self.apart = dialect.name in {"c", "bash"}
        self._shapes = _writable(dialect.name, dialect.lacks)

    def restrict(self, other: Dialect) -> None:
        """Make only functions that another language can write too, and prints that agree.

        Args:
            other: the second language.
        """
        self.apart = self.apart or other.name == "c"
        own = frozenset(shape.uses for shape in _writable(other.name, other.lacks))
        self._shapes = [
            shape for shape in self._shapes if shape.uses in own and shape.result != "ints"
        ]

    # Values.

    def number(self, role: str) -> int:
        """Return an argument for a role: k and few stay small, n is larger."""
        draw = self.draw
        if role == "k":
            return draw.between(1, 9)
        if role == "few":
            return draw.between(4, 18)
        return draw.between(6, 60) if role == "n" else draw.between(1, 99)

    def numbers(self) -> list[Node]:
        """Return a list of numbers, as an expression."""
        draw = self.draw
        top = 99 if draw.below(4) else 400
        count = draw.between(3, self._longest)
        return ["list", "ints", *[draw.between(1, top) for _ in range(count)]]

    def argument(self, role: str, kind: str) -> Node:
        """Return an argument, as an expression.

        Args:
            role: of the parameter in its shape.
            kind: its type.
        """
        if kind == "int":
            return self.number(role)
        if kind == "ints":
            return self.numbers()
        if kind == "str":
            return ["s", self.words.noun()]
        names = [["s", self.words.noun()] for _ in range(self.draw.between(2, 5))]
        if self.draw.word() & 1:
            names.append(self.draw.choice(names))
        return ["list", "strs", *names]

    # Functions.

    def grower(self) -> Grower:
        """Return a Grower of this document's budget."""
        grower = Grower(self.draw, self.words, self._depth, self._filling, masks=self._depth > 1)
        # Near calls name the function just before; far ones any that came earlier.
        reach = 1 + self.page.budget.distance * len(self._helpers) // 100
        grower.helpers = self._helpers[-reach:]
        return grower

    def local(self, role: str, kind: str, taken: Sequence[str]) -> str:
        """Return a name for a variable of a function."""
        draw = self.draw
        if role in _COUNTERS:
            name = role if draw.below(5) else draw.choice(_COUNTERS[role])
            if name not in taken:
                return name
        listed = kind in {"ints", "strs", "map"}
        if draw.below(100) < self._plainness:
            name = draw.choice(COMMON_LISTS if listed else COMMON)
            if name not in taken:
                return name
        return self.words.plural() if listed else self.words.variable()

    def function(self, shapes: Sequence[FunctionShape] | None = None) -> tuple[Made, list[Case]]:
        """Add a function.

        Args:
            shapes: to choose from; all that the language can write if none are given.

        Returns:
            The function, and two calls of it that were tried, at times one.
        """
        for _ in range(_TRIES):
            shape = self.draw.choice(shapes or self._shapes)
            made = self._grown(shape, self.words.function())
            name = made.node[1]
            self._functions[name] = made.node
            cases = self.cases(made, 2)
            if cases:
                break
            del self._functions[name]
        else:
            made = self._plain()
            cases = self.cases(made, 2)
        self.made.append(made)
        self.mass += 6 + mass_of(made.node[4])
        self.unit["functions"].append(made.node)
        self._note_helper(made)
        return made, cases

    def _plain(self) -> Made:
        made = self._grown(_FORMULA, self.words.function())
        made.node[4][:] = [["ret", ["+", made.node[2][0][0], self.draw.between(2, 99)]]]
        self._functions[made.node[1]] = made.node
        return made

    def _note_helper(self, made: Made) -> None:
        kinds = [kind for _, kind in made.node[2]]
        if made.node[3] == "int" and all(kind == "int" for kind in kinds):
            recursive = any(made.node[1] in str(part) for part in made.node[4])
            if not recursive and "fail" not in made.shape.uses:
                self._helpers.append((made.node[1], len(kinds)))

    def _grown(self, shape: FunctionShape, name: str) -> Made:
        grower = self.grower()
        names = grower.names
        names[shape.role] = name
        self.name_locals(shape, names)
        body = self.remarked(shape.body(grower), shape.result)
        params = [[names[role], kind] for role, kind in shape.params]
        doc = doc_of(self.words, shape.docs)
        if doc and self._tagged:
            doc += tags_of(self.words, self.dialect, params, shape.result)
        return Made(shape, ["fn", name, params, shape.result, body, doc], names)

    def name_locals(self, shape: FunctionShape, names: dict[str, str]) -> None:
        """Name the parameters and variables of a shape.

        Args:
            shape: of the function.
            names: name of each role, added to.
        """
        taken: list[str] = []
        for role, kind in (*shape.params, *shape.locals):
            name = self.local(role, kind, taken)
            names[role] = name
            taken.append(name)

    def remarked(self, body: list[Node], result: str) -> list[Node]:
        """Return statements with comments, and things of no use, put in between."""
        draw = self.draw
        out: list[Node] = []
        for node in body:
            if draw.below(100) < self._remarks:
                out.append(["#", self.words.comment()])
            out.append(node)
        if draw.below(100) < self._noise and self.dialect.name != "go" and result != "void":
            spare = self.words.variable()
            out.insert(0, ["let", spare, "int", draw.between(2, 999)])
        return out

    def cases(self, made: Made, count: int) -> list[Case]:
        """Return calls that run to an end, with their outcomes.

        Args:
            made: the function.
            count: how many are tried.
        """
        found: list[Case] = []
        for _ in range(count):
            args = [self.argument(role, kind) for role, kind in made.shape.params]
            case = self.tried(made.node[1], args)
            if case is not None:
                found.append(case)
        return found

    def tried(self, name: str, args: list[Node]) -> Case | None:
        """Return a call with its outcome, or None where languages would not agree on it.

        Args:
            name: of the function.
            args: expressions without variables.
        """
        machine = self.machine
        machine.steps, machine.most = 0, _MOST_CALL
        try:
            return Case(
                name, args, machine.call(name, [machine.eval(a, {}) for a in args]), failed=False
            )
        except FailedError as error:
            return Case(name, args, str(error), failed=True)
        except (RefusedError, RecursionError):
            return None

    # Classes.

    def class_of(self, shape: ClassShape) -> tuple[Node, dict[str, FunctionShape]]:
        """Add a class.

        Args:
            shape: of the class.

        Returns:
            ["class", name, fields, methods, doc], and the shape of each method by name.
        """
        words = self.words
        grower = self.grower()
        grower.helpers = []
        names = grower.names
        name = words.class_name()
        for role, kind, _ in shape.fields:
            names[role] = words.plural() if kind in {"ints", "map"} else words.variable()
        shapes: dict[str, FunctionShape] = {}
        for method in shape.methods:
            names[method.role] = words.function()
            shapes[names[method.role]] = method
        grower.fields = names
        fields = [[names[role], kind, first(grower)] for role, kind, first in shape.fields]
        methods: list[Node] = []
        own = dict(names)
        for method in shape.methods:
            # Fields and parameters may share a role, as x; each method names its own.
            local = grower.names = dict(own)
            self.name_locals(method, local)
            params = [[local[role], kind] for role, kind in method.params]
            body = self.remarked(method.body(grower), method.result)
            doc = [words.comment().capitalize()] if self.draw.below(3) == 0 else []
            methods.append(["fn", own[method.role], params, method.result, body, doc])
        doc = doc_of(self.words, shape.docs)
        node = ["class", name, fields, methods, doc]
        self.unit["classes"].append(node)
        self.mass += 6 + sum(2 + mass_of(method[4]) for method in methods)
        by_name = {method[1]: method for method in methods}
        self._classes[name] = ["class", name, fields, by_name]
        return node, shapes

    def run(self) -> list[str]:
        """Return what the main part prints; one that languages do not agree on is taken out."""
        machine = self.machine
        machine.steps, machine.most = 0, _MOST_RUN
        machine.printed = []
        try:
            machine.run(self.unit["main"], {})
        except (RefusedError, FailedError, RecursionError):
            self.unit["main"].clear()
            return []
        return machine.printed


@cache
def _writable(name: str, lacks: frozenset[str]) -> list[FunctionShape]:
    return [
        shape
        for shape in NUMBERS + LISTS + TEXTS + CLASSICS
        if not shape.uses & lacks and (name != "bash" or _last_lists(shape))
    ]


def _last_lists(shape: FunctionShape) -> bool:
    kinds = [kind for _, kind in shape.params]
    return kinds.count("ints") <= 1 and shape.result == "int"


_FORMULA = next(shape for shape in NUMBERS if shape.params == (("n", "int"),))
