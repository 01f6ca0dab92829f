"""[parallel]: the section on how ranks share a replica of the model."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from qmpi.config.bounds import PositiveInt
from qmpi.errors import ConfigError

SECTION = "parallel"

PipelineSchedule = Literal["gpipe", "1f1b", "interleaved", "zero_bubble"]

AUTO = "auto"
"""Instead of the section: where a job begins, qmpi chooses the layout."""

OLDER_NAME = "team"
"""Of the section, in job files of runs that were begun before it said more than sizes."""


class ParallelSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[parallel]: how many ranks share one replica of the model, axis by axis, outermost first.

    Sizes and chunks are part of the run's identity; the number of teams is not. In place of the
    section `parallel = "auto"`, above all others, leaves them to qmpi.
    """

    pipeline: Annotated[
        PositiveInt,
        Meta(le=1024, description="Stages of layers, which pass microbatches to each other."),
    ] = 1
    context: Annotated[
        PositiveInt,
        Meta(
            le=1024,
            description=(
                "Ranks that share the tokens of each sequence, two pieces each; twice as many must "
                "divide train.sequence_tokens."
            ),
        ),
    ] = 1
    expert: Annotated[
        PositiveInt,
        Meta(
            le=1024,
            description=(
                "Parts of the experts of each layer, and of the sequences of each microbatch; must "
                "divide model.experts and train.sequences."
            ),
        ),
    ] = 1
    tensor: Annotated[
        PositiveInt,
        Meta(
            le=1024,
            description=(
                "Parts of each matrix, of heads, hidden features and vocabulary; must divide "
                "heads, kv_heads and hidden features."
            ),
        ),
    ] = 1
    shard: Annotated[
        Literal["none", "optimizer", "full"],
        Meta(
            description=(
                "What ranks share out instead of holding it all: nothing; among teams the "
                'moments; "full": and within a team what ranks along context, or else expert, '
                "compute with alike. A run keeps to full, or to the other two."
            )
        ),
    ] = "none"
    schedule: Annotated[
        PipelineSchedule,
        Meta(
            description=(
                "Order in which the stages of a pipeline pass microbatches forward and backward; "
                "nothing to set while there is one stage."
            )
        ),
    ] = "1f1b"
    chunks: Annotated[
        PositiveInt,
        Meta(
            le=1024,
            description=(
                'Runs of layers that each stage holds: 2 or more with "interleaved", 1 or 2 with '
                '"zero_bubble", else 1.'
            ),
        ),
    ] = 1

    @property
    def team_size(self) -> int:
        """Ranks of a team: those that hold one replica together."""
        return self.pipeline * self.context * self.expert * self.tensor

    @property
    def shares_moments(self) -> bool:
        """Whether teams share out the moments of each position among each other."""
        return self.shard != "none"


def splits_backward(parallel: ParallelSettings) -> bool:
    """Return whether stages do the two halves of a backward pass apart.

    Args:
        parallel: the layout.
    """
    return parallel.pipeline > 1 and parallel.schedule == "zero_bubble"


def renamed(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a raw job with the section called by its name of today.

    Args:
        raw: what TOML gave.

    Returns:
        The job; the same one if it does not use the older name.

    Raises:
        ConfigError: it uses both names.
    """
    if OLDER_NAME not in raw:
        return raw
    if SECTION in raw:
        raise ConfigError(
            f"[{OLDER_NAME}] is the older name of [{SECTION}], and both are there: move what "
            f"[{OLDER_NAME}] says to [{SECTION}]"
        )
    return {SECTION if name == OLDER_NAME else name: fields for name, fields in raw.items()}


def is_left_open(raw: dict[str, Any]) -> bool:
    """Return whether a raw job leaves its layout to qmpi: `parallel = "auto"`.

    Args:
        raw: what TOML gave, its sections called by their names of today.
    """
    return raw.get(SECTION) == AUTO
