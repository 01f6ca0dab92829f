"""A run as a story: what the journal and the status say, in the shape that the report draws.

Theory of operation. The journal is replayed once: steps that a later generation voids drop out,
each rank's life is cut into spans by role, and deaths, promotions, groups and snapshots become
marks in time. The journal names trainers by generation and the dead by failure; the role of any
other rank stands in the status alone.
"""

from collections.abc import Iterable
from itertools import pairwise

from msgspec import Struct

from qmpi.corpora.standing import void_evaluations
from qmpi.monitor.curriculum_story import CurriculumStory
from qmpi.monitor.further_losses import ahead_facts
from qmpi.monitor.loads import load_facts
from qmpi.monitor.status_text import speed_facts
from qmpi.policy.hyperparameters import changes
from qmpi.protocol.evaluation import Evaluation
from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.protocol.journal import (
    EvaluationDone,
    EvaluationMissed,
    FailureSeen,
    GenerationOpened,
    HyperparametersChanged,
    JournalRecord,
    RecipesChanged,
    RunEnded,
    RunOpened,
    RunReshaped,
    SnapshotKept,
    StepCommitted,
)
from qmpi.protocol.progress import ExpertLoads, StepTimes, is_skipped, mean_loss
from qmpi.protocol.roll_back import RollBack
from qmpi.protocol.specialisation import Specialisation
from qmpi.protocol.status import FailureReport, StatusReport

TRAINER = "trainer"
SPARE = "spare"


class Span(Struct, frozen=True):
    """A rank in one role, from `start` to `end` in seconds since the epoch."""

    rank: int
    role: str
    start: float
    end: float


class Mark(Struct, frozen=True):
    """Something that happened: a "death", "promotion", "snapshot", "launch" or "generation".

    The last two concern all ranks and have rank -1. `step` is given for a death: steps committed.
    """

    time: float
    rank: int
    kind: str
    words: str
    step: int = 0


