"""Problems that a document's own world sets: question, worked steps, answer.

Theory of operation. A problem's numbers are stored in the world under "puzzles"; each number in the
text is a fact that names its puzzle and what it is, so a checker solves the puzzle on its own and
compares givens, steps and answer. One text in eight shows no steps.
"""

from collections.abc import Sequence
from typing import Any

from qmpi.content.document import Plain
from qmpi.content.english.prose import Said
from qmpi.content.english.telling import Stage

_OPENINGS = (
    "Question: ", "Q: ", "Exercise: ", "", "", "", "Check: ", "A small problem. ", "To work out: ",
    "Puzzle: ", "Problem. ", "Try this: ",
)  # fmt: skip
_ENDINGS = ("Answer: ", "The answer is ", "A: ", "So the answer is ", "Result: ", "Therefore: ")


class Puzzle:
    """A problem while it is written."""

    def __init__(self, stage: Stage, kind: str, data: dict[str, Any]) -> None:
        """Store its numbers and open it.

        Args:
            stage: written from.
            kind: that a solver knows.
            data: its numbers.
        """
        puzzles: Any = stage.page.world.setdefault("puzzles", [])
        self._number = len(puzzles)
        puzzles.append({"kind": kind, **data})
        self._stage = stage
        self._data = data
        self._steps = 0
        self._shown = stage.draw.below(8) != 0
        stage.page.say(stage.draw.choice(_OPENINGS))

    def give(self, name: str, unit: str = "") -> None:
        """Put a given number into the hole of its name.

        Args:
            name: in the data.
            unit: written after it.
        """
        text = f"{self._data[name]} {unit}" if unit else str(self._data[name])
        self._stage.holes[name] = Said(text, "given", (self._number, name, unit))

    def give_text(self, name: str, text: str) -> None:
        """Put something given, already spelled, into the hole of its name.

        Args:
            name: in the data.
            text: as written.
        """
        self._stage.holes[name] = Said(text, "given", (self._number, name, ""))

    def name(self, hole: str, text: str) -> None:
        """Put plain words into a hole.

        Args:
            hole: of the question.
            text: without numbers.
        """
        self._stage.holes[hole] = Said(text)

    def put(self, hole: str, value: Plain) -> None:
        """Put the next worked value into a hole.

        Args:
            hole: of the frames to come.
            value: as written.
        """
        self._stage.holes[hole] = Said(str(value), "step", (self._number, self._steps))
        self._steps += 1

    def ask(self, frames: Sequence[str]) -> None:
        """Write the question, which ends the first part.

        Args:
            frames: one is drawn.
        """
        self._stage.tell(self._stage.draw.choice(frames), "\n\n")

    def show(self, frames: Sequence[str]) -> None:
        """Write a worked step on its line.

        Args:
            frames: one is drawn; holes filled by `put`.
        """
        if self._shown:
            self._stage.tell(self._stage.draw.choice(frames), "\n")

    def answer(self, text: str) -> None:
        """Write the answer.

        Args:
            text: as the solver must find it.
        """
        page = self._stage.page
        page.say(self._stage.draw.choice(_ENDINGS))
        page.fact("answer", text, self._number)
        page.say("\n\n")
