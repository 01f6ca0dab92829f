"""What the stage of a curriculum sets of a step, beside what it draws from."""

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    # Whoever only reads records does without: it costs the start of each command.
    from qmpi.config.settings import Settings


class Staged(Struct, frozen=True):
    """What a stage sets; of what it does not set the default.

    Attributes:
        rate: what the learning rate is multiplied with.
        lanes: of a step; 0: as [batch] says.
        tokens: of the sequences that a row is cut into; 0: it is one.
    """

    rate: float = 1.0
    lanes: int = 0
    tokens: int = 0


def staged_of(settings: "Settings", number: int) -> Staged | None:
    """Return what a stage of a job sets.

    Args:
        settings: the job, with its arms.
        number: of the stage, 1 to 100; 0: none, so that what [train] says holds.

    Returns:
        None: stages set nothing of the kind in this job.
    """
    sets, train = settings.curriculum.sets, settings.train
    if not {"rate", "batch", "length"} & set(sets):
        return None
    if not number:
        return Staged(lanes=train.lanes if "batch" in sets else 0)
    from qmpi.config.stages import stages_of

    stage = stages_of(settings)[number - 1]
    is_short = "length" in sets and stage.sequence_tokens < train.sequence_tokens
    return Staged(
        rate=stage.rate_factor if "rate" in sets else 1.0,
        # Halves go up: a factor that is no binary number shall not cost a lane.
        lanes=max(1, int(stage.batch_factor * train.lanes + 0.5)) if "batch" in sets else 0,
        tokens=stage.sequence_tokens if is_short else 0,
    )
