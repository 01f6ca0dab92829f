"""Blocks without text: a block's bytes are a digest of the addresses of its rows.

So each block is small, made by anyone alike, and a wrong row anywhere shows in the digest.
`Expected` derives what an undisturbed run would have trained on, and the chain of weights that
follows from it.
"""

from collections.abc import Sequence
from hashlib import blake2b

from qmpi.config.settings import CorpusSource, Settings
from qmpi.policy.stream import rows_of_block
from qmpi.ports.base import Frame
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.recipe import Recipe, RowAddress
from qmpi.units import Digest, Lane, Step


def source_facts(settings: Settings, corpus_rows: int) -> tuple[SourceFact, ...]:
    """Return the facts of the simulated sources.

    Args:
        settings: the job.
        corpus_rows: rows of each corpus.
    """
    return tuple(
        SourceFact(s.name, corpus_rows if isinstance(s, CorpusSource) else 0, Digest("simulated"))
        for s in settings.data.sources
    )


def rows_frame(source: str, rows: Sequence[int]) -> bytes:
    """Return the frame that stands for generated rows.

    Args:
        source: name of the source.
        rows: their numbers, in order.
    """
    return blake2b(f"{source}:{list(rows)}".encode(), digest_size=16).digest()


def block_frame(rows: Sequence[RowAddress], made: Sequence[tuple[int, Frame]]) -> bytes:
    """Return the frame that stands for a block.

    Args:
        rows: addresses, in order.
        made: frames of generated rows by source number.
    """
    hashed = blake2b(digest_size=32)
    for row in rows:
        hashed.update(f"{row.source}:{row.row};".encode())
    for number, frame in made:
        hashed.update(f"{number}=".encode() + bytes(frame))
    return hashed.digest()


def frame_digest(frame: Frame) -> Digest:
    """Return the digest of a block, as trainers verify it.

    Args:
        frame: its bytes.
    """
    return Digest(blake2b(frame, digest_size=16).hexdigest())


def first_weights(seed: int) -> bytes:
    """Return the initial link of the chain of weights.

    Args:
        seed: of the job.
    """
    return blake2b(f"weights of seed {seed}".encode(), digest_size=32).digest()


def next_weights(weights: bytes, digests: Sequence[Digest]) -> bytes:
    """Return the weights after a step.

    Args:
        weights: those before it.
        digests: blocks of all lanes, in lane order.
    """
    return blake2b(weights + "".join(digests).encode(), digest_size=32).digest()


def lane_loss(step: int, digest: Digest) -> float:
    """Return the loss of a lane: a pure function of what it trained on.

    Args:
        step: the step.
        digest: of its block.
    """
    return 1.0 + 8.0 / (1.0 + 0.1 * step) + int(digest[:4], 16) / 65536.0


class Expected:
    """What an undisturbed run trains on and arrives at."""

    def __init__(self, settings: Settings, recipes: Sequence[Recipe], corpus_rows: int) -> None:
        """Derive nothing yet.

        Args:
            settings: the job.
            recipes: the recipe log.
            corpus_rows: rows of each corpus.
        """
        self._settings = settings
        self._recipes = tuple(recipes)
        self._facts = source_facts(settings, corpus_rows)
        self._blocks: list[tuple[Digest, ...]] = []
        self._weights = [first_weights(settings.job.seed)]

    def blocks(self, step: int) -> tuple[Digest, ...]:
        """Return the digests of the blocks of a step, in lane order.

        Args:
            step: 0 <= step.
        """
        while len(self._blocks) <= step:
            following = Step(len(self._blocks))
            lanes = range(self._settings.train.lanes)
            self._blocks.append(tuple(self._block(following, Lane(lane)) for lane in lanes))
        return self._blocks[step]

    def weights(self, step: int) -> bytes:
        """Return the weights before a step.

        Args:
            step: 0 <= step.
        """
        while len(self._weights) <= step:
            digests = self.blocks(len(self._weights) - 1)
            self._weights.append(next_weights(self._weights[-1], digests))
        return self._weights[step]

    def _block(self, step: Step, lane: Lane) -> Digest:
        train = self._settings.train
        rows = rows_of_block(
            self._recipes,
            self._facts,
            step,
            lane,
            lanes=train.lanes,
            rows_per_block=train.microbatches * train.sequences,
        )
        wanted: dict[int, list[int]] = {}
        for address in rows:
            if self._facts[address.source].rows == 0:
                wanted.setdefault(address.source, []).append(address.row)
        made = [(n, rows_frame(self._facts[n].name, r)) for n, r in sorted(wanted.items())]
        return frame_digest(block_frame(rows, made))
