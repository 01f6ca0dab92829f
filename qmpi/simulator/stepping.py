"""A step, modelled: compute the lanes, reduce, vote, apply, gather the digest."""

from msgspec.structs import replace

from qmpi.errors import InvariantError, UserError
from qmpi.policy.hyperparameters import first_hyperparameters
from qmpi.ports.engine import RunStep, StepApplied
from qmpi.protocol.batch import lanes_at
from qmpi.simulator.bench import Bench, Held
from qmpi.simulator.line import Meeting, Values
from qmpi.simulator.stream_model import Sum, lane_text, sum_of
from qmpi.units import Digest


class Stepping(Bench):
    """An engine's part in a step."""

    def _begin(self, work: RunStep) -> None:
        reason = self._reason()
        if reason is not None:
            self._give_up(reason)
            return
        if self.has_moved:
            self._bug(f"step {work.step} is applied on rank {self._rank}, and others lack")
            return
        self.held = None
        if self.state is None or work.step != self.state.step:
            self._bug(f"step {work.step} was granted to rank {self._rank}, which has {self.state}")
            return
        if self._keeps and not self.kept.issuperset(work.lanes):
            self._bug(f"rank {self._rank} computes {work.lanes}, and holds what {self.kept} keep")
            return
        self._stage("computing")
        self._compute(work, 0, self._around.agenda.now)

    def _compute(self, work: RunStep, number: int, began: float) -> None:
        reason = self._reason()
        if reason is not None:
            self._give_up(reason)
        elif self._short_of_memory:
            self._short_of_memory -= 1
            self._give_up("there is no memory for a lane", out_of_memory=True)
        elif number < len(work.lanes):
            seconds = self._spread(self._around.hardware.compute.lane_seconds)
            self._then(seconds, lambda: self._lane(work, number, began))
        else:
            pairs = tuple(zip(work.lanes, map(lane_text, work.blocks), strict=True))
            computing = self._around.agenda.now - began
            self._stage("reducing")
            self._meet(
                "data",
                f"reduce {work.step}",
                pairs,
                lambda meeting: self._reduced(work, meeting, began, computing),
                self._give_up,
            )

    def _lane(self, work: RunStep, number: int, began: float) -> None:
        if self._size == 1:
            self._compute(work, number + 1, began)
            return
        mine = ((work.lanes[number], lane_text(work.blocks[number])),)

        def computed(meeting: Meeting) -> None:
            if any(theirs != mine for theirs in meeting.values.values()):
                self._bug(f"a team computed step {work.step} on the blocks {meeting.values}")
                return
            self._compute(work, number + 1, began)

        name = f"lane {work.step}.{work.lanes[number]}"
        self._meet("team", name, mine, computed, self._give_up)

    def _reduced(self, work: RunStep, meeting: Meeting, began: float, computing: float) -> None:
        given = work.hyperparameters or first_hyperparameters(self._around.settings)

        def add(values: Values) -> Sum:
            pairs = sorted(pair for value in values.values() for pair in value)
            many = lanes_at(given.batch, work.step, self._around.settings.train.lanes)
            if [lane for lane, _ in pairs] != list(range(many)):
                raise InvariantError(f"step {work.step} was computed on the lanes {pairs}")
            return sum_of(work.step, [text for _, text in pairs], self._around.settings)

        self.held = Held(
            work.step, meeting.sum(add), work.digest_due, began, computing, given, work.lanes
        )
        # Unpacking takes a moment: who dies in it holds back the vote of all.
        self._then(0.004 * self._around.chance.random(), lambda: self._vote(work))

    def _vote(self, work: RunStep) -> None:
        self._stage("voting")
        self._meet("all", f"vote {work.step}", (), lambda _: self._voted(work), self._give_up)

    def _voted(self, work: RunStep) -> None:
        if self.portions.is_whole:
            self._moved_all(work)
            return
        self.has_moved = True
        self._stage("exchanging")
        name = f"weights {work.step}"
        self._meet("data", name, (), lambda _: self._moved_all(work), self._give_up)

    def _moved_all(self, work: RunStep) -> None:
        try:
            applied = self._apply(work.generation)
        except UserError as error:
            self._diverged(error)
            return
        self._wait = None
        self._stage("applying")
        seconds = self._spread(self._around.hardware.compute.apply_seconds)
        self._then(seconds, lambda: self._applied(work, applied))

    def _applied(self, work: RunStep, applied: StepApplied) -> None:
        if not work.digest_due or self._size == 1:
            self._finish(applied)
            return
        self._stage("gathering")

        def alone(reason: str) -> None:
            del reason
            self._seat().leave()
            self._finish(applied)

        def whole(digest: str) -> None:
            self._owed = None
            self._finish(replace(applied, weight_digest=Digest(digest)))

        self._gather(f"digest {work.step + 1}", whole, alone)
