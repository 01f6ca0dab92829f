"""[guard]: the section on steps that stand out, which the weights shall not follow."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, Struct

LEAST_WARMUP = 2
"""Steps: of one alone there is no deviation."""

Deviations = Annotated[float, Meta(ge=0.0, le=1e6)]


class GuardSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[guard]: which steps are spikes, and what is done; may change when a run goes on."""

    loss_spike: Annotated[
        Deviations,
        Meta(
            description=(
                "A step whose loss lies above the running mean by more than so many running "
                "standard deviations is a spike; 0: none is."
            )
        ),
    ] = 0.0
    norm_spike: Annotated[
        Deviations,
        Meta(description="The same of the gradient's norm before clipping; 0: none is."),
    ] = 0.0
    action: Annotated[
        Literal["skip", "stop", "roll_back"],
        Meta(
            description=(
                '"skip": the update of a spike is not applied. "stop": nor is it, and the run '
                'stops before the next step, with a checkpoint. "roll_back": it stops, goes back '
                "by itself, and passes over the data up to the spike."
            )
        ),
    ] = "skip"
    back_steps: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description=(
                'With "roll_back": steps before the spike that the run goes back to; less if no '
                "copy of the state is so old."
            ),
        ),
    ] = 100
    most_roll_backs: Annotated[
        int,
        Meta(
            ge=0,
            le=1000,
            description='Roll backs of a run after which a spike stops it as "stop" does.',
        ),
    ] = 3
    window_steps: Annotated[
        int,
        Meta(
            ge=2,
            le=1_000_000,
            description="Steps that the running mean and deviation reach back, fading.",
        ),
    ] = 128
    warmup_steps: Annotated[
        int,
        Meta(
            ge=LEAST_WARMUP,
            le=1_000_000,
            description="Steps that are looked at before one is judged.",
        ),
    ] = 100
    most_in_a_row: Annotated[
        int,
        Meta(
            ge=1,
            le=19,
            description=(
                "Updates left out in a row at which a spike stops the run: so many are no spike, "
                "but how things are now."
            ),
        ),
    ] = 5

    @property
    def is_on(self) -> bool:
        """Whether any step is judged."""
        return self.loss_spike > 0.0 or self.norm_spike > 0.0


NO_GUARD = GuardSettings()


def guard_contradictions(guard: GuardSettings, steps: int) -> Iterator[str]:
    """Yield what contradicts itself in [guard].

    Args:
        guard: the section; each field legal by itself.
        steps: length of the run.

    Yields:
        One sentence each.
    """
    if guard.action == "roll_back" and not guard.is_on:
        yield (
            'guard.action = "roll_back", but no step is ever a spike: give guard.loss_spike or '
            "guard.norm_spike, as 6.0"
        )
    # A run of fewer steps has none to judge, however short the warm-up.
    if guard.is_on and guard.warmup_steps >= steps > LEAST_WARMUP:
        yield (
            f"guard.warmup_steps = {guard.warmup_steps} leaves none of train.steps = {steps} to be "
            "judged: fewer, or more steps, or no guard.loss_spike and guard.norm_spike"
        )
