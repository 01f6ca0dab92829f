"""Which checkpoints are whole: of a step the files of all positions of a team are on disk."""

from qmpi.units import Step


class Written:
    """Positions of a team whose file of a step was written, by step.

    Attributes:
        team_size: ranks of a team, and so files of a checkpoint.
    """

    def __init__(self) -> None:
        """Start with none."""
        self.team_size = 1
        self._positions: dict[Step, set[int]] = {}

    def add(self, step: Step, position: int) -> bool:
        """Note a file.

        Args:
            step: of its state.
            position: whose part it has.

        Returns:
            Whether the step's checkpoint is whole with it, and was not before.
        """
        positions = self._positions.setdefault(step, set())
        before = len(positions)
        positions.add(position)
        return before < len(positions) == self.team_size

    def forget(self, after: Step) -> None:
        """Count files of later steps no more: what comes may be other weights.

        Args:
            after: the last step whose files count.
        """
        self._positions = {s: found for s, found in self._positions.items() if s <= after}
