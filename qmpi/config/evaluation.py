"""Section [evaluation] of a job file."""

from typing import Annotated

from msgspec import Meta, Struct

MOST_TOKENS, MOST_PROBLEMS = 10**9, 10**6
"""Of one evaluation: training waits for it, and what it is made on lies in memory."""


class EvaluationSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[evaluation]: what training never sees, and how often the run measures on it."""

    held_out: Annotated[
        float,
        Meta(
            ge=0.0,
            lt=1.0,
            description=(
                "Share of each corpus that is never trained on; part of the run's identity. "
                "Generated sources need none: what is held out of them has keys of its own."
            ),
        ),
    ] = 0.0
    every_steps: Annotated[
        int,
        Meta(
            ge=0,
            description=(
                "Steps between two evaluations; the last step always gets one. Training waits "
                "meanwhile. 0: only `qmpi evaluate` measures."
            ),
        ),
    ] = 0
    tokens: Annotated[
        int,
        Meta(
            ge=0,
            le=MOST_TOKENS,
            description="Held-out tokens of all sources together that each is made on.",
        ),
    ] = 16_384
    problems: Annotated[
        int,
        Meta(
            ge=0,
            le=MOST_PROBLEMS,
            description="Problems of all generated sources together that each is made on.",
        ),
    ] = 64
