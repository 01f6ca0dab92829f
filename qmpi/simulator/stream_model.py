"""Blocks without text: a block's bytes are a digest of the addresses of its rows.

So each block is small, made by anyone alike, and a wrong row anywhere shows in the digest. Weights
are a chain, one for each position of a team: a step hashes the blocks of all lanes into it, and its
learning rate. A step with an absurd rate breaks the weights, and all steps after it are skipped.
`Expected` derives what an undisturbed run would have trained on, and the chains that follow.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import astuple, replace

from qmpi.config.data import CorpusSource, Source
from qmpi.config.settings import Settings
from qmpi.policy.held_out import split
from qmpi.policy.hyperparameters import (
    Log,
    block_of,
    first_hyperparameters,
    hyperparameters_at,
    lanes_of,
)
from qmpi.policy.recipes import Recipes, begun_recipes, course_of
from qmpi.policy.stream import numbered_rows
from qmpi.ports.base import Frame
from qmpi.ports.data import Block
from qmpi.protocol.blocks import frame_digest
from qmpi.protocol.hyperparameters import Hyperparameters, rate_of
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.progress import LOSS_GRID, SourceLoss
from qmpi.protocol.recipe import RowAddress
from qmpi.protocol.spikes import Levels, judged
from qmpi.protocol.teams import whole_digest
from qmpi.units import Digest, Lane, Step

DIVERGES_ABOVE = 1.0
"""Largest learning rate that leaves weights with finite gradients."""

NORM = 1.0
"""Of each gradient that is finite."""

ROWS_BYTES = 16
"""Size of the frame that stands for generated rows, whatever their number."""


class State(Struct, frozen=True, array_like=True):
    """What a snapshot holds, and an engine: one position's part of the state.

    Attributes:
        step: weights are those before this step.
        position: whose part it is.
        weights: the chain.
        updates: steps that changed it.
        skipped: steps skipped in a row.
        is_broken: no gradient of these weights is finite.
        levels: that a guard judges by; empty: nothing was followed.
    """

    step: int
    position: int
    weights: bytes
    updates: int = 0
    skipped: int = 0
    is_broken: bool = False
    levels: tuple[float, ...] = ()


class Sum(Struct, frozen=True):
    """A reduced gradient: what all lanes of a step trained on, in lane order.

    Attributes:
        digests: of the blocks.
        losses: of the lanes.
        link: what the step adds to the chain of weights.
        sources: losses by source.
    """

    digests: tuple[Digest, ...]
    losses: tuple[float, ...]
    link: bytes
    sources: tuple[SourceLoss, ...] = ()

    @property
    def lane_square(self) -> float:
        """Mean squared norm of the lanes' gradients; `NORM` is that of their mean."""
        return 1.0 + int.from_bytes(self.link[:2], "little") / 4096.0


def source_facts(settings: Settings, corpus_rows: int) -> tuple[SourceFact, ...]:
    """Return the facts of the simulated sources.

    Args:
        settings: the job.
        corpus_rows: rows of each corpus.
    """
    return tuple(fact_of(settings, source, corpus_rows) for source in settings.data.sources)


def fact_of(settings: Settings, source: Source, corpus_rows: int) -> SourceFact:
    """Return the fact of a simulated source.

    Args:
        settings: the job.
        source: of it, or added to its run.
        corpus_rows: rows of each corpus.
    """
    share, length = settings.evaluation.held_out, settings.train.sequence_tokens
    digest = Digest("simulated")
    if isinstance(source, CorpusSource):
        return split(source.name, corpus_rows, digest, share, length)
    return SourceFact(source.name, 0, digest)


def rows_frame(source: str, rows: Sequence[int]) -> bytes:
    """Return the frame that stands for generated rows.

    Args:
        source: name of the source.
        rows: their numbers, in order.
    """
    return blake2b(f"{source}:{list(rows)}".encode(), digest_size=ROWS_BYTES).digest()


