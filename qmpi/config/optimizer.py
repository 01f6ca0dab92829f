"""[optimizer]: the section on updates and their rates; schedules are worked out in `schedule`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class OptimizerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[optimizer]: how gradients become updates, the learning-rate schedule, clipping."""

    kind: Annotated[
        Literal["muon", "adamw", "adamw8"],
        Meta(
            description=(
                '"muon": orthogonalised momentum for the matrices of the blocks, AdamW for '
                'embedding, head and norms. "adamw": AdamW for all. "adamw8": AdamW with '
                "moments of matrices in eight bits."
            )
        ),
    ] = "muon"
    learning_rate: Annotated[
        float,
        Meta(
            gt=0.0,
            le=1e6,
            description="Peak learning rate; an update by Muon has the size of one by AdamW at it.",
        ),
    ] = 3e-3
    table_ratio: Annotated[
        float,
        Meta(
            gt=0.0,
            le=1e6,
            description=(
                "Learning rate of embedding and head, in multiples of that of the blocks' "
                'matrices, where kind is "muon".'
            ),
        ),
    ] = 6.0
    min_ratio: Annotated[
        Share,
        Meta(description="Learning rate of the last step, as a share of the peak."),
    ] = 0.1
    schedule: Annotated[
        Literal["constant", "cosine", "linear", "exponential", "polynomial", "wsd"],
        Meta(
            description=(
                'Shape after the warm-up. "wsd" stays at the peak and falls in a line over the '
                "last decay_share of the steps; all others but "
                '"constant" fall from the end of the warm-up on.'
            )
        ),
    ] = "cosine"
    warmup_steps: Annotated[
        int,
        Meta(ge=-1, description="Steps of linear warm-up; -1: a tenth of the steps, at most 2000."),
    ] = -1
    decay_share: Annotated[
        Share, Meta(description='Share of the steps that "wsd" decays over.')
    ] = 0.2
    power: Annotated[
        float, Meta(gt=0.0, le=16.0, description='Exponent of "polynomial"; 1 is "linear".')
    ] = 2.0
    momentum: Annotated[
        float, Meta(ge=0.0, lt=1.0, description="Decay of Muon's momentum (Nesterov).")
    ] = 0.9
    beta1: Annotated[float, Meta(ge=0.0, lt=1.0, description="Decay of AdamW's first moment.")] = (
        0.9
    )
    beta2: Annotated[float, Meta(ge=0.0, lt=1.0, description="Decay of AdamW's second moment.")] = (
        0.99
    )
    epsilon: Annotated[float, Meta(gt=0.0, description="Epsilon of AdamW.")] = 1e-8
    weight_decay: Annotated[
        float, Meta(ge=0.0, description="Decoupled weight decay of the blocks' matrices.")
    ] = 0.1
    decay_tables: Annotated[
        bool, Meta(description="Embedding and head are decayed too; norms never are.")
    ] = True
    clip_norm: Annotated[
        float, Meta(ge=0.0, description="Largest global gradient norm; 0: no clipping.")
    ] = 1.0


LARGE_STEPS = {"table_ratio": 1.0, "momentum": 0.95, "beta2": 0.95}
"""What differs from the defaults for steps of `LARGE_STEP_TOKENS` and more. The defaults are what
measured best with steps of a thousand tokens; these are as published for steps of millions
(Moonlight, arXiv 2502.16982), where we have measured nothing."""

LARGE_STEP_TOKENS = 1 << 18

LONGEST_WARMUP_STEPS = 2000


def derived_warmup(steps: int) -> int:
    """Return the warm-up of a job that leaves it to qmpi.

    Args:
        steps: length of the run.

    Returns:
        Steps of linear warm-up.
    """
    return min(steps // 10, LONGEST_WARMUP_STEPS)
