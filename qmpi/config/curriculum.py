"""[curriculum]: a hundred stages from easy to hard, and what a model must do to master each."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from qmpi.config.data import DrillFamily

STAGES = 100
"""Stages of every curriculum, however many tables say what they are."""

FAST, SLOW, LEAST_PROGRESS = 0.10, 0.02, 1e-3
"""Constants of the adaptive rule, as they are shipped."""

Progression = Literal["linear", "exponential", "logarithmic"]

StageName = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,40}$")]


class StageSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of [[curriculum.stages]]: one stage, or several that follow one another."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9_-]{0,40}$",
            description="Name that others may come after; empty: none.",
        ),
    ] = ""
    sources: Annotated[
        tuple[StageName, ...],
        Meta(description="Names of generated sources of the job; empty: all of them."),
    ] = ()
    min_level: Annotated[int, Meta(ge=0, le=100, description="Easiest level; 0: derived.")] = 0
    max_level: Annotated[int, Meta(ge=0, le=100, description="Hardest level; 0: derived.")] = 0
    sequence_tokens: Annotated[
        int,
        Meta(
            ge=0,
            le=1 << 20,
            description="Length of sequences, at most train.sequence_tokens; 0: derived.",
        ),
    ] = 0
    batch_factor: Annotated[
        float, Meta(ge=0.0, le=1.0, description="Share of the batch of [train]; 0: derived.")
    ] = 0.0
    rate_factor: Annotated[
        float, Meta(gt=0.0, le=2.0, description="What the learning rate is multiplied with.")
    ] = 1.0
    after: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=STAGES)] | StageName, ...],
        Meta(
            description=(
                "Tables that stand before this one and are mastered first: names, or numbers "
                "from 1; empty: the one before."
            )
        ),
    ] = ()
    loss: Annotated[
        float,
        Meta(
            ge=0.0,
            le=20.0,
            description=(
                "Nats a token of the answers at or below which the stage is mastered; 0: as "
                "accuracy says."
            ),
        ),
    ] = 0.0
    accuracy: Annotated[
        float,
        Meta(
            ge=0.0,
            lt=1.0,
            description=(
                "Share of its problems solved at or above which the stage is mastered; 0: as loss "
                "says, or derived."
            ),
        ),
    ] = 0.0


class CurriculumSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[curriculum]: stages from easy to hard, a warm-up, whether data follow what is learned."""

    kind: Annotated[
        Literal["static", "adaptive"],
        Meta(
            description=(
                '"static": data are drawn as [data] says. "adaptive": every window the weights of '
                "generated text, by type and band of levels, follow the losses of those before."
            )
        ),
    ] = "static"
    every_steps: Annotated[
        int,
        Meta(
            ge=1,
            le=10**6,
            description="Steps of a window; what one tells sets the weights of the next but one.",
        ),
    ] = 50
    placebo_share: Annotated[
        float,
        Meta(
            ge=0.0,
            le=1.0,
            description="Share of what is generated that is drawn as [data] says all the same.",
        ),
    ] = 0.25
    most: Annotated[
        float,
        Meta(
            gt=1.0,
            le=100.0,
            description=(
                "A band gets at most so many times what [data] gives it, and at least that part."
            ),
        ),
    ] = 4.0
    fast: Annotated[
        float,
        Meta(
            gt=0.0,
            le=1.0,
            description="What one sequence moves the fast mean of an arm's loss by.",
        ),
    ] = FAST
    slow: Annotated[
        float,
        Meta(
            gt=0.0,
            le=1.0,
            description=(
                "What it moves the slow one by, at most as much; how far both lie apart is the "
                "arm's progress."
            ),
        ),
    ] = SLOW
    least_progress: Annotated[
        float,
        Meta(
            gt=0.0,
            le=10.0,
            description=(
                "Nats a token that are added to progress, so that an arm which stands still is not "
                "given up."
            ),
        ),
    ] = LEAST_PROGRESS
    focus: Annotated[
        Literal["balance", "weakest-first", "specialise"],
        Meta(
            description=(
                'What types get. "balance": what [data] gives them. "weakest-first": up to a fifth '
                "more where most is left to learn, and less elsewhere. "
                '"specialise": twice as much for those that are named.'
            )
        ),
    ] = "balance"
    specialise: Annotated[
        tuple[str, ...], Meta(description='Types of text, with focus = "specialise".')
    ] = ()
    sets: Annotated[
        tuple[Literal["length", "batch", "rate", "gate"], ...],
        Meta(
            description=(
                'What the stage sets at which an adaptive run stands: "length" of sequences, '
                '"batch": lanes of a step, "rate" of learning; "gate": what is harder gets its '
                "least share. Empty: stages tell, and set nothing."
            )
        ),
    ] = ()
    warmup_steps: Annotated[
        int,
        Meta(
            ge=0,
            le=10**9,
            description="First steps, which draw drills alone; then [data] holds. 0: none.",
        ),
    ] = 0
    warmup_families: Annotated[
        tuple[DrillFamily, ...], Meta(description="Families of these drills; empty: all.")
    ] = ("brackets", "needle", "copy", "shift")
    progression: Annotated[
        Progression,
        Meta(
            description=(
                'How levels are spread over stages. "linear": evenly. "exponential": long among '
                'the easy ones. "logarithmic": soon at the hard ones.'
            )
        ),
    ] = "linear"
    reference: Annotated[
        str,
        Meta(
            description=(
                "File that `qmpi curriculum --reference` made of balanced runs of the same model "
                "and sources; at its end the run is held against it. Empty: against nothing."
            )
        ),
    ] = ""
    stages: Annotated[
        tuple[StageSettings, ...],
        Meta(
            description=(
                "At most 100 tables, in order; the hundred stages are shared evenly among them. "
                "Empty: derived from the levels of the generated sources."
            )
        ),
    ] = ()
