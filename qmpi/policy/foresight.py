"""What a memory rank tells its cache of the future: a few more blocks with each that it builds.

Theory of operation. `reads` says which blocks a rank will be asked for. Following many of them at
once would keep a rank from its messages, so each build follows a few more, until `MOST_ROWS` rows
are known ahead; from then on one more for each. When memory ranks come or go, a recipe is
added, lanes change or a run goes back, homes, rows or steps are others: all is told anew.

Invariants: blocks are told by rising place, each once unless all is told anew.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from qmpi.config.data import CorpusSource
from qmpi.config.settings import Settings
from qmpi.policy.lanes_seen import LanesSeen
from qmpi.policy.reads import ComingBlock, coming_blocks, coming_rows, place_of_block
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.recipe import ComingReads, Recipe, RowAddress
from qmpi.units import Rank, Step

MOST_ROWS = 1 << 16
"""Rows of a rank that are known ahead; each is a few entries of tens of bytes in its cache."""

BLOCKS_A_BUILD = 4
"""Blocks that are followed with each that is built, while fewer rows are known."""

MOST_MEMORIES = 64
"""Memory ranks up to which blocks are foreseen. Of each block the home is looked for among all, and
one in so many is this rank's own: work for a build grows with their square. With 64 it is a
millisecond or two; with 466 it was a tenth of a second, longer than to read the block."""


def is_worth_it(settings: Settings, facts: Sequence[SourceFact]) -> bool:
    """Return whether it matters to a memory rank what it will read.

    Args:
        settings: the job.
        facts: the sources, in the order of the job file.

    Returns:
        False if nothing is read from corpora, or another policy is chosen.
    """
    if settings.memory.policy != "clairvoyant":
        return False
    return any(
        fact.rows and isinstance(source, CorpusSource)
        for fact, source in zip(facts, settings.data.sources, strict=True)
    )


class Foresight:
    """How far one memory rank has been told its future."""

    def __init__(self, settings: Settings, rank: Rank) -> None:
        """Know nothing yet.

        Args:
            settings: the job.
            rank: the memory rank.
        """
        train = settings.train
        self._settings, self._rank = settings, rank
        self._recipes: tuple[Recipe, ...] = ()
        self._rows_per_block = train.microbatches * train.sequences
        self._most = max(1, MOST_ROWS // self._rows_per_block)
        self._memories: tuple[Rank, ...] = ()
        self._lanes = LanesSeen(settings)
        self._batch = self._lanes.batch
        self._ahead: Iterator[ComingBlock] = iter(())
        self._last = self._known = -1

    def look(
        self,
        step: Step,
        memories: Sequence[Rank],
        recipes: Sequence[Recipe],
        facts: Sequence[SourceFact],
        first: int = -1,
    ) -> ComingReads:
        """Look further ahead, at a block that is about to be built.

        Args:
            step: of that block.
            memories: live memory ranks.
            recipes: the recipe log.
            facts: the sources, in the order of the job file.
            first: number of the block that the step begins with; -1: as the job file says.

        Returns:
            What is new; nothing is known while this rank is not among them, or they are too many,
            nor while it cannot be told which lanes the steps have.
        """
        self._lanes.hear(step, first)
        is_many = len(memories) > MOST_MEMORIES
        if self._rank not in memories or is_many or not self._lanes.is_known:
            self._memories = ()
            return ComingReads(is_anew=True, passed=0, blocks=())
        window = self._settings.data.prefetch_steps
        # Trainers ask ahead, so blocks of neighbouring steps overtake one another.
        told_of = self._memories, self._recipes, self._batch
        holds = tuple(memories), tuple(recipes), self._lanes.batch
        is_anew = holds != told_of or step < self._last - window
        if is_anew:
            self._begin(step, memories, recipes)
        self._last = max(step, self._last)
        passed = place_of_block(max(0, self._last - window), 0)
        told = tuple(self._further(step, len(memories), facts))
        return ComingReads(is_anew, passed, told)

    def _begin(self, step: Step, memories: Sequence[Rank], recipes: Sequence[Recipe]) -> None:
        self._memories, self._recipes, self._last = tuple(memories), tuple(recipes), step
        train, self._batch = self._settings.train, self._lanes.batch
        steps = range(step, train.steps)
        blocks = coming_blocks(self._batch, train.lanes, steps, self._memories)
        self._ahead = (block for block in blocks if block.home == self._rank)
        self._known = step

    def _further(
        self, step: Step, ranks: int, facts: Sequence[SourceFact]
    ) -> list[tuple[int, tuple[RowAddress, ...]]]:
        reach = self._most * ranks // self._settings.train.lanes
        if self._known > step + reach:
            return []
        blocks: list[ComingBlock] = list(islice(self._ahead, BLOCKS_A_BUILD))
        if blocks:
            self._known = blocks[-1].step
        rows = coming_rows(blocks, self._recipes, facts, self._rows_per_block)
        return [(block.place, found) for block, found in rows]
