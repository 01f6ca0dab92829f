"""The work of one stage of a pipeline, and the loop that asks for it.

Whoever computes needs to know no schedule: it does one step after the other.
"""

from typing import Protocol

from qmpi.protocol.pipeline.actions import Action, Pass, Value
from qmpi.protocol.pipeline.programs import Compute, Program, Receive, Send


class StageWork(Protocol):
    """One stage: its chunks, and the ways to its peers.

    Promises that are asked of it. What a place needs is what was received or computed here for it,
    by `Value`; what a pass makes for another place is kept by `Value` until it is sent or used.
    Gradients of weights are added in the order of the calls. Values between two stages arrive in
    the order in which they were sent.
    """

    def forward(self, chunk: int, microbatch: int) -> None:
        """Compute a chunk, and keep what its backward pass needs.

        Args:
            chunk: number among those of this stage.
            microbatch: number within the lane.
        """
        ...

    def backward(self, chunk: int, microbatch: int) -> None:
        """Compute the gradient of a chunk's input, add those of its weights, let go what was kept.

        Args:
            chunk: number among those of this stage.
            microbatch: number within the lane.
        """
        ...

    def backward_input(self, chunk: int, microbatch: int) -> None:
        """Compute the gradient of a chunk's input alone, and keep what those of its weights need.

        Args:
            chunk: number among those of this stage.
            microbatch: number within the lane.
        """
        ...

    def backward_weight(self, chunk: int, microbatch: int) -> None:
        """Add the gradients of a chunk's weights, and let go what was kept.

        Args:
            chunk: number among those of this stage.
            microbatch: number within the lane.
        """
        ...

    def send(self, peer: int, value: Value) -> None:
        """Send a value; may return before it has arrived.

        Args:
            peer: stage that receives it.
            value: which one.
        """
        ...

    def receive(self, peer: int, value: Value) -> None:
        """Wait for the next value from a peer.

        Args:
            peer: stage that sends it.
            value: which one it is.
        """
        ...


def perform(program: Program, work: StageWork) -> None:
    """Do all steps of a stage for one lane.

    Args:
        program: of the stage.
        work: the stage; what it raises ends the loop.
    """
    for step in program:
        match step:
            case Receive(peer, value):
                work.receive(peer, value)
            case Send(peer, value):
                work.send(peer, value)
            case Compute(action):
                _compute(action, work)


def _compute(action: Action, work: StageWork) -> None:
    match action:
        case Action(Pass.FORWARD, chunk, microbatch):
            work.forward(chunk, microbatch)
        case Action(Pass.BACKWARD, chunk, microbatch):
            work.backward(chunk, microbatch)
        case Action(Pass.BACKWARD_INPUT, chunk, microbatch):
            work.backward_input(chunk, microbatch)
        case Action(_, chunk, microbatch):
            work.backward_weight(chunk, microbatch)
