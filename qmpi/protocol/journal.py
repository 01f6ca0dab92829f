"""Records of RUN/journal.jsonl: what was committed, by whom, on which data."""

from msgspec import Struct

from qmpi.protocol.added import AddedSource
from qmpi.protocol.evaluation import Evaluation
from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.progress import ExpertLoads, SourceLoss
from qmpi.protocol.recipe import Recipe
from qmpi.protocol.roll_back import RollBack
from qmpi.units import Digest, Generation, Rank, Step


class RunOpened(Struct, frozen=True, tag="run_opened"):
    """The job started (incarnation 1) or was launched again.

    Attributes:
        time: seconds since the epoch, UTC.
        run_id: random identity of the run directory, the same in all incarnations.
        incarnation: number of this MPI job, from 1.
        settings_digest: SHA-256 of the resolved settings that fix the arithmetic and the data, as
            the run was begun with them.
        sources: facts of the data sources of the job file.
        recipes: the recipe log.
        identity: what the trainers' arithmetic depends on.
        lanes: lanes of a step.
        ranks: size of the MPI job.
        hyperparameters: the hyperparameter log; empty in journals of old versions: what the run was
            begun with.
        back_to: the run goes back to this step: steps from it on are given up, and so are copies
            of the state after it; -1: they stand.
        roll_back: the run goes back to `back_to` by itself; None: it does not, or the user said so.
        added: sources that the job file does not have.
    """

    time: float
    run_id: str
    incarnation: int
    settings_digest: Digest
    sources: tuple[SourceFact, ...]
    recipes: tuple[Recipe, ...]
    identity: str
    lanes: int
    ranks: int
    hyperparameters: tuple[Hyperparameters, ...] = ()
    back_to: int = -1
    roll_back: RollBack | None = None
    added: tuple[AddedSource, ...] = ()


class HyperparametersChanged(Struct, frozen=True, tag="hyperparameters_changed"):
    """What steps are trained with changes while the job runs.

    Attributes:
        step: steps committed by then.
        hyperparameters: the whole log, with a new record; behind it may stand what is planned.
        reason: in words.
        back_to: steps from this one on were done with other hyperparameters once and are given up,
            and so are copies of the state after it; -1: none were.
    """

    time: float
    step: Step
    hyperparameters: tuple[Hyperparameters, ...]
    reason: str
    back_to: int = -1


class RecipesChanged(Struct, frozen=True, tag="recipes_changed"):
    """What later steps draw from changes while the run goes on.

    Attributes:
        step: steps committed by then.
        recipes: the recipe log, behind its first `kept` records.
        reason: in words.
        request: name of the request that this follows; "": none.
        at: first step that has what was asked for; -1: nothing was.
        added: all sources that the job file does not have, new ones last.
        kept: records of the log before it that stay as they are.
    """

    time: float
    step: Step
    recipes: tuple[Recipe, ...]
    reason: str
    request: str = ""
    at: int = -1
    added: tuple[AddedSource, ...] = ()
    kept: int = 0

    def log_after(self, before: tuple[Recipe, ...]) -> tuple[Recipe, ...]:
        """Return the whole recipe log.

        Args:
            before: the log that this changes.
        """
        return (*before[: self.kept], *self.recipes)


class RunReshaped(Struct, frozen=True, tag="run_reshaped"):
    """What comes before is the story of another run; this one goes on from it in another layout.

    Steps from `step` on, if some are told of, were that run's alone and are given up here.

    Attributes:
        run_id: identity of this run.
        settings_digest: as in `RunOpened`, with the new layout.
        step: of the checkpoint that this run begins with.
        hyperparameters: the log as far as it holds for the steps before `step`.
        run: directory of the other run, for people.
        before: its layout, in words.
        after: that of this run.
        state: digest of the unsharded state, which is the same in both.
    """

    time: float
    run_id: str
    settings_digest: Digest
    step: Step
    hyperparameters: tuple[Hyperparameters, ...]
    run: str
    before: str
    after: str
    state: Digest

    @property
    def back_to(self) -> int:
        """Steps from this one on are given up, if some are told of."""
        return self.step

    @property
    def reason(self) -> str:
        """What happened, in words."""
        return f"reshaped at step {self.step} from {self.run}: {self.before} became {self.after}"


