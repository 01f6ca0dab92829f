"""A page with programs on it: listings, outputs, calls and values as facts, prose between them.

Theory of operation. A sheet fixes the layout of one document: fences or bare listings, how outputs
are introduced, how headings look. Each listing is one fact whose kind is its language and whose
arguments name the program in the world and the part of it that is shown, so a checker can cut it
out and hold it against the program.
"""

from collections.abc import Sequence
from typing import Any

from qmpi.content.code.bash import Bash
from qmpi.content.code.c import C
from qmpi.content.code.dialect import Dialect
from qmpi.content.code.go import Go
from qmpi.content.code.java import Java
from qmpi.content.code.main import use_class
from qmpi.content.code.operators import Value
from qmpi.content.code.python import Python
from qmpi.content.code.rust import Rust
from qmpi.content.code.script import JavaScript, TypeScript
from qmpi.content.code.shapes_classes import CLASSES
from qmpi.content.code.shapes_domains import DOMAINS
from qmpi.content.code.template import Node
from qmpi.content.code.unit import Case, Made, Studio
from qmpi.content.english.prose import Prose
from qmpi.content.page import Page, Plain

PROGRAMMED: tuple[type[Dialect], ...] = (Python, JavaScript, TypeScript, Java, Rust, Go, C)
"""Languages that all kinds of programs are written in."""
LANGUAGES: tuple[type[Dialect], ...] = (Python, *PROGRAMMED, Bash)
"""What a program is drawn from; Python twice, because it alone is run by checkers."""
MOST = 130
"""Statements after which a program is large enough: a document stays below 12,000 characters."""
_FENCE_NAMES = {
    "python": ("python", "py"),
    "javascript": ("javascript", "js"),
    "typescript": ("typescript", "ts"),
    "bash": ("bash", "sh"),
    "trace": ("", "text"),
    "session": ("", "console"),
    "shell": ("", "console", "shell"),
    "rows": ("", "text"),
}


class Sheet:
    """A document with programs.

    Attributes:
        page: the document.
        draw: its chance.
        prose: its English.
    """

    def __init__(self, page: Page) -> None:
        """Choose a layout.

        Args:
            page: an empty document.
        """
        self.page = page
        self.draw = page.draw
        self.prose = Prose(page)
        style = page.draw.word()
        self._fenced = bool(style & 3)
        self._heading = ("# ", "## ", "", "== ")[style >> 2 & 3]
        self._units: dict[str, Any] = {}
        page.world["units"] = self._units

    def studio(self, languages: Sequence[type[Dialect]], key: str = "a") -> Studio:
        """Return a maker of a program that the world holds.

        Args:
            languages: one of them is drawn.
            key: of the program in the world.
        """
        studio = Studio(self.page, self.draw.choice(languages)(self.draw))
        self._units[key] = studio.unit
        return studio

    def heading(self, text: str) -> None:
        """Write a heading."""
        self.page.say(f"{self._heading}{text}\n\n")

    def said(self, count: int = 1) -> None:
        """Write a paragraph.

        Args:
            count: sentences.
        """
        self.page.say(self.prose.paragraph(count) + "\n\n")

    def opening(self) -> None:
        """Write a title, a sentence, or both."""
        kind = self.draw.below(4)
        if kind:
            self.heading(self.prose.title())
        if kind != 1:
            self.said(1 + (kind & 1))

    def listing(self, lines: Sequence[str], kind: str, *args: Plain) -> None:
        """Write a listing, fenced or bare, and an empty line.

        Args:
            lines: of the listing.
            kind: its language, or what else it is.
            *args: of the fact.
        """
        page = self.page
        if self._fenced:
            page.say(f"```{self.draw.choice(_FENCE_NAMES.get(kind, (kind,)))}\n")
        page.fact(kind, "\n".join(lines), *args)
        page.say("\n```\n\n" if self._fenced else "\n\n")

    def functions(self, studio: Studio, nodes: Sequence[Node]) -> list[str]:
        """Return the lines of functions, an empty line between them.

        Args:
            studio: of the program.
            nodes: the functions.
        """
        dialect = studio.dialect
        dialect.remember({"functions": nodes, "classes": []})
        dialect.remember(studio.unit)
        lines: list[str] = []
        for node in nodes:
            if lines:
                lines.append("")
            dialect.function(node, lines)
        if dialect.name == "java":
            return [line.removeprefix(dialect.indent) for line in lines]
        return lines

    def output(self, lines: Sequence[str], key: str = "a") -> None:
        """Write what a program prints.

        Args:
            lines: of the output.
            key: of the program.
        """
        page = self.page
        if self._fenced:
            page.say(f"```{('', 'text', 'output')[self.draw.below(3)]}\n")
        page.fact("output", "\n".join(lines), key)
        page.say("\n```\n\n" if self._fenced else "\n\n")

    def call(self, studio: Studio, case: Case, key: str = "a") -> None:
        """Write a call as an expression."""
        page = self.page
        mark = "`" if self._fenced else ""
        page.say(mark)
        page.fact("call", call_text(studio, case), key, case_number(studio, case))
        page.say(mark)

    def value(self, studio: Studio, case: Case, key: str = "a") -> None:
        """Write what a call returns."""
        self.page.fact("value", value_text(studio, case.outcome), key, case_number(studio, case))

    def finish(self) -> None:
        """Leave exactly one line break at the end."""
        parts = self.page._parts  # noqa: SLF001
        last = parts[-1]
        stripped = last.rstrip("\n")
        parts[-1] = stripped + "\n"
        self.page.length += len(stripped) + 1 - len(last)


def literal(value: Value) -> Node:
    """Return a value as an expression."""
    if isinstance(value, str):
        return ["s", value]
    if isinstance(value, list):
        kind = "strs" if value and isinstance(value[0], str) else "ints"
        return ["list", kind, *[literal(part) for part in value]]
    return value


def value_text(studio: Studio, value: Value) -> str:
    """Return a value as its language writes it."""
    return studio.dialect.expr(literal(value))


def call_text(studio: Studio, case: Case) -> str:
    """Return a call as its language writes it."""
    return studio.dialect.expr(["call", case.name, *case.args])


def case_number(studio: Studio, case: Case) -> int:
    """Return the place of a case in the world, adding it when it is new."""
    held = studio.unit.setdefault("cases", [])
    entry = [case.name, case.args, case.outcome, case.failed]
    for number, other in enumerate(held):
        if other is entry or other == entry:
            return number
    held.append(entry)
    return len(held) - 1


def known(studio: Studio, case: Case) -> bool:
    """Return whether the world holds a case already."""
    held = studio.unit.get("cases", ())
    return any(other[0] == case.name and other[1] == case.args for other in held)


def with_class(studio: Studio, turns: int) -> bool:
    """Add a class that the language can write, and its use.

    Args:
        studio: of the program.
        turns: calls of its methods.

    Returns:
        Whether there is one.
    """
    lacks = studio.dialect.lacks
    if studio.dialect.name == "bash":
        return False
    shape = studio.draw.choice([shape for shape in CLASSES + DOMAINS if not shape.uses & lacks])
    node, shapes = studio.class_of(shape)
    use_class(studio, node, shapes, turns)
    return True


def with_functions(studio: Studio, count: int, most: int = MOST) -> list[tuple[Made, list[Case]]]:
    """Add functions.

    Args:
        studio: of the program.
        count: how many.
        most: statements of the program after which no more are added.

    Returns:
        Each with its tried calls.
    """
    made: list[tuple[Made, list[Case]]] = []
    while len(made) < count and studio.mass < most:
        made.append(studio.function())
    return made
