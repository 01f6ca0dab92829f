"""Replays: a run trained anew by what another run's journal says, as if nothing had failed."""

from msgspec import Struct

from qmpi.protocol.added import AddedSource
from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.recipe import Recipe
from qmpi.units import Digest, Step


class Replay(Struct, frozen=True):
    """What a run that replays another one goes by; RUN/replay.json.

    All that was decided on the way is in the log: changes by the user, a batch that grew by noise,
    microbatches that were halved. A replay decides none of it again, and no spike stops it.

    Attributes:
        run: directory of the run that is replayed, for messages.
        run_id: its identity.
        settings_digest: SHA-256 of the settings that it was begun with; the replay's are the same.
        identity: what its trainers' arithmetic depends on.
        sources: facts of the data sources of its job file.
        log: its hyperparameter log.
        steps: at which the replay ends, > 0; schedules count by the log.
        recipes: its recipe log; empty: what the job says.
        added: sources that its job file does not have.
    """

    run: str
    run_id: str
    settings_digest: Digest
    identity: str
    sources: tuple[SourceFact, ...]
    log: tuple[Hyperparameters, ...]
    steps: Step
    recipes: tuple[Recipe, ...] = ()
    added: tuple[AddedSource, ...] = ()
