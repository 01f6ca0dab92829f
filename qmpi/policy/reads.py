"""The order of reads: what each memory rank will be asked for, from the recipe log alone.

Theory of operation. The future of the data is arithmetic. Steps name lanes, lanes name blocks of
the stream (`qmpi.protocol.batch`), blocks have homes (`homes`) and rows (`stream`), and rows lie in
chunks, which the layout of a corpus tells. So a memory rank knows what it will read before anyone
asks, as long as the lanes of steps are known and no memory rank dies or joins; then homes change.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from qmpi.policy.homes import home_of
from qmpi.policy.stream import numbered_rows
from qmpi.protocol.batch import Batch, first_block, lanes_at
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.recipe import Recipe, RowAddress
from qmpi.units import Lane, Rank, Step

MOST_LANES = 1 << 16
"""Above what a step may have, so that (step, lane) is one number that rises."""


class ComingBlock(NamedTuple):
    """A block that a memory rank will be asked for.

    Attributes:
        step: step.
        lane: lane.
        number: of the block in the stream.
        home: the memory rank.
    """

    step: Step
    lane: Lane
    number: int
    home: Rank

    @property
    def place(self) -> int:
        """Where the block stands among all, by step and lane."""
        return place_of_block(self.step, self.lane)


def place_of_block(step: int, lane: int) -> int:
    """Return where a block stands among all; later steps come later, of one step later lanes.

    Args:
        step: >= 0.
        lane: 0 <= lane < `MOST_LANES`.
    """
    return step * MOST_LANES + lane


def coming_blocks(
    batch: Batch | None, most: int, steps: Iterable[int], memories: Sequence[Rank]
) -> Iterator[ComingBlock]:
    """Go through the blocks of steps, each with its home.

    Args:
        batch: the rule of lanes that holds for the steps; None: all lanes, always.
        most: lanes of the job.
        steps: ascending.
        memories: live memory ranks, at least one.

    Yields:
        Blocks by step and lane.
    """
    for step in steps:
        first = first_block(batch, step, most)
        for lane in range(lanes_at(batch, step, most)):
            home = home_of(step, lane, memories)
            yield ComingBlock(Step(step), Lane(lane), first + lane, home)


def coming_rows(
    blocks: Iterable[ComingBlock],
    recipes: Sequence[Recipe],
    facts: Sequence[SourceFact],
    rows_per_block: int,
) -> Iterator[tuple[ComingBlock, tuple[RowAddress, ...]]]:
    """Name the rows of blocks.

    Args:
        blocks: any.
        recipes: the log, ascending by `first_sequence`.
        facts: the sources, in the order of the job file.
        rows_per_block: microbatches x sequences of a lane.

    Yields:
        Each block with its rows, in the order in which they are read.
    """
    for block in blocks:
        yield block, numbered_rows(recipes, facts, block.number, rows_per_block)
