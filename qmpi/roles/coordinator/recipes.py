"""What the steps draw from, as it changes while the job runs. Part of the coordinator.

Theory of operation. A request for other weights is followed by one record of the journal; only then
is it closed, so a death before that leaves it to the next start, and one after it finds its name in
the journal. The new log goes to memory ranks with the directory. A request that adds sources is
followed once every data rank has opened them (`additions`); until then it can be taken back.
Trainers are told, by the grant or the seat that brings them to the new steps, which directory they
must name in their requests; so a memory rank that is behind waits for it. Nothing is asked for
ahead of what is granted by more than `data.prefetch_steps`: from there on a recipe may change.

Where the curriculum adapts, it sets all weights, window by window, and nobody else does.

Invariants: `log` changes behind what is handed out only; `groups` and `grants` name the revision of
the directory that has it.
"""

from collections import deque
from collections.abc import Sequence

from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.errors import InvariantError
from qmpi.policy.curriculum.knowledge import Knowledge
from qmpi.policy.curriculum.windows import Decision, begin_of
from qmpi.policy.hyperparameters import Log
from qmpi.policy.mixture import integer_weights
from qmpi.policy.recipe_requests import Room, answered
from qmpi.policy.recipes import (
    Course,
    Plan,
    Recipes,
    contents,
    course_of,
    decided_on,
    in_force,
    moved,
    standing,
)
from qmpi.policy.source_losses import source_figures
from qmpi.policy.stream import recipe_of
from qmpi.ports.base import Effect
from qmpi.ports.books import AppendJournal
from qmpi.ports.processes import CloseRequest
from qmpi.protocol.added import AddedSource
from qmpi.protocol.journal import (
    HyperparametersChanged,
    RecipesChanged,
    RunOpened,
    StepCommitted,
)
from qmpi.protocol.recipe import RecipeAnswer, RecipeRequest
from qmpi.protocol.staged import staged_of
from qmpi.protocol.status import StatusReport
from qmpi.roles.coordinator.additions import Additions
from qmpi.roles.coordinator.changing import Changes
from qmpi.roles.coordinator.crew import Crew
from qmpi.roles.coordinator.facts import RunFacts
from qmpi.units import Seconds, Step

KEPT = 4
"""Answers that the status tells of."""


