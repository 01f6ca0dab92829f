"""A document while it is written: text, world, and facts with their places.

Theory of operation. A writer first makes a hidden world from the page's draws and budget, then says
it. What it says with `fact` is recorded with its place in the text, so a checker can read the very
characters and compare them with what it works out from the world. Every number, name or answer that
matters is said with `fact`; the checkers of a type refuse digits that no fact covers.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from qmpi.content.counter import Draw
from qmpi.content.document import Document, Fact, Plain, SetProblem
from qmpi.content.level import spread
from qmpi.content.reasoning.problem import Problem


class Page:
    """A document being written.

    Attributes:
        draw: chance of this document; the only source of it.
        budget: how the level is spent.
        language: code of the main language.
        world: parameters of the hidden world, filled by the writer; plain values only.
        genre: set by the writer.
        length: characters written so far.
        family: that drills are of; "" for every other type.
        is_held_out: no job trains on the document; drills then ask what no other may.
    """

    __slots__ = (
        "_facts",
        "_parts",
        "_problems",
        "budget",
        "draw",
        "family",
        "genre",
        "is_held_out",
        "language",
        "length",
        "level",
        "type",
        "world",
    )

    def __init__(self, draw: Draw, type_name: str, level: int, language: str = "en") -> None:
        """Open an empty page.

        Args:
            draw: chance of the document.
            type_name: content type.
            level: 1 to 100; spent at once.
            language: code.
        """
        self.draw = draw
        self.type = type_name
        self.level = level
        self.language = language
        self.budget = spread(draw, level)
        self.genre = ""
        self.world: dict[str, Plain] = {}
        self.length = 0
        self.family = ""
        self.is_held_out = False
        self._parts: list[str] = []
        self._facts: list[Fact] = []
        self._problems: list[SetProblem] = []

    def say(self, text: str) -> None:
        """Write words that need no proof.

        Args:
            text: anything without numbers or names of the world.
        """
        self._parts.append(text)
        self.length += len(text)

    def fact(self, kind: str, text: str, *args: Plain) -> None:
        """Write words that the world must bear out.

        Args:
            kind: what is said.
            text: the very characters that a checker compares; no spaces around.
            *args: what it is said of.
        """
        start = self.length
        self._parts.append(text)
        self.length = start + len(text)
        self._facts.append(Fact(kind, start, self.length, args))

    def trim(self) -> None:
        """Take back the space after the last sentence, where a paragraph ends."""
        if self._parts and self._parts[-1].endswith(" "):
            last = self._parts.pop()
            self._parts.append(last.rstrip(" "))
            self.length -= len(last) - len(self._parts[-1])

    def mark(self, kind: str, start: int, end: int, *args: Plain) -> None:
        """Record a fact about characters already written.

        Args:
            kind: what is said.
            start: first character.
            end: one past the last.
            *args: what it is said of.
        """
        self._facts.append(Fact(kind, start, end, args))

    def problem(self, family: str, problem: Problem) -> None:
        """Write a problem, its worked steps and answer.

        Args:
            family: name of its family.
            problem: as the family made it; its text ends in a line break.
        """
        start = self.length
        self.say(problem.text)
        self._problems.append(
            SetProblem(family, start, self.length, problem.answer, dict(problem.world))
        )

    def take_problems(self, problems: Sequence[SetProblem], start: int) -> None:
        """Record the problems of a document whose text was just written.

        Args:
            problems: of that document.
            start: where its text begins on this page.
        """
        self._problems.extend(
            replace(problem, start=problem.start + start, end=problem.end + start)
            for problem in problems
        )

    def close(self) -> Document:
        """Return the finished document.

        Returns:
            Text, world, facts and problems.
        """
        return Document(
            self.type,
            self.level,
            self.language,
            self.genre,
            self.budget,
            "".join(self._parts),
            self.world,
            tuple(self._facts),
            tuple(self._problems),
        )
