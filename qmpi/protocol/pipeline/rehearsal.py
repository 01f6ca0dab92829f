"""Playing the programs of a pipeline with given costs: are they sound, and what do they take?

Theory of operation. Each stage does its steps in order and has a clock of its own. A value that is
received carries the time at which it is there. So the outcome does not depend on the order in which
stages are looked at, and a round in which no stage gets on is a deadlock.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction

from msgspec import Struct

from qmpi.protocol.pipeline.actions import Chain
from qmpi.protocol.pipeline.channels import Channel
from qmpi.protocol.pipeline.player import Costs, Player
from qmpi.protocol.pipeline.programs import Program


class Rehearsal(Struct, frozen=True, kw_only=True):
    """What came of it.

    Attributes:
        faults: one sentence each; none: the programs are sound. The rest counts only then.
        time: until the last stage has done its last step.
        busy: time that each stage computes.
        alive: most activations that each stage holds at once: of chunks whose forward pass is done,
            and gradients of weights are not.
        waited_for: most of these whose gradient of the input is not done either.
    """

    faults: tuple[str, ...]
    time: int
    busy: tuple[int, ...]
    alive: tuple[int, ...]
    waited_for: tuple[int, ...]

    @property
    def bubble(self) -> Fraction:
        """Share of all stages' time in which they do not compute."""
        return 1 - Fraction(sum(self.busy), len(self.busy) * self.time)


def rehearse(
    chain: Chain, programs: Sequence[Program], costs: Costs, room: int | None = None
) -> Rehearsal:
    """Play the programs of all stages.

    Args:
        chain: of the pipeline.
        programs: one a stage.
        costs: of passes and transfers.
        room: values that may wait between two stages in one direction; 0: a send waits for its
            receive; None: any number.

    Returns:
        The outcome.
    """
    stages = range(chain.stages)
    channels = {(a, b): Channel(costs.transfer, room) for a in stages for b in stages}
    players = [Player(chain, stage, programs[stage], costs, channels) for stage in stages]
    reached = -1
    while reached < (reached := _reached(players, channels.values())):
        for player in players:
            player.go_on()
    faults = [fault for player in players for fault in player.faults()]
    for (sender, peer), channel in channels.items():
        told = f"stage {peer} never receives from stage {sender}"
        faults += [f"{told} the {value}" for value in channel.waiting]
    return Rehearsal(
        faults=tuple(faults),
        time=max(player.now for player in players),
        busy=tuple(player.busy for player in players),
        alive=tuple(player.alive for player in players),
        waited_for=tuple(player.waited_for for player in players),
    )


def _reached(players: Iterable[Player], channels: Iterable[Channel]) -> int:
    """Return a number that grows whenever a stage gets on, or offers what it waits to send."""
    return sum(player.steps for player in players) + sum(channel.sent for channel in channels)
