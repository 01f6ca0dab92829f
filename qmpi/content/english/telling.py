"""Sentences dense with facts, in one piece each.

Theory of operation. `Prose.tell` suits sentences with a fact or two; where half of a sentence are
facts or domain words, a call for each piece of it costs more than the words. Here a frame is
compiled once to steps, the sentence is joined once, and facts are marked by their places in it.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from qmpi.content.counter import Draw
from qmpi.content.english.frames import Frame, FramePool, one_frame
from qmpi.content.english.prose import Prose, Said
from qmpi.content.level import sized
from qmpi.content.page import Page

Step = tuple[str, str, bool]
"""Literal text, what follows it, whether that is a slot for a word rather than a hole."""
Program = tuple[tuple[Step, ...], str]
"""Steps, and the literal text after the last of them."""


class Holes(dict[str, Said]):
    """What fills holes: facts that were put in, else words drawn from tables."""

    def __init__(self, draw: Draw, tables: Mapping[str, Sequence[Said]]) -> None:
        """Open with no facts.

        Args:
            draw: chance.
            tables: words by name of the hole.
        """
        super().__init__()
        self._choice = draw.choice
        self._tables = dict(tables)

    def offer(self, hole: str, pieces: Sequence[Said]) -> None:
        """Let a hole be filled by any of some pieces from now on.

        Args:
            hole: name.
            pieces: at least one.
        """
        self._tables[hole] = pieces

    def __missing__(self, hole: str) -> Said:
        """Draw a word; another one each time.

        Args:
            hole: name of a table.

        Returns:
            A piece without proof.
        """
        return self._choice(self._tables[hole])


class Teller:
    """Writes sentences on one page from what its holes hold."""

    def __init__(self, page: Page, prose: Prose, holes: Mapping[str, Said]) -> None:
        """Remember whom to ask.

        Args:
            page: written on.
            prose: fills slots.
            holes: fill holes; read at each sentence.
        """
        self._page = page
        self._prose = prose
        self._holes = holes
        self._structure = page.budget.structure

    def tell(self, pool: FramePool | str, end: str = " ") -> None:
        """Write a sentence with capital and stop.

        Args:
            pool: frames, or one frame as text.
            end: written after it.
        """
        page, holes, word = self._page, self._holes, self._prose.word
        if isinstance(pool, str):
            steps, tail = _one_program(pool)
        else:
            steps, tail = _one_program(page.draw.choice(pool.at(self._structure)))
        at = page.length
        parts: list[str] = []
        for literal, name, slot in steps:
            if slot:
                text = word(name)
                at += len(literal) + len(text)
            else:
                said = holes[name]
                text = said.text
                at += len(literal)
                if said.kind:
                    page.mark(said.kind, at, at + len(text), *said.args)
                at += len(text)
            parts += (literal, text)
        parts.append(tail)
        told = "".join(parts)
        # Capitals keep the length, so marks stay where they are.
        stop = "" if told[-1] in ".?!:" else "."
        page.say(f"{told[0].upper()}{told[1:]}{stop}{end}")

    def talk(self, count: int, pool: FramePool, end: str) -> None:
        """Write a paragraph.

        Args:
            count: sentences; none: nothing is written.
            pool: frames.
            end: written after the last.
        """
        for left in range(count - 1, -1, -1):
            self.tell(pool, " " if left else end)

    def more(self, count: int, pool: FramePool) -> None:
        """Go on after a sentence that ended in nothing.

        Args:
            count: further sentences, none or more.
            pool: frames.
        """
        for _ in range(count):
            self._page.say(" ")
            self.tell(pool, "")


class Stage:
    """A page, its English, and what is spoken of: what writers of facts stand on.

    Attributes:
        page: written on.
        draw: its chance.
        prose: its English.
        holes: what the next sentence may speak of.
        tell: writes a sentence about it.
        talk: writes a paragraph about it.
        more: goes on after a sentence.
    """

    def __init__(self, page: Page, genre: str, tables: Mapping[str, Sequence[Said]]) -> None:
        """Open an empty stage.

        Args:
            page: to write on.
            genre: of the text.
            tables: words for holes that hold no fact.
        """
        page.genre = genre
        self.page = page
        self.draw = page.draw
        self.prose = Prose(page)
        self.holes = Holes(self.draw, tables)
        teller = Teller(page, self.prose, self.holes)
        self.tell, self.talk, self.more = teller.tell, teller.talk, teller.more

    def size(self, axis: str, least: int, most: int) -> int:
        """Return a size that grows with an axis of the page's budget.

        Args:
            axis: of the budget.
            least: at level 1.
            most: at level 100, four thirds of which are allowed.

        Returns:
            The size.
        """
        return sized(self.draw, getattr(self.page.budget, axis), least, most + most // 3)

    def put(self, said: Said) -> None:
        """Write a fact.

        Args:
            said: with a kind.
        """
        self.page.fact(said.kind, said.text, *said.args)


@cache
def _one_program(text: str) -> Program:
    return _compiled(one_frame(text))


def _compiled(frame: Frame) -> Program:
    steps: list[Step] = []
    literal = ""
    for number, segment in enumerate(frame.segments):
        pieces = segment.template.split("%s")
        for piece, slot in zip(pieces, segment.slots, strict=False):
            steps.append((literal + piece.replace("%%", "%"), slot, True))
            literal = ""
        literal += pieces[-1].replace("%%", "%")
        if number < len(frame.holes):
            steps.append((literal, frame.holes[number], False))
            literal = ""
    return tuple(steps), literal
