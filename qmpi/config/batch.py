"""[batch]: the section on how large a step is, and on what says how large it should be."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

LEAD_STEPS = 8
"""Steps that are granted ahead of a commit: what is decided by then holds behind them."""


class BatchSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[batch]: how many lanes a step has, up to train.lanes; may change when a run goes on."""

    noise_scale: Annotated[
        bool,
        Meta(
            description=(
                "Measure the noise of the gradient: how far lanes lie apart, which says how large "
                "a batch pays. Costs a sweep over each lane's gradient; changes no weights."
            )
        ),
    ] = False
    first_lanes: Annotated[
        int,
        Meta(
            ge=0, le=4096, description="Lanes of the first step; 0: train.lanes, which is the most."
        ),
    ] = 0
    grow: Annotated[
        Literal["none", "linear", "doubling", "noise"],
        Meta(
            description=(
                'How lanes become more, up to train.lanes. "linear", "doubling": over grow_steps. '
                '"noise": they double when the noise scale is twice the batch or more.'
            )
        ),
    ] = "none"
    grow_steps: Annotated[
        int,
        Meta(
            ge=0,
            le=10**12,
            description=(
                'Steps until all lanes are used; with "noise" the steps that are measured before '
                "each doubling."
            ),
        ),
    ] = 0
    rate: Annotated[
        Literal["none", "sqrt", "linear"],
        Meta(
            description=(
                "How the learning rate follows the lanes: it is multiplied by 1, or by the square "
                "root of their share in train.lanes, or by that share."
            )
        ),
    ] = "none"

    halve_microbatches: Annotated[
        bool,
        Meta(
            description=(
                "Where a trainer has no memory for a step, all go on with microbatches of half as "
                "many sequences, and twice as many of them; off: that trainer dies."
            )
        ),
    ] = False

    @property
    def is_fixed(self) -> bool:
        """Whether each step has all lanes."""
        return self.first_lanes == 0 and self.grow == "none"

    @property
    def is_measured(self) -> bool:
        """Whether the noise is measured."""
        return self.noise_scale or self.grow == "noise"
