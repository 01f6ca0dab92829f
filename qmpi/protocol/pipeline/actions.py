"""What the stages of a pipeline do with microbatches, and what passes between them.

Theory of operation. The layers of a model are cut into chunks, a chain of `stages` x `chunks`
places. Place 0 is chunk 0 of stage 0, place 1 is chunk 0 of stage 1; after chunk 0 of the last
stage comes chunk 1 of the first, or, where the chain turns back, of the last stage itself. An
activation goes from place to place up the chain, its gradient down again. A backward pass may be
done in two: that of the input, which the place below waits for, and that of the weights, which
nobody does.
"""

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct


class Pass(StrEnum):
    """What is computed."""

    FORWARD = "forward"
    BACKWARD = "backward"
    BACKWARD_INPUT = "backward input"
    BACKWARD_WEIGHT = "backward weight"

    @property
    def gives_gradient(self) -> bool:
        """Whether the place below gets its gradient from this."""
        return self in (Pass.BACKWARD, Pass.BACKWARD_INPUT)

    @property
    def ends_backward(self) -> bool:
        """Whether gradients of the weights are complete after this, and activations are let go."""
        return self in (Pass.BACKWARD, Pass.BACKWARD_WEIGHT)


class Action(NamedTuple):
    """One pass of one chunk of a stage for one microbatch.

    Attributes:
        work: what is computed.
        chunk: number among the chunks of the stage.
        microbatch: number within the lane.
    """

    work: Pass
    chunk: int
    microbatch: int

    def __str__(self) -> str:
        """Return it in words, for messages."""
        return f"{self.work} of chunk {self.chunk} for microbatch {self.microbatch}"


class Value(NamedTuple):
    """A tensor that enters a place of the chain.

    Attributes:
        is_gradient: of the place's output; else it is the activation that the place takes.
        place: where it enters.
        microbatch: that it belongs to.
    """

    is_gradient: bool
    place: int
    microbatch: int

    def __str__(self) -> str:
        """Return it in words, for messages."""
        name = "gradient" if self.is_gradient else "activation"
        return f"{name} for place {self.place}, microbatch {self.microbatch}"


class Chain(Struct, frozen=True):
    """The places of a pipeline, and the microbatches that pass them.

    Attributes:
        stages: ranks along the pipeline axis, >= 1.
        chunks: of each stage, >= 1.
        microbatches: of a lane, >= 1.
        turns_back: the chain goes up the stages and down again, so chunks are two.
    """

    stages: int
    chunks: int
    microbatches: int
    turns_back: bool = False

    @property
    def places(self) -> int:
        """Chunks of all stages."""
        return self.stages * self.chunks

    def place(self, stage: int, chunk: int) -> int:
        """Return where a chunk of a stage lies in the chain."""
        if self.turns_back and chunk:
            return self.places - 1 - stage
        return chunk * self.stages + stage

    def stage(self, place: int) -> int:
        """Return the stage that holds a place."""
        chunk, stage = divmod(place, self.stages)
        return self.stages - 1 - stage if self.turns_back and chunk else stage

    def chunk(self, place: int) -> int:
        """Return the number of a place among those of its stage."""
        return place // self.stages

    def needs(self, stage: int, action: Action) -> Value | None:
        """Return the tensor that an action of a stage takes from another place, if it does."""
        place = self.place(stage, action.chunk)
        if action.work == Pass.FORWARD and place > 0:
            return Value(is_gradient=False, place=place, microbatch=action.microbatch)
        if action.work.gives_gradient and place < self.places - 1:
            return Value(is_gradient=True, place=place, microbatch=action.microbatch)
        return None

    def gives(self, stage: int, action: Action) -> Value | None:
        """Return the tensor that an action of a stage makes for another place, if it does."""
        place = self.place(stage, action.chunk)
        if action.work == Pass.FORWARD and place < self.places - 1:
            return Value(is_gradient=False, place=place + 1, microbatch=action.microbatch)
        if action.work.gives_gradient and place > 0:
            return Value(is_gradient=True, place=place - 1, microbatch=action.microbatch)
        return None


class Table(Struct, frozen=True):
    """A schedule written down: the actions of each stage, in order.

    Attributes:
        chain: of the pipeline.
        actions: one tuple a stage.
    """

    chain: Chain
    actions: tuple[tuple[Action, ...], ...]
