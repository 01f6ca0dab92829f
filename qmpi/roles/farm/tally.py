"""What a farm has come to so far: sums, rates, failures, for the status.

Invariants: a unit counts once, by its first report; progress counts while the unit is under way.
What earlier runs had done counts in the sums, never in the rates and the time to go.
"""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from qmpi.policy.throughput import eta, rate
from qmpi.policy.work_book import WorkBook
from qmpi.protocol.status import FailureReport, RunState, StatusReport
from qmpi.protocol.work import UnitProgress, UnitReport, WorkStatus
from qmpi.units import Rank, Seconds

RATE_SECONDS = Seconds(15.0)
UNITS_SECONDS = Seconds(300.0)
"""Windows of the rates shown. Units end seldom, so their rate looks further back."""

KEPT_POINTS = 1000
KEPT_FAILURES = 200


class FarmFacts(Struct, frozen=True):
    """What the dealer is told of the work.

    Attributes:
        name: of the work, for the status.
        run_id: identity of the work directory.
        stages: names of the plan's stages.
        expected: ranks that shall work.
        hosts: host of each rank.
    """

    name: str
    run_id: str
    stages: tuple[str, ...]
    expected: tuple[Rank, ...]
    hosts: tuple[str, ...]


class Tally:
    """Sums over all units, and the rates of this incarnation."""

    def __init__(self) -> None:
        """Nothing is done yet."""
        self.failures: list[FailureReport] = []
        self._sums: Counter[str] = Counter()
        self._counters: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self._units_before = 0
        self._under_way: dict[Rank, UnitProgress] = {}
        self._tokens: list[tuple[Seconds, int]] = []
        self._bytes: list[tuple[Seconds, int]] = []
        self._units: list[tuple[Seconds, int]] = []

    def advanced(self, rank: Rank, progress: UnitProgress) -> None:
        """Note how far a rank is with its unit.

        Args:
            rank: who.
            progress: how far.
        """
        self._under_way[rank] = progress

    def ended(self, rank: Rank, report: UnitReport | None) -> None:
        """Note that a rank's unit is over.

        Args:
            rank: who.
            report: what came of it; None if it does not count.
        """
        self._under_way.pop(rank, None)
        if report is None:
            return
        self._sums += _sizes(report)
        self._counters.update(report.counters)

    def failed(self, report: FailureReport) -> None:
        """Note a failure for the status.

        Args:
            report: what happened, and what is done about it.
        """
        self.failures = [*self.failures[1 - KEPT_FAILURES :], report]

    def status(
        self, book: WorkBook, stage: int, facts: FarmFacts, state: RunState, now: Seconds
    ) -> StatusReport:
        """Return the status, but for the ranks.

        Args:
            book: units of the stage.
            stage: its number.
            facts: of the work.
            state: of the run.
            now: clock.

        Returns:
            The report.
        """
        sums, counters = Counter(self._sums), Counter(self._counters)
        for progress in self._under_way.values():
            sums += _sizes(progress)
            counters.update(progress.counters)
        done = len(book.done)
        shown = sums + self._before
        self._tokens = _kept(self._tokens, (now, sums["tokens"]))
        self._bytes = _kept(self._bytes, (now, sums["bytes"]))
        self._units = _kept(self._units, (now, done - self._units_before))
        work = WorkStatus(
            stage=facts.stages[stage],
            stages=len(facts.stages),
            stage_number=stage,
            units=book.units,
            units_done=done,
            documents=shown["documents"],
            tokens=shown["tokens"],
            bytes=shown["bytes"],
            bytes_per_second=rate(self._bytes, RATE_SECONDS),
            counters=_sorted(counters),
            dealt_again=book.dealt_again,
        )
        return StatusReport(
            state=state,
            step=done,
            steps=book.units,
            tokens=shown["tokens"],
            tokens_per_second=rate(self._tokens, RATE_SECONDS),
            loss=None,
            digest="",
            generation=0,
            failures=tuple(self.failures),
            ranks=(),
            name=facts.name,
            run_id=facts.run_id,
            updated=now,
            eta_seconds=eta(book.units - done, rate(self._units, UNITS_SECONDS)),
            work=work,
        )

    def next_stage(self) -> None:
        """Begin a stage: nothing of it is under way."""
        self._under_way, self._units_before = {}, 0

    def opened(self, units: int, before: UnitReport) -> None:
        """Note what was done of the stage before this run.

        Args:
            units: how many.
            before: what they came to, together.
        """
        # The time that looking took is no measure of the work.
        self._units, self._units_before = [], units
        self._before += _sizes(before)
        self._counters.update(before.counters)


def _sizes(sizes: UnitProgress | UnitReport) -> Counter[str]:
    return Counter(documents=sizes.documents, tokens=sizes.tokens, bytes=sizes.bytes)


def _kept(points: list[tuple[Seconds, int]], new: tuple[Seconds, int]) -> list[tuple[Seconds, int]]:
    return [*points[1 - KEPT_POINTS :], new]


def _sorted(counters: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counters.items()))
