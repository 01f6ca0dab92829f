"""A roll back: where a run went by itself after a spike, and with which data it goes on."""

from msgspec import Struct

from qmpi.units import Step


class RollBack(Struct, frozen=True):
    """A run goes back to before a spike, and passes over the data in between.

    Attributes:
        spike: step that stood out; the last one that is given up.
        back_to: first step that is given up; the run goes on with it; 0 <= back_to <= spike.
        block: first block of the stream that step `back_to` trains on now: the one behind those of
            the spike.
    """

    spike: Step
    back_to: Step
    block: int
