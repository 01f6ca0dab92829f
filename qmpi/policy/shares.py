"""Which lanes of each step a team computes, and which blocks of the stream they are."""

from msgspec import Struct

from qmpi.policy.hyperparameters import Log, block_of, hyperparameters_at, lanes_of
from qmpi.policy.lanes import deal_lanes


class Share(Struct, frozen=True):
    """A team's part of the steps of its generation.

    Attributes:
        lanes: of a step that has all lanes, as the group's plan deals them.
        team: this team.
        teams: how many share a step.
        most: lanes of the job.
        log: the hyperparameter log.
    """

    lanes: tuple[int, ...]
    team: int
    teams: int
    most: int
    log: Log

    @property
    def is_open(self) -> bool:
        """Whether later steps may get other lanes than the log says now."""
        batch = self.log[-1].batch
        if batch is None or batch.lanes >= batch.most:
            return False
        return batch.settings.grow == "noise" or self.is_staged

    @property
    def is_staged(self) -> bool:
        """Whether the stage of a curriculum says how many lanes there are."""
        staged = self.log[-1].staged
        return staged is not None and staged.lanes > 0

    def of(self, step: int) -> tuple[int, ...]:
        """Return this team's lanes of a step; none if there are fewer lanes than teams.

        Args:
            step: >= 0.
        """
        many = lanes_of(self.log, step, self.most)
        if many == self.most:
            return self.lanes
        dealt = deal_lanes(many, min(many, self.teams))
        return dealt[self.team] if self.team < len(dealt) else ()

    def block(self, step: int, lane: int) -> int:
        """Return the number of a block, as `qmpi.protocol.blocks.BlockRequest` has it.

        Args:
            step: >= 0.
            lane: of the step.
        """
        if hyperparameters_at(self.log, step).batch is None:
            return -1
        return block_of(self.log, step, lane, self.most)