def block_frame(rows: Sequence[RowAddress], made: Sequence[tuple[int, Frame]]) -> bytes:
    """Return the frame that stands for a block.

    Args:
        rows: addresses, in order.
        made: frames of generated rows by source number.
    """
    text = "".join([f"{row.source}:{row.row};" for row in rows]).encode()
    parts = [text, *(f"{number}=".encode() + bytes(frame) for number, frame in made)]
    return blake2b(b"".join(parts), digest_size=32).digest()


@lru_cache(maxsize=1024)
def first_weights(seed: int, position: int, team_size: int) -> bytes:
    """Return the initial link of the chain of weights of a position.

    Args:
        seed: of the job.
        position: 0 <= position < team_size.
        team_size: ranks of a team.
    """
    text = f"weights of seed {seed}".encode() + _mark(position, team_size)
    return blake2b(text, digest_size=32).digest()


def next_state(
    state: State, summed: Sum, given: Hyperparameters, team_size: int
) -> tuple[State, str]:
    """Return the state of a position after a step.

    Args:
        state: before it.
        summed: the reduced gradient of the step.
        given: what the step is trained with.
        team_size: ranks of a team.

    Returns:
        The state, and what stood out so far that the step changed no weights.
    """
    step, position = state.step + 1, state.position
    rate = rate_of(given, state.step)
    skipped = replace(state, step=step, skipped=state.skipped + 1)
    if state.is_broken:
        return skipped, ""
    spike, levels = judged(given.guard, Levels(*state.levels), summed.losses, NORM)
    if spike:
        return skipped, spike
    followed = astuple(levels) if given.guard.is_on else state.levels
    cut = f" halved {given.halvings}".encode() if given.halvings else b""
    if given.staged is not None and given.staged.tokens:
        cut += f" in sequences of {given.staged.tokens}".encode()
    text = state.weights + summed.link + f" at {rate!r}".encode() + cut + _mark(position, team_size)
    weights = blake2b(text, digest_size=32).digest()
    broken = rate > DIVERGES_ABOVE
    return State(step, position, weights, state.updates + 1, 0, broken, followed), ""


def _mark(position: int, team_size: int) -> bytes:
    return f" at {position} of {team_size}".encode() if team_size > 1 else b""


def lane_text(block: Block) -> str:
    """Return what a member tells of a lane: the digest of its block, and rows by source.

    Args:
        block: of the lane.
    """
    counts = Counter(block.sources)
    told = (f" {source}:{count}" for source, count in sorted(counts.items()))
    return block.digest + "".join(told)


def sum_of(step: int, lanes: Sequence[str], settings: Settings) -> Sum:
    """Reduce the lanes of a step.

    Args:
        step: the step.
        lanes: what is told of each, as `lane_text` has it, in lane order.
        settings: the job.

    Returns:
        The same for the same blocks, whoever computed which.
    """
    told = [text.split(" ") for text in lanes]
    digests = [Digest(words[0]) for words in told]
    link = blake2b("".join(digests).encode(), digest_size=32).digest()
    rows = Counter[int]()
    for pair in (word.split(":") for words in told for word in words[1:]):
        rows[min(int(pair[0]), len(settings.data.sources))] += int(pair[1])
    tokens = settings.train.sequence_tokens
    sources = tuple(source_loss(step, n, rows[n] * tokens) for n in sorted(rows))
    losses = tuple(lane_loss(step, digest) for digest in digests)
    return Sum(tuple(digests), losses, link, sources)


def source_loss(step: int, source: int, tokens: int) -> SourceLoss:
    """Return what the tokens of a source cost: one in eight is the answer to a problem.

    Those of the first source are solved from the start, those of each next one 20 steps later.

    Args:
        step: the step.
        source: its number.
        tokens: of it in the step.
    """
    nats, answers = 1.0 + 8.0 / (1.0 + 0.1 * step / (1 + source)), tokens // 8
    loss, answer_loss = round(nats * tokens * LOSS_GRID), round(nats * answers * LOSS_GRID)
    solved = answers if step >= 20 * source else 0
    return SourceLoss(source, tokens, loss, answers, answer_loss, answers, solved)


