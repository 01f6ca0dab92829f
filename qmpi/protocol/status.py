"""RUN/status.json: the contract of `qmpi status --json`. Fields are added, never renamed."""

from typing import Literal

from msgspec import Struct

from qmpi.protocol.evaluation import EvaluationReport
from qmpi.protocol.level_use import LevelReport
from qmpi.protocol.profiles import ProfileReport
from qmpi.protocol.progress import StepTimes
from qmpi.protocol.recipe import RecipeAnswer, RecipeReport, SourceFigures
from qmpi.protocol.roll_back import RollBack
from qmpi.protocol.specialisation import Specialisation
from qmpi.protocol.work import WorkStatus

RunState = Literal["starting", "running", "finished", "stopped", "failed", "stale"]


class FailureReport(Struct, frozen=True):
    """One failure and what was done about it.

    Attributes:
        time: seconds since the epoch.
        ranks: whose; none if it was nobody's in particular.
        what: in words.
        action: what was done about it.
        reason: how it is known.
        step: steps committed by then; 0 in a work farm.
    """

    time: float
    ranks: tuple[int, ...]
    what: str
    action: str
    reason: str
    step: int = 0


class RankReport(Struct, frozen=True):
    """One role instance; a rank that has several roles has several entries.

    Attributes:
        team: team that it trains in; None if it does not train.
        position: its seat in the team; None likewise.
        levels: of a memory rank: what each level of its cache was asked for since it began, the
            nearest first; empty until it has read a chunk.
    """

    rank: int
    role: str
    host: str
    pid: int
    alive: bool
    activity: str = ""
    team: int | None = None
    position: int | None = None
    levels: tuple[LevelReport, ...] = ()


class Tally(Struct, frozen=True):
    """Role instances counted: alive, not heard of yet, dead."""

    alive: int = 0
    starting: int = 0
    dead: int = 0


class Summary(Struct, frozen=True, kw_only=True):
    """The role instances of a large job, counted.

    Attributes:
        ranks: ranks of the job.
        roles: by role.
        hosts: by host.
        teams: teams that train.
        exceptions_left_out: instances worth naming that `ranks` has no room for.
    """

    ranks: int
    roles: dict[str, Tally]
    hosts: dict[str, Tally]
    teams: int = 0
    exceptions_left_out: int = 0


class StatusReport(Struct, frozen=True, kw_only=True):
    """The whole report.

    Attributes:
        state: "stopped" was asked for, and "failed" for a reason: both can be resumed, as can
            "stale", which has given no sign of life for long.
        step: steps committed so far (the next step's number).
        steps: length of the run.
        tokens: tokens trained on so far.
        tokens_per_second: over the last few seconds; 0 before the first step.
        loss: loss of the last committed step, nats per token, over the lanes whose loss is finite;
            None before the first, and if there is no such lane.
        digest: newest weight digest; "" before the first.
        digest_step: number of steps that the digest covers.
        generation: trainer group in force.
        updated: when this was written, seconds since the epoch.
        eta_seconds: estimated time to go; None when unknown.
        losses: (step, loss) pairs, thinned to at most 200, for plots; steps without a finite loss
            are left out.
        reason: why the run is in this state, in words.
        gradient_norm: of the last committed step, before clipping; None before the first; -1: not
            finite, so its update was skipped.
        learning_rate: of that step; None likewise.
        wait_share: share of the last steps' time spent waiting for blocks; None likewise.
        redone_passes: passes repeated since the run began because a scale overflowed, of the
            integers or of the loss.
        healing: why the death of a rank ends the job, in words; "": it is healed inside the job.
        updates: updates in the weights.
        skipped: committed steps whose update was skipped, since their gradient was not finite.
        noise_lanes: lanes at which noise and gradient weigh alike, over the last 64 steps; None:
            not measured, or noise hides the gradient.
        spikes: committed steps whose update was left out, since loss or norm stood out.
        roll_backs: each time that the run went back by itself, in order.
        undefined_lanes: lanes of the last committed step whose loss is not finite.
        summary: above 512 ranks: `ranks` then holds the exceptions only.
        times: mean seconds of the last 32 steps by part, as the reporting trainer saw them; None
            before the first of this start.
        flops_per_second: operations of the model that the last few seconds' tokens took, a second.
        peak_flops: what the matrix products of all trainers together reach at most; 0: unknown.
        profiles: how far the newest profiles that were asked for are, oldest first.
        evaluation: newest evaluation of the run; None if there is none.
        evaluations: (step, held-out loss, share of problems solved) of each, thinned to 200.
        evaluations_missed: evaluations that were due and are not there.
        loss_scale: of the last committed step; 1: none is used.
        unsupervised: no command is there that would start the job again; seen by who looks from the
            host of its ranks.
        recipe: weights of the sources in force; None until the run is open.
        recipe_next: those that follow at a later step; None: none do so far.
        recipe_answers: what came of the newest requests for other weights, oldest first.
        source_losses: of the newest steps by source; of all added sources as "(added)".
        levels: what each level of the caches was asked for, all living memory ranks together.
        specialisation: how a finished run stands beside the reference of its job; None: nobody has
            held it against one. Seen by who looks.
        work: units of a work farm; None for a training run. A farm's `step` and `steps` count the
            units of all stages known so far.
    """

    state: RunState
    step: int
    steps: int
    tokens: int
    tokens_per_second: float
    loss: float | None
    digest: str
    generation: int
    failures: tuple[FailureReport, ...]
    ranks: tuple[RankReport, ...]
    digest_step: int = 0
    name: str = ""
    run_id: str = ""
    incarnation: int = 1
    started: float = 0.0
    updated: float = 0.0
    eta_seconds: float | None = None
    losses: tuple[tuple[int, float], ...] = ()
    reason: str = ""
    work: WorkStatus | None = None
    gradient_norm: float | None = None
    learning_rate: float | None = None
    wait_share: float | None = None
    redone_passes: int = 0
    summary: Summary | None = None
    healing: str = ""
    times: StepTimes | None = None
    flops_per_second: float = 0.0
    peak_flops: float = 0.0
    profiles: tuple[ProfileReport, ...] = ()
    updates: int = 0
    skipped: int = 0
    undefined_lanes: int = 0
    evaluation: EvaluationReport | None = None
    evaluations: tuple[tuple[int, float | None, float | None], ...] = ()
    evaluations_missed: int = 0
    loss_scale: float = 1.0
    spikes: int = 0
    noise_lanes: float | None = None
    roll_backs: tuple[RollBack, ...] = ()
    unsupervised: bool = False
    recipe: RecipeReport | None = None
    recipe_next: RecipeReport | None = None
    recipe_answers: tuple[RecipeAnswer, ...] = ()
    source_losses: dict[str, SourceFigures] = {}
    levels: tuple[LevelReport, ...] = ()
    specialisation: Specialisation | None = None


class EndMarker(Struct, frozen=True, kw_only=True):
    """RUN/end.json: why the run ended. The only proof of success; mpirun's exit code is none.

    Attributes:
        state: "finished", "stopped" (asked to, may be resumed) or "failed".
        exit_code: what `qmpi train` returns.
        digest: newest weight digest; "" if there is none.
        digest_step: number of steps that it covers; may be less than `step`, since digests are due
            every few steps only.
        goes_back: the run stopped at a spike, and the next start goes back to before it.
    """

    state: Literal["finished", "stopped", "failed"]
    exit_code: int
    step: int
    digest: str
    reason: str
    time: float
    digest_step: int = 0
    goes_back: bool = False
