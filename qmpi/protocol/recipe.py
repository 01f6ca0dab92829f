"""A recipe: what a window of steps draws from. Recipes are the only state of the data stream."""

from msgspec import Struct

from qmpi.config.data import Source
from qmpi.units import Step

MIXTURE_PERIOD = 4096
"""Weights of a recipe are integers that sum to this; one period of sequences holds them exactly."""


class Recipe(Struct, frozen=True):
    """One record of the recipe log; valid from `first_sequence` to the next record.

    The log grows along the stream: records of sequences that may have been handed out stay as they
    are. Where a run goes back and passes over data, a step comes twice in it, at two places.

    Attributes:
        first_step: first step that it covers.
        first_sequence: global number of the first sequence that it covers.
        weights: sequences of each source in one period, in the order of the job file; sum
            `MIXTURE_PERIOD`.
        starts: row of each source at which this recipe begins, so that no earlier row repeats.
        seed: seed of the row order.
        shares: relative shares that `weights` are rounded from; empty in journals of old versions:
            what the job file says.
        asked: source and share of those that this record set; the others kept theirs.
        reason: why it is there, in words; "" for the first.
        window: of the curriculum, if it set the weights; -1: it did not.
    """

    first_step: Step
    first_sequence: int
    weights: tuple[int, ...]
    starts: tuple[int, ...]
    seed: int
    shares: tuple[float, ...] = ()
    asked: tuple[tuple[str, float], ...] = ()
    reason: str = ""
    window: int = -1


class RecipeRequest(Struct, frozen=True):
    """RUN/recipe.json: other weights that `qmpi recipe` asks for.

    Attributes:
        name: of the request; letters, digits, "-" and "_". It is followed once.
        weights: relative shares by source, >= 0; the others keep theirs.
        at: first step that they hold for; -1: the first that is possible.
        added: sources that the run does not have yet; each has a weight.
    """

    name: str
    weights: tuple[tuple[str, float], ...]
    at: int = -1
    added: tuple[Source, ...] = ()


class RecipeAnswer(Struct, frozen=True):
    """What came of a request for other weights; part of the status.

    Attributes:
        at: first step that they hold for; -1: they are refused.
        refused: why, in words; "" if they are not.
    """

    name: str
    at: int = -1
    refused: str = ""


class RecipeReport(Struct, frozen=True):
    """A recipe for people; part of the status.

    Attributes:
        first_step: first step that it covers.
        weights: share of the sequences by source; they sum to 1.
        reason: why it is there, in words.
    """

    first_step: int
    weights: dict[str, float]
    reason: str


class SourceFigures(Struct, frozen=True):
    """What training on a source costs, in the newest steps; part of the status.

    Attributes:
        tokens: of it in these steps.
        loss: mean cross-entropy, nats per token.
        answers: tokens among them that belong to answers of generated problems.
        answer_loss: of these, likewise; None: there were none.
        problems: answers that are whole where they are computed.
        solved: share of them of which each token is given more than half; None: there were none.
    """

    tokens: int
    loss: float
    answers: int = 0
    answer_loss: float | None = None
    problems: int = 0
    solved: float | None = None


class RowAddress(Struct, frozen=True):
    """Where a row comes from: row `row` of source number `source`.

    Numbers are those of the job file, and behind it of added sources in the order of adding.
    """

    source: int
    row: int


class ComingReads(Struct, frozen=True):
    """What a memory rank will read.

    Attributes:
        is_anew: what was told before does not hold any more.
        passed: place of the first block that may still be asked for.
        blocks: place and rows of each block that is told, by rising place.
    """

    is_anew: bool
    passed: int
    blocks: tuple[tuple[int, tuple[RowAddress, ...]], ...]
