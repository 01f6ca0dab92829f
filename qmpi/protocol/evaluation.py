"""What an evaluation measured: of held-out text, and of answers that can be checked."""

from msgspec import Struct

from qmpi.units import Generation, Step

Group = dict[str, float | None]
"""A number by name; None where it is not finite, for which JSON has no word."""


NATS = 1 << 20
"""A loss is counted in whole multiples of 1/NATS nats: their sum is the same in any order."""


class Marks(Struct, frozen=True):
    """What was measured of one source, content type and band, added up.

    Attributes:
        source: name of the source.
        type: content type; "" for text that was not generated.
        band: band of levels; "" likewise.
        nats: cross-entropy of all targets, in units of 1/`NATS` nats.
        tokens: targets.
        bytes: of UTF-8 that they stand for.
        undefined: rows whose loss is not finite; they add nothing to `nats`.
        right: problems answered rightly.
        problems: problems asked.
        level: of problems, 1 to 100; 0: of text, or not told.
        answer_nats: cross-entropy of the targets that are answers in generated text, as `nats`.
        answers: these targets.
    """

    source: str
    type: str = ""
    band: str = ""
    nats: int = 0
    tokens: int = 0
    bytes: int = 0
    undefined: int = 0
    right: int = 0
    problems: int = 0
    answer_nats: int = 0
    answers: int = 0
    level: int = 0


class LevelMarks(Struct, frozen=True, array_like=True):
    """Problems of one type and level.

    Attributes:
        type: content type.
        level: 1 to 100.
        right: answered rightly.
        problems: asked.
    """

    type: str
    level: int
    right: int
    problems: int


class RowLoss(Struct, frozen=True):
    """Cross-entropy of a row, summed over its targets, in nats; may be inf or nan.

    Attributes:
        nats: of all targets.
        answer_nats: of those that are answers in generated text.
        answers: how many these are.
    """

    nats: float
    answer_nats: float = 0.0
    answers: int = 0


class Scores(Struct, frozen=True):
    """One number by what it was measured on.

    Attributes:
        overall: of everything: of losses the mean over the sources by their weights in the job, of
            counts the sum, else the plain mean; None if
            there is nothing, or no finite number.
        source: by name of the source.
        type: by content type, generated text alone.
        band: by band of levels, generated text alone.
    """

    overall: float | None
    source: Group
    type: Group
    band: Group


class Evaluation(Struct, frozen=True):
    """Result of an evaluation.

    Attributes:
        step: weights are those before this step.
        loss: held-out cross-entropy in nats per token.
        bits_per_byte: the same in bits per byte of text.
        accuracy: share of problems answered rightly, 0 to 1.
        tokens: targets that the losses are means of.
        problems: problems asked.
        left_out: sources of which nothing is held out.
        overlap: share of the held-out text, by runs of 32 tokens, that stands in what was trained
            on; None if nobody looked.
        leaked_rows: held-out rows that were trained on as a whole; None likewise.
        levels: problems by type and level, ascending; empty: none were asked, or an old version
            did not count them so.
        answer_loss: as `loss`, of the answers in generated text alone; None: nobody told.
        answers: targets that `answer_loss` is a mean of; None likewise.
    """

    step: int
    loss: Scores
    bits_per_byte: Scores
    accuracy: Scores
    tokens: Scores
    problems: Scores
    left_out: tuple[str, ...] = ()
    overlap: Scores | None = None
    leaked_rows: int | None = None
    levels: tuple[LevelMarks, ...] = ()
    answer_loss: Scores | None = None
    answers: Scores | None = None


class EvaluationPart(Struct, frozen=True, tag="evaluation_part"):
    """A member's share of an evaluation; told before the member takes part in `step`.

    Attributes:
        generation: of the group whose members share it.
        step: weights are those before this step.
        part: 0 <= part < parts.
        parts: shares that make the whole.
        marks: what was measured.
        left_out: sources of which nothing is held out.
        seconds: that it took, while training waited.
        fault: why nothing was measured; "" if something was.
    """

    generation: Generation
    step: Step
    part: int
    parts: int
    marks: tuple[Marks, ...]
    left_out: tuple[str, ...] = ()
    seconds: float = 0.0
    fault: str = ""


class EvaluationReport(Struct, frozen=True):
    """An evaluation that the run has made.

    Attributes:
        time: when it was whole, seconds since the epoch.
        seconds: that training waited for it.
        result: what was measured.
    """

    time: float
    seconds: float
    result: Evaluation