class GenerationOpened(Struct, frozen=True, tag="generation_opened"):
    """A group was formed. Committed steps from `step` on are void and done again.

    Attributes:
        members: ranks, team by team, each in order of position.
        lanes: lanes of each team.
        team_size: ranks of a team.
    """

    time: float
    generation: Generation
    members: tuple[Rank, ...]
    lanes: tuple[tuple[int, ...], ...]
    step: Step
    origin: str
    reason: str
    team_size: int = 1


class StepCommitted(Struct, frozen=True, tag="step_committed"):
    """Step `step` is part of the weights.

    Attributes:
        recipe: index of the recipe in the recipe log.
        block_digests: digest of each lane's block, in lane order.
        lane_losses: mean cross-entropy per token of each lane, in nats; -1: not finite.
        loss: mean of the finite ones of `lane_losses`, summed in lane order; None: there is none.
            Journals of old versions counted lanes that are not finite as -1, so readers take the
            mean anew.
        weight_digest: digest of the weights after the step; "" when not due.
        gradient_norm: global norm before clipping; -1: not finite, so the update was skipped.
        learning_rate: rate used.
        seconds: wall time of the step on the trainer that reported it.
        wait_seconds: time spent waiting for blocks before it.
        redone: passes repeated because a scale overflowed, of the integers or of the loss.
        updates: updates in the weights after the step; -1: not told.
        loss_scale: that gradients were computed with, a power of two; 1: none is used.
        spike: what stood out so far that the update was not applied, "loss" or "norm"; "": nothing.
        halts: the run stops after it, because of that.
        lane_square: mean over the lanes of the squared norm of each one's gradient; -1: not
            measured, or not finite.
        experts: loads of experts; None: there are none, or the step was skipped.
        ahead_losses: mean cross-entropy per token, in nats, of the tokens 1, 2 and more beyond the
            next; -1: not finite; empty: they are not predicted.
        sources: losses by source; empty: the update was skipped, or nobody knows them.
    """

    time: float
    step: Step
    generation: Generation
    recipe: int
    block_digests: tuple[Digest, ...]
    lane_losses: tuple[float, ...]
    loss: float | None
    weight_digest: Digest
    gradient_norm: float = 0.0
    learning_rate: float = 0.0
    seconds: float = 0.0
    wait_seconds: float = 0.0
    redone: int = 0
    updates: int = -1
    loss_scale: float = 1.0
    spike: str = ""
    halts: bool = False
    lane_square: float = -1.0
    experts: ExpertLoads | None = None
    ahead_losses: tuple[float, ...] = ()
    sources: tuple[SourceLoss, ...] = ()


class FailureSeen(Struct, frozen=True, tag="failure_seen"):
    """Something failed, and what was done about it, in words."""

    time: float
    step: Step
    ranks: tuple[Rank, ...]
    what: str
    action: str
    reason: str


class SnapshotKept(Struct, frozen=True, tag="snapshot_kept"):
    """A verified copy of the state exists."""

    time: float
    step: Step
    digest: Digest
    place: str
    rank: Rank
    path: str
    position: int = 0


class EvaluationDone(Struct, frozen=True, tag="evaluation_done"):
    """The weights before `step` were measured; void with the step before it.

    Attributes:
        seconds: that training waited for it.
        result: what was measured.
    """

    time: float
    step: Step
    seconds: float
    result: Evaluation


class EvaluationMissed(Struct, frozen=True, tag="evaluation_missed"):
    """An evaluation that was due before `step` is not there, and will not come."""

    time: float
    step: Step
    reason: str


class RunEnded(Struct, frozen=True, tag="run_ended"):
    """This incarnation ended on purpose: "finished", "stopped" or "failed".

    Attributes:
        weight_digest: newest there is; "" if none.
        digest_step: number of steps that it covers.
    """

    time: float
    state: str
    step: Step
    weight_digest: Digest
    reason: str
    digest_step: int = 0


JournalRecord = (
    RunOpened
    | HyperparametersChanged
    | RecipesChanged
    | RunReshaped
    | GenerationOpened
    | StepCommitted
    | FailureSeen
    | SnapshotKept
    | EvaluationDone
    | EvaluationMissed
    | RunEnded
)