def lane_loss(step: int, digest: Digest) -> float:
    """Return the loss of a lane: a pure function of what it trained on.

    Args:
        step: the step.
        digest: of its block.
    """
    return 1.0 + 8.0 / (1.0 + 0.1 * step) + int(digest[:4], 16) / 65536.0


class Expected:
    """What an undisturbed run trains on and arrives at."""

    def __init__(self, settings: Settings, corpus_rows: int) -> None:
        """Derive nothing yet.

        Args:
            settings: the job.
            corpus_rows: rows of each corpus.
        """
        self.settings = settings
        self._corpus_rows = corpus_rows
        self._facts = source_facts(settings, corpus_rows)
        self._sums: list[Sum] = []
        size, seed = settings.parallel.team_size, settings.job.seed
        self.team_size = size
        self._log: Log = (first_hyperparameters(settings),)
        self.recipes = begun_recipes(settings, course_of(settings, self._log))
        self._states = [[State(0, p, first_weights(seed, p, size))] for p in range(size)]

    def blocks(self, step: int) -> tuple[Digest, ...]:
        """Return the digests of the blocks of a step, in lane order.

        Args:
            step: 0 <= step.
        """
        return self._sum(step).digests

    def sources(self, step: int) -> tuple[SourceLoss, ...]:
        """Return the losses by source of a step whose gradient is finite.

        Args:
            step: 0 <= step.
        """
        return self._sum(step).sources

    def follow(self, log: Log, step: int, recipes: Recipes = ()) -> None:
        """Go on from a step with what held and holds from there on.

        Args:
            log: the hyperparameter log.
            step: steps before it stay as they were.
            recipes: the recipe log; empty: as it was.
        """
        self._log, self.recipes = log or self._log, recipes or self.recipes
        del self._sums[step:]
        for chain in self._states:
            del chain[step + 1 :]

    def add(self, sources: Sequence[Source]) -> tuple[SourceFact, ...]:
        """Draw from further sources behind those of the job file.

        Args:
            sources: all that were added.

        Returns:
            What they hold.
        """
        added = tuple(fact_of(self.settings, source, self._corpus_rows) for source in sources)
        self._facts = (*source_facts(self.settings, self._corpus_rows), *added)
        return added

    def state(self, step: int, position: int) -> State:
        """Return the state of a position before a step.

        Args:
            step: 0 <= step.
            position: of the team.
        """
        chain = self._states[position]
        while len(chain) <= step:
            done = len(chain) - 1
            given = hyperparameters_at(self._log, done)
            after, _ = next_state(chain[-1], self._sum(done), given, self.team_size)
            chain.append(after)
        return chain[step]

    def digest(self, step: int) -> Digest:
        """Return the digest of the whole weights before a step.

        Args:
            step: 0 <= step.
        """
        positions = range(self.team_size)
        return whole_digest([Digest(self.state(step, p).weights.hex()) for p in positions])

    def _sum(self, step: int) -> Sum:
        while len(self._sums) <= step:
            following = Step(len(self._sums))
            lanes = range(lanes_of(self._log, following, self.settings.train.lanes))
            told = [lane_text(self._block(following, Lane(lane))) for lane in lanes]
            self._sums.append(sum_of(following, told, self.settings))
        return self._sums[step]

    def _block(self, step: Step, lane: Lane) -> Block:
        train = self.settings.train
        rows = numbered_rows(
            self.recipes,
            self._facts,
            block_of(self._log, step, lane, train.lanes),
            train.microbatches * train.sequences,
        )
        wanted: dict[int, list[int]] = {}
        for address in rows:
            if self._facts[address.source].rows == 0:
                wanted.setdefault(address.source, []).append(address.row)
        made = [(n, rows_frame(self._facts[n].name, r)) for n, r in sorted(wanted.items())]
        frame = block_frame(rows, made)
        return Block(frame_digest(frame), frame, sources=tuple(row.source for row in rows))