class RecipeBook:
    """The recipe log, and requests that it be another one.

    Attributes:
        log: empty until the run is open.
        additions: sources that the job file does not have.
    """

    def __init__(
        self,
        settings: Settings,
        run: RunFacts,
        changes: Changes,
        crew: Crew,
    ) -> None:
        """The run is not open yet.

        Args:
            settings: the job.
            run: what is asked for already, and what was followed before.
            changes: take what stages set; know the steps, and who is told.
            crew: tells who serves data.
        """
        self.log: Recipes = ()
        self.additions = Additions(settings, run, crew)
        self._settings, self._crew, self._changes = settings, crew, changes
        self._record, self._groups, self._grants = changes.record, changes.groups, changes.grants
        self._replays = run.replayed is not None
        self._waiting = [run.asked] if run.asked is not None else []
        told = (record for record in run.history if isinstance(record, RecipesChanged))
        self._followed = {change.request: change.at for change in told}
        self._answers: deque[RecipeAnswer] = deque(maxlen=KEPT)
        self._is_held = False
        adapts = settings.curriculum.kind == "adaptive" and not self._replays
        self._curriculum = Knowledge(settings, run.history) if adapts else None

    @property
    def _course(self) -> Course:
        return course_of(self._settings, self._groups.hyperparameters)

    @property
    def holds(self) -> bool:
        """Whether no group may begin yet: what was asked for before it is still being tried."""
        return self._is_held and self.additions.proposed is not None

    def number_of(self, step: int) -> int:
        """Return which record of the log covers a step.

        Args:
            step: that was trained.
        """
        return recipe_of(self.log, self._course.begins(step))[0]

    def open(self, opened: RunOpened, reason: str, now: Seconds) -> list[Effect]:
        """Take the log of a run that has just been opened, and follow what waits.

        Args:
            opened: the opening; it is in the record.
            reason: why the directory changes, in words.
            now: clock.

        Returns:
            Records, and the directory.
        """
        self.log = opened.recipes
        decided: list[Effect] = []
        if self._curriculum is not None:
            self._curriculum.rewind(self._record.committed)
            # A death may have come between the last step of a window and what follows from it, or
            # the run was to end before.
            told = self._curriculum.open_decisions
            decided = [effect for each in told for effect in self._decide(each, now)]
        waiting, self._waiting = self._waiting, []
        self._is_held = bool(waiting)
        effects = [effect for asked in waiting for effect in self._take(asked, now)]
        self._is_held = self.holds
        return [*decided, *effects, *self._publish(reason, now)]

    def committed(
        self, record: StepCommitted, changed: Sequence[HyperparametersChanged], now: Seconds
    ) -> list[Effect]:
        """Follow a step: what is drawn may depend on its losses, or lie elsewhere behind it.

        Args:
            record: of the step.
            changed: the batch, if it grows.
            now: clock.

        Returns:
            As of `ask`; nothing if no recipe changes.
        """
        told = self.move(changed[-1].hyperparameters, now) if changed else []
        if self._curriculum is None:
            return told
        effects = self._decide(self._curriculum.note(record), now)
        if effects:
            effects += self._publish("the curriculum has decided on a window", now)
        return [*told, *effects]

    def _decide(self, decision: Decision | None, now: Seconds) -> list[Effect]:
        """Append what a curriculum has decided, unless the logs have it already."""
        at = 0 if decision is None else begin_of(self._settings, decision.window)
        if decision is None or at >= self._grants.end:
            return []
        return [*self._stage(decision, at, now), *self._weigh(decision, at, now)]

    def _stage(self, decision: Decision, at: int, now: Seconds) -> list[Effect]:
        staged = staged_of(self._settings, decision.stage)
        stands = f"the run stands at stage {decision.stage}" if decision.stage else "it is over"
        why = f"window {decision.window}, from step {at} on: {stands}"
        changed = self._changes.staged(staged, Step(at), why, now)
        if changed:
            self._check_ahead(decision.window, at)
        return [AppendJournal(changed)] if changed else []

    def _check_ahead(self, window: int, at: int) -> None:
        if at < max(self._grants.furthest, self._record.committed):
            raise InvariantError(f"window {window} is decided when its steps are handed out")

    def _weigh(self, decision: Decision, at: int, now: Seconds) -> list[Effect]:
        """Append the weights of a window.

        Raises:
            InvariantError: they were decided in another way, or too late.
        """
        window = decision.window
        held = [r for r in standing(self.log) if r.window == window]
        names = (source.name for source in self._settings.data.sources)
        plan = Plan(at, tuple(zip(names, decision.shares, strict=True)), decision.reason, window)
        if held:
            if held[0].asked != plan.asked:
                raise InvariantError(f"window {window} was decided, and now in another way")
            return []
        if in_force(self.log, at).weights == integer_weights(decision.shares):
            return []
        self._check_ahead(window, at)
        longer = decided_on(self.log, self._settings, self._course, plan)
        kept, self.log = len(self.log), longer
        told = RecipesChanged(
            now, self._record.committed, longer[kept:], decision.reason, kept=kept
        )
        return [AppendJournal((told,))]

    def ask(self, request: RecipeRequest | None, now: Seconds) -> list[Effect]:
        """Follow a request while the job runs, or say why not.

        Args:
            request: what is asked for; None: what waits or is being tried was taken back.
            now: clock.

        Returns:
            The record, and the directory that has the new log, or proposes sources; nothing before
            the run is open.
        """
        if request is None:
            return self._take_back(now)
        if not self.log:
            self._waiting = [request]
            return []
        effects = self._take(request, now)
        return [*effects, *self._publish("other weights of the sources", now)]

    def settle(self, now: Seconds) -> list[Effect]:
        """Follow a request whose sources every data rank has tried, or say why not.

        Args:
            now: clock.

        Returns:
            As of `ask`.
        """
        request = self.additions.proposed
        if request is None:
            return []
        found, refused = self.additions.settled(request)
        if refused:
            effects = self._answer(RecipeAnswer(request.name, -1, refused))
        else:
            effects = self._follow(request, now, found)
        self._is_held = False
        return [*effects, *self._publish("sources were tried", now)]

    def move(self, log: Log, now: Seconds) -> list[Effect]:
        """Follow a batch that grows: later recipes begin elsewhere in the stream.

        Args:
            log: the hyperparameter log; its newest batch is what has changed.
            now: clock.

        Returns:
            As of `ask`; nothing if no recipe is planned.
        """
        # Behind the step from which a batch holds, a stage may begin that is planned already.
        last = log[-1]
        step = last.first_step if last.batch is None else last.batch.since
        longer = moved(self.log, self.additions.settings, self._course, step)
        if longer == self.log:
            return []
        self.log = longer
        why = "the batch grows, so planned recipes begin elsewhere in the stream"
        added = self.additions.agreed
        changed = RecipesChanged(now, self._record.committed, longer, why, added=added)
        return [AppendJournal((changed,)), *self._publish(why, now)]

    def told(self, report: StatusReport) -> StatusReport:
        """Add to a status what the steps draw from.

        Args:
            report: the status.
        """
        if not self.log:
            return report
        names = [source.name for source in self.additions.settings.data.sources]
        later = [r for r in standing(self.log) if r.first_step > report.step]
        return replace(
            report,
            recipe=contents(in_force(self.log, report.step), names),
            recipe_next=contents(later[0], names) if later else None,
            recipe_answers=tuple(self._answers),
            source_losses=source_figures(
                (told for _, told in self._record.outcomes.sources),
                [source.name for source in self._settings.data.sources],
            ),
        )

    def _take(self, request: RecipeRequest, now: Seconds) -> list[Effect]:
        """Follow a request, or have its sources tried first."""
        name, tried = request.name, self.additions.proposed
        if tried is not None and tried.name == name:
            return []
        # There is one request at a time: another one was taken back.
        self.additions.propose(None)
        if name in self._followed:
            return self._answer(RecipeAnswer(name, self._followed[name]))
        if self._replays:
            return self._answer(RecipeAnswer(name, -1, "a replay goes by what its run drew from"))
        if not request.added:
            return self._follow(request, now)
        refused = self._answered(request)[2]
        if refused:
            return self._answer(RecipeAnswer(name, -1, refused))
        self.additions.propose(request)
        return []

    def _take_back(self, now: Seconds) -> list[Effect]:
        self._waiting = []
        tried = self.additions.proposed
        if tried is None:
            return []
        self.additions.propose(None)
        self._is_held = False
        effects = self._answer(RecipeAnswer(tried.name, -1, "the change was taken back"))
        return [*effects, *self._publish("sources are not wanted any more", now)]

    def _answered(self, request: RecipeRequest) -> tuple[Recipes, int, str]:
        committed = self._record.committed
        handed_out = max(self._grants.furthest, committed)
        # What waited for the start comes before anything of it is handed out.
        ahead = self._settings.data.prefetch_steps
        least = max(1, committed) if self._is_held else handed_out + ahead
        room = Room(committed, least, self._grants.end)
        return answered(request, self.log, self.additions.settings, self._course, room)

    def _follow(
        self, request: RecipeRequest, now: Seconds, added: tuple[AddedSource, ...] = ()
    ) -> list[Effect]:
        name, committed = request.name, self._record.committed
        longer, at, refused = self._answered(request)
        if refused:
            return self._answer(RecipeAnswer(name, -1, refused))
        self.log, self._followed[name] = longer, at
        self.additions.agree(added)
        reason = f"from step {at} on: {in_force(longer, at).reason}"
        changed = RecipesChanged(
            now, Step(committed), longer, reason, name, at, self.additions.agreed
        )
        return [AppendJournal((changed,)), *self._answer(RecipeAnswer(name, at))]

    def _answer(self, answer: RecipeAnswer) -> list[Effect]:
        if answer not in self._answers:
            self._answers.append(answer)
        return [CloseRequest(answer.name)]

    def _publish(self, reason: str, now: Seconds) -> list[Effect]:
        is_new = self._crew.recipes != self.log
        self._crew.recipes = self.log
        told = self._crew.publish(reason, now)
        if is_new:
            self._groups.revision = self._grants.revision = self._crew.directory.revision
        return told