class RunStory(Struct, frozen=True, kw_only=True):
    """All that a report shows.

    Attributes:
        title: name of the run.
        state: how it ended or stands, and why.
        started: seconds since the epoch.
        ended: of the last record.
        steps: steps that stand.
        skipped: of these, steps whose update was skipped.
        losses: (step, nats per token) of the steps that stand and have a finite loss.
        spans: who played which role when.
        marks: what happened, in order.
        failures: in words; oldest first.
        facts: (name, value) pairs for the table of facts.
        digest: newest weight digest.
        undisturbed_losses: the same job without failures, if it was run.
        undisturbed_digest: its digest; "" if it was not run.
        audit: "ok", a fault in words, or "" if no audit was made.
        prompt: what the sample continues.
        sample: text from the model, the prompt included; "" if none.
        times: mean seconds of the last steps by part; None if unknown.
        speed: (name, value) pairs on how near the machine's peak it was.
        evaluations: of held-out text and problems, by step.
        unmeasured: steps whose evaluation is missing, and why.
        spikes: of the steps that stand, those whose update was left out as a spike.
        roll_backs: each time that the run went back by itself, in order.
        curriculum: what it lost by type and what its curriculum did; None: nothing is generated.
        specialisation: how it stands beside a reference; None: it was held against none.
    """

    title: str
    state: str
    started: float
    ended: float
    steps: int
    skipped: int
    losses: tuple[tuple[int, float], ...]
    spans: tuple[Span, ...]
    marks: tuple[Mark, ...]
    failures: tuple[FailureReport, ...]
    facts: tuple[tuple[str, str], ...]
    digest: str
    undisturbed_losses: tuple[tuple[int, float], ...] = ()
    undisturbed_digest: str = ""
    audit: str = ""
    prompt: str = ""
    sample: str = ""
    times: StepTimes | None = None
    speed: tuple[tuple[str, str], ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    unmeasured: tuple[tuple[int, str], ...] = ()
    spikes: int = 0
    roll_backs: tuple[RollBack, ...] = ()
    curriculum: CurriculumStory | None = None
    specialisation: Specialisation | None = None


def story_from_run(
    records: Iterable[JournalRecord],
    status: StatusReport,
    facts: Iterable[tuple[str, str]] = (),
) -> RunStory:
    """Tell the story of a run.

    Args:
        records: of its journal, in order; read once.
        status: the newest.
        facts: further (name, value) pairs for the table of facts, placed first.

    Returns:
        The story, without comparison, audit, sample, curriculum and specialisation; add those with
        `msgspec.structs.replace`.
    """
    teller = _Teller(status)
    for record in records:
        teller.hear(record)
    return RunStory(
        title=status.name or "run",
        state=status.state + (f": {status.reason}" if status.reason else ""),
        started=teller.started,
        ended=teller.now,
        steps=len(teller.steps),
        skipped=teller.skipped,
        spikes=teller.spikes,
        roll_backs=tuple(teller.roll_backs),
        losses=teller.losses,
        spans=teller.finish(),
        marks=tuple(teller.marks),
        failures=tuple(teller.failures),
        facts=(*facts, *_facts(status, teller)),
        digest=teller.digest or status.digest,
        times=status.times,
        speed=tuple(speed_facts(status)),
        evaluations=tuple(teller.evaluations[step] for step in sorted(teller.evaluations)),
        unmeasured=tuple(teller.unmeasured),
    )


class _Trained(Struct, frozen=True):
    """What is told of a step that stands."""

    loss: float | None
    norm: float
    rate: float
    seconds: float
    waited: float
    redone: int
    scale: float
    spike: str
    experts: ExpertLoads | None = None
    ahead: tuple[float, ...] = ()


class _Teller:
    """The replay."""

    def __init__(self, status: StatusReport) -> None:
        self.steps: dict[int, _Trained] = {}
        self.marks: list[Mark] = []
        self.failures: list[FailureReport] = []
        self.log: tuple[Hyperparameters, ...] = ()
        self.given_up: list[tuple[int, int]] = []
        self.roll_backs: list[RollBack] = []
        self.digest = ""
        self.evaluations: dict[int, Evaluation] = {}
        self.unmeasured: list[tuple[int, str]] = []
        self.started = self.now = 0.0
        self.generations = self.launches = self.redone = 0
        self._spans: list[Span] = []
        self._open: dict[int, tuple[str, float]] = {}
        self._roles = _roles(status)

    @property
    def losses(self) -> tuple[tuple[int, float], ...]:
        told = ((number, step.loss) for number, step in sorted(self.steps.items()))
        return tuple((number, loss) for number, loss in told if loss is not None)

    @property
    def skipped(self) -> int:
        return sum(is_skipped(step.norm) for step in self.steps.values())

    @property
    def spikes(self) -> int:
        return sum(bool(step.spike) for step in self.steps.values())

    def hear(self, record: JournalRecord) -> None:
        self.started = self.started or record.time
        self.now = max(self.now, record.time)
        match record:
            case RunOpened():
                self._launch(record)
            case HyperparametersChanged() | RecipesChanged() | RunReshaped():
                self._change(record)
            case GenerationOpened():
                self._generation(record)
            case StepCommitted():
                self.steps[record.step] = _Trained(
                    loss=mean_loss(record.lane_losses),
                    norm=record.gradient_norm,
                    rate=record.learning_rate,
                    seconds=record.seconds,
                    waited=record.wait_seconds,
                    redone=record.redone,
                    scale=record.loss_scale,
                    spike=record.spike,
                    experts=record.experts,
                    ahead=record.ahead_losses,
                )
                self.digest = record.weight_digest or self.digest
            case FailureSeen():
                self._failure(record)
            case SnapshotKept():
                words = f"copy of step {record.step} kept ({record.place})"
                self.marks.append(Mark(record.time, record.rank, "snapshot", words))
            case EvaluationDone():
                self.evaluations[record.step] = record.result
            case EvaluationMissed():
                self.unmeasured.append((record.step, record.reason))
            case RunEnded():
                pass

    def finish(self) -> tuple[Span, ...]:
        for rank in list(self._open):
            self._close(rank, self.now)
        return tuple(sorted(self._spans, key=lambda span: (span.rank, span.start)))

    def _launch(self, record: RunOpened) -> None:
        for rank in list(self._open):
            self._close(rank, record.time)
        self.launches += 1
        self.generations = 0
        words = f"start {record.incarnation} of the job, {record.ranks} ranks"
        self.log = record.hyperparameters
        if record.back_to >= 0:
            self.given_up.append((record.back_to, self._void(record.back_to)))
            words += f", back at step {record.back_to}"
        self.roll_backs += [record.roll_back] if record.roll_back is not None else []
        self.marks.append(Mark(record.time, -1, "launch", words))
        for rank in range(record.ranks):
            # The first generation says who trains; until then the status is all that is known.
            self._open[rank] = (self._roles.get(rank, SPARE), record.time)

    def _change(self, record: HyperparametersChanged | RecipesChanged | RunReshaped) -> None:
        self.marks.append(Mark(record.time, -1, "change", record.reason))
        if isinstance(record, RecipesChanged):
            return
        self.log = record.hyperparameters
        given_up = self._void(record.back_to) if record.back_to >= 0 else 0
        if given_up:
            self.given_up.append((record.back_to, given_up))

    def _void(self, first: int) -> int:
        voided = [step for step in self.steps if step >= first]
        for step in voided:
            del self.steps[step]
        void_evaluations(self.evaluations, first)
        self.unmeasured = [told for told in self.unmeasured if told[0] <= first]
        return len(voided)

    def _generation(self, record: GenerationOpened) -> None:
        self.redone += self._void(record.step)
        self.generations += 1
        if self.generations == 1:
            self._demote(set(record.members))
        words = f"group {record.generation} from step {record.step}: {record.reason}"
        self.marks.append(Mark(record.time, -1, "generation", words))
        for rank in record.members:
            role, start = self._open.get(rank, ("", record.time))
            if TRAINER in role.split(" + "):
                continue
            if self.generations > 1:
                words = f"rank {rank} became a trainer"
                self.marks.append(Mark(record.time, rank, "promotion", words))
                self._close(rank, record.time)
                start = record.time
            self._open[rank] = (TRAINER, start)

    def _demote(self, members: set[int]) -> None:
        # A rank that trains at the end but not in the first group was a spare before.
        for rank, (role, start) in self._open.items():
            if role == TRAINER and rank not in members:
                self._open[rank] = (SPARE, start)

    def _failure(self, record: FailureSeen) -> None:
        told = FailureReport(record.time, record.ranks, record.what, record.action, record.reason)
        self.failures.append(told)
        if not record.what.endswith(" died"):
            return
        for rank in record.ranks:
            self.marks.append(Mark(record.time, rank, "death", record.what, record.step))
            self._close(rank, record.time)

    def _close(self, rank: int, time: float) -> None:
        role, start = self._open.pop(rank, ("", 0.0))
        if role:
            self._spans.append(Span(rank, role, start, time))


def _roles(status: StatusReport) -> dict[int, str]:
    roles: dict[int, list[str]] = {}
    for rank in status.ranks:
        roles.setdefault(rank.rank, []).append(rank.role)
    return {rank: " + ".join(names) for rank, names in roles.items()}


def _facts(status: StatusReport, teller: _Teller) -> list[tuple[str, str]]:
    return [
        ("steps", f"{len(teller.steps):,} of {status.steps:,}"),
        *_training_facts(teller),
        ("tokens", f"{status.tokens:,}"),
        ("last loss", "none" if status.loss is None else f"{status.loss:.4f} nats a token"),
        ("wall time", f"{teller.now - teller.started:.1f} s"),
        ("starts of the job", str(teller.launches)),
        ("failures healed", str(len(teller.failures))),
        ("steps done again", str(teller.redone)),
        *(
            ("went back", f"to step {step}; {many:,} steps after it were given up")
            for step, many in teller.given_up
        ),
        *(("changed", change) for change in changes(teller.log)),
        ("run id", status.run_id),
    ]


def _scale_facts(scales: list[float]) -> list[tuple[str, str]]:
    if set(scales) == {1.0}:
        return []
    changes = [(a, b) for a, b in pairwise(scales) if a != b]
    smaller = sum(after < before for before, after in changes)
    words = f"{scales[-1]:,.0f}, from {min(scales):,.0f} to {max(scales):,.0f}"
    return [("loss scale", f"{words}; lowered {smaller}, raised {len(changes) - smaller} times")]


def _training_facts(teller: _Teller) -> list[tuple[str, str]]:
    steps = [step for _, step in sorted(teller.steps.items())]
    if not steps:
        return []
    norms = [step.norm for step in steps if not is_skipped(step.norm)]
    seconds, waited = sum(step.seconds for step in steps), sum(step.waited for step in steps)
    share = 100.0 * waited / (seconds + waited) if seconds + waited else 0.0
    norm = f"{norms[-1]:.3g}, largest {max(norms):.3g}" if norms else "none was finite"
    return [
        ("updates", f"{len(steps) - teller.skipped - teller.spikes:,}"),
        ("updates skipped", f"{teller.skipped:,}"),
        *([("spikes left out", f"{teller.spikes:,}")] if teller.spikes else []),
        ("last gradient norm", norm),
        ("learning rate", f"{steps[-1].rate:.3g}, highest {max(s.rate for s in steps):.3g}"),
        ("passes done again", f"{sum(step.redone for step in steps):,}"),
        *_scale_facts([step.scale for step in steps]),
        ("waiting for blocks", f"{share:.1f} % of the time"),
        *load_facts([step.experts for step in steps if step.experts is not None]),
        *ahead_facts(steps[-1].ahead),
    ]
