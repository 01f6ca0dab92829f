"""A simulated run that replays another one, under faults of its own."""

from collections.abc import Sequence

from qmpi.config.identity import ending_at
from qmpi.config.settings import Settings
from qmpi.protocol.replay import Replay
from qmpi.simulator.building import Builder, TrainingBuilder
from qmpi.simulator.engine import Simulation
from qmpi.simulator.faults import Fault


class ReplaySimulation(Simulation):
    """A run that goes by the records of another one."""

    def __init__(
        self,
        replayed: Replay,
        settings: Settings,
        ranks: int,
        seed: int,
        faults: Sequence[Fault] = (),
    ) -> None:
        """Set the stage.

        Args:
            replayed: what it goes by, and where it ends.
            settings: the job as that run was begun, with other roles perhaps.
            ranks: size of the MPI job.
            seed: as of `Simulation`.
            faults: what goes wrong.
        """
        self.replayed = replayed
        super().__init__(ending_at(settings, replayed.steps), ranks, seed, faults)

    def builder(self) -> Builder:
        """Return what makes the processes of a job."""
        return TrainingBuilder(self.around, self.replayed)
