"""What an evaluation measured: of held-out text, and of answers that can be checked."""

from msgspec import Struct

Group = dict[str, float | None]
"""A number by name; None where it is not finite, for which JSON has no word."""


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
