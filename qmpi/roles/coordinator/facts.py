"""What the coordinator is told when the job starts."""

from msgspec import Struct

from qmpi.protocol.envelope import Address
from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.protocol.journal import JournalRecord
from qmpi.protocol.recipe import Recipe, RecipeRequest
from qmpi.protocol.replay import Replay
from qmpi.units import Digest, Rank


class RunFacts(Struct, frozen=True):
    """What the coordinator is told when the job starts.

    Attributes:
        run_id: identity of the run directory.
        settings_digest: identity of arithmetic and data, as the run was begun.
        recipes: the recipe log of the starts before; empty: the run begins with what the job says.
        expected: role instances that placement dealt; heralds not counted.
        placement: why they were dealt so, in words.
        hosts: host of each rank.
        domains: failure domain of each of them; empty: each host is one.
        teams: ranks of each team by position, as placed.
        history: the journal of earlier incarnations.
        checkpoints: for each snapshot file in the run directory, a clause that names it and says
            why it cannot be read, if it cannot; for messages.
        left_out: hosts that this start had to do without, as "host b is left out: no answer".
        healing: why the death of a rank ends the job, in words; "": it does not.
        from_scratch: begin at step 0, as the user insists, if no snapshot can be read.
        died: why the start before this one ended, as far as the supervisor knows.
        hyperparameters: the log of the starts before; empty: the run begins with what the job says.
        replan: plan a schedule anew whose shape would change.
        back_to: the step that the user goes back to; -1: the run goes on where it is.
        directory: of the run, for messages.
        replayed: what this run goes by, if it replays another one; None: it decides by itself.
        asked: other weights of the sources that were asked for before this start; None: none were.
    """

    run_id: str
    settings_digest: Digest
    recipes: tuple[Recipe, ...]
    expected: tuple[Address, ...]
    placement: str
    hosts: tuple[str, ...]
    teams: tuple[tuple[Rank, ...], ...]
    history: tuple[JournalRecord, ...] = ()
    checkpoints: tuple[str, ...] = ()
    from_scratch: bool = False
    died: str = ""
    domains: tuple[str, ...] = ()
    healing: str = ""
    left_out: tuple[str, ...] = ()
    hyperparameters: tuple[Hyperparameters, ...] = ()
    replan: bool = False
    back_to: int = -1
    directory: str = "RUN"
    replayed: Replay | None = None
    asked: RecipeRequest | None = None
