"""Dealer and worker, event by event, without a network."""

from qmpi.config.settings import FailureSettings, Settings
from qmpi.ports.base import Effect, Started
from qmpi.ports.books import WriteEnd, WriteStatus
from qmpi.ports.clock import Slept, TimerFired
from qmpi.ports.processes import FenceProcess, LeaveJob, StopRequested
from qmpi.ports.transport import RankLost, Received, Send
from qmpi.ports.units import (
    FinishWork,
    OpenStage,
    RunUnit,
    StageOpened,
    UnitAdvanced,
    UnitBroken,
    UnitDone,
    WorkFinished,
)
from qmpi.protocol.envelope import WIRE_VERSION, Address, Header, RoleName
from qmpi.protocol.membership import Hello, Leave, Left
from qmpi.protocol.messages import Message
from qmpi.protocol.pulse import Beat, BeatHeard
from qmpi.protocol.work import UnitProgress, UnitReport, WorkFailed, WorkGrant, WorkProgress
from qmpi.protocol.work import WorkReport as Report
from qmpi.roles.facts import RankFacts
from qmpi.roles.farm.dealer import Dealer
from qmpi.roles.farm.tally import FarmFacts
from qmpi.roles.farm.worker import Worker
from qmpi.units import Generation, Rank, Seconds

SETTINGS = Settings(failure=FailureSettings(dead_seconds=10.0, start_seconds=30.0))
WORKERS = (Rank(1), Rank(2))
HOSTS = ("here", "here", "here")
NOW = Seconds(100.0)


def rank_facts(rank: int) -> RankFacts:
    chief = Address(Rank(0), RoleName.DEALER)
    return RankFacts(Rank(rank), "here", 1000 + rank, chief, (Rank(0), *WORKERS))


def received(rank: int, message: Message) -> Received:
    role = RoleName.WORKER if rank else RoleName.DEALER
    target = RoleName.DEALER if rank else RoleName.WORKER
    header = Header(
        version=WIRE_VERSION,
        source=Address(Rank(rank), role),
        target=Address(Rank(1 if not rank else 0), target),
        sequence=1,
        generation=Generation(0),
        cause="test",
    )
    return Received(header, message)


def opened(units: int = 8, stages: tuple[str, ...] = ("only",)) -> Dealer:
    farm = FarmFacts("work", "id", stages, WORKERS, HOSTS)
    dealer = Dealer(SETTINGS, rank_facts(0), farm)
    assert OpenStage(0) in dealer.handle(Started(), NOW)
    for rank in WORKERS:
        dealer.handle(received(rank, Hello("here", 1000 + rank)), NOW)
    dealer.handle(StageOpened(0, units, ()), NOW)
    return dealer


def grants(effects: list[Effect]) -> list[tuple[int, int]]:
    return [
        (int(e.to.rank), e.message.unit)
        for e in effects
        if isinstance(e, Send) and isinstance(e.message, WorkGrant)
    ]


def test_units_are_dealt_as_ranks_report() -> None:
    dealer = opened()
    assert dealer.book.held == {Rank(1): [0, 2], Rank(2): [1, 3]}
    effects = dealer.handle(received(1, Report(0, 0, UnitReport(3, 500))), NOW)
    assert grants(effects) == [(1, 4)]
    dealer.check()


def test_the_units_of_a_lost_rank_go_to_another() -> None:
    dealer = opened(4)
    assert dealer.book.held == {Rank(1): [0], Rank(2): [1]}
    dealer.handle(RankLost(Rank(2), "killed"), NOW)
    done: list[int] = []
    while dealer.phase == "dealing":
        unit = dealer.book.held[Rank(1)][0]
        dealer.handle(received(1, Report(0, unit, UnitReport())), NOW)
        done.append(unit)
    assert sorted(done) == [0, 1, 2, 3]
    assert dealer.phase == "finishing"


def test_a_late_word_of_a_lost_rank_is_not_heard() -> None:
    dealer = opened()
    dealer.handle(RankLost(Rank(2), "silent"), NOW)
    assert dealer.handle(received(2, Report(0, 1, UnitReport())), NOW) == []


def test_a_silent_rank_is_fenced() -> None:
    dealer = opened()
    late = Seconds(NOW + 9.0)
    dealer.handle(received(1, WorkProgress(0, 0, UnitProgress(1, 10))), late)
    effects = dealer.handle(TimerFired("watch"), Seconds(NOW + 11.0))
    assert [e.pid for e in effects if isinstance(e, FenceProcess)] == [1002]
    assert dealer.workers == {Rank(1)}


def test_a_users_fault_ends_the_job_with_its_reason() -> None:
    dealer = opened()
    effects = dealer.handle(received(1, WorkFailed(0, 0, "no such file", 2)), NOW)
    (end,) = [e.marker for e in effects if isinstance(e, WriteEnd)]
    assert (end.state, end.exit_code, end.reason) == ("failed", 2, "no such file")


def test_a_machines_fault_is_tried_elsewhere_then_named() -> None:
    dealer = opened(1)
    ends: list[WriteEnd] = []
    for _ in range(4):
        (holder,) = dealer.book.held
        failed = received(holder, WorkFailed(0, 0, "the disk is full", 3))
        ends = [e for e in dealer.handle(failed, NOW) if isinstance(e, WriteEnd)]
    assert "the disk is full" in ends[0].marker.reason
    assert ends[0].marker.exit_code == 3


def test_a_stop_leaves_what_can_be_resumed() -> None:
    dealer = opened()
    effects = dealer.handle(StopRequested("Ctrl-C"), NOW)
    (end,) = [e.marker for e in effects if isinstance(e, WriteEnd)]
    assert (end.state, end.exit_code) == ("stopped", 75)
    assert sum(isinstance(e, Send) and isinstance(e.message, Leave) for e in effects) == 2
    assert dealer.handle(received(1, Left()), NOW) == []
    assert [type(e) for e in dealer.handle(received(2, Left()), NOW)] == [LeaveJob]


def test_nobody_left_means_to_be_started_again() -> None:
    dealer = opened()
    dealer.handle(RankLost(Rank(1), "killed"), NOW)
    effects = dealer.handle(RankLost(Rank(2), "killed"), NOW)
    assert not [e for e in effects if isinstance(e, WriteEnd)]
    assert [e.exit_code for e in effects if isinstance(e, LeaveJob)] == [3]


def test_stages_follow_each_other_and_the_status_sums() -> None:
    dealer = opened(1, ("read", "write"))
    effects = dealer.handle(received(1, Report(0, 0, UnitReport(2, 7, 9, {"a": 1}))), NOW)
    assert OpenStage(1) in effects
    dealer.handle(StageOpened(1, 2, (0,)), NOW)
    dealer.handle(received(1, WorkProgress(1, 1, UnitProgress(1, 3, 1, {"a": 4}))), NOW)
    (status,) = [
        e.report for e in dealer.handle(TimerFired("status"), NOW) if isinstance(e, WriteStatus)
    ]
    assert status.work is not None
    assert (status.work.stage, status.work.units_done, status.work.units) == ("write", 1, 2)
    assert (status.work.tokens, status.work.documents, status.work.counters) == (10, 3, {"a": 5})
    effects = dealer.handle(received(1, Report(1, 1, UnitReport(1, 6))), NOW)
    assert FinishWork() in effects
    effects = dealer.handle(WorkFinished("root"), NOW)
    (end,) = [e.marker for e in effects if isinstance(e, WriteEnd)]
    assert (end.state, end.digest) == ("finished", "root")


def test_sums_begin_at_what_is_there_and_rates_at_nothing() -> None:
    farm = FarmFacts("work", "id", ("only",), WORKERS, HOSTS)
    dealer = Dealer(SETTINGS, rank_facts(0), farm)
    dealer.handle(Started(), NOW)
    for rank in WORKERS:
        dealer.handle(received(rank, Hello("here", 1000 + rank)), NOW)
    # Looking at what is there takes a while, and the status is written meanwhile.
    dealer.handle(TimerFired("status"), Seconds(NOW + 1.0))
    before = UnitReport(60, 60_000, 6_000, {"code/expert": 60_000})
    told = dealer.handle(StageOpened(0, 10, (0, 1, 2, 3, 4, 5), before), Seconds(NOW + 2.0))
    (first,) = [e.report for e in told if isinstance(e, WriteStatus)]
    assert first.work is not None
    assert (first.tokens, first.work.tokens, first.work.documents) == (60_000, 60_000, 60)
    assert (first.work.bytes, first.work.counters) == (6_000, before.counters)
    assert (first.tokens_per_second, first.work.bytes_per_second) == (0.0, 0.0)
    assert first.eta_seconds is None
    dealer.handle(received(1, Report(0, 6, UnitReport(10, 10_000, 1_000))), Seconds(NOW + 11.0))
    told = dealer.handle(TimerFired("status"), Seconds(NOW + 12.0))
    (later,) = [e.report for e in told if isinstance(e, WriteStatus)]
    assert later.work is not None
    assert (later.tokens, later.work.units_done) == (70_000, 7)
    assert later.tokens_per_second == 10_000 / 12.0
    assert later.eta_seconds == 3 * 10.0, "three to go, one in ten seconds"


def test_a_worker_does_each_grant_once_and_reports() -> None:
    worker = Worker(SETTINGS, rank_facts(1))
    grant = received(0, WorkGrant(0, 5))
    assert worker.handle(grant, NOW) == [RunUnit(0, 5)]
    assert worker.handle(grant, NOW) == []
    assert worker.state.activity == "unit 5"
    told = [
        worker.handle(event, NOW)
        for event in (
            UnitAdvanced(0, 5, UnitProgress(1, 10)),
            UnitDone(0, 5, UnitReport(2, 20)),
            UnitBroken(0, 6, "bad", 3),
        )
    ]
    messages = [type(e.message).__name__ for (e,) in told if isinstance(e, Send)]
    assert messages == ["WorkProgress", "WorkReport", "WorkFailed"]
    assert worker.state.activity == "idle"
    assert worker.handle(grant, NOW) == [RunUnit(0, 5)]


def test_a_gap_of_the_dealer_is_nobodys_silence() -> None:
    dealer = opened()
    dealer.handle(Slept(Seconds(60.0)), Seconds(NOW + 61.0))
    assert not dealer.handle(TimerFired("watch"), Seconds(NOW + 62.0))[1:]
    assert dealer.workers == set(WORKERS)
    dealer.handle(TimerFired("watch"), Seconds(NOW + 90.0))
    assert dealer.workers == set()


def test_each_beat_is_answered() -> None:
    dealer = opened()
    effects = dealer.handle(received(1, Beat((), 0)), NOW)
    assert [e.message for e in effects if isinstance(e, Send)] == [BeatHeard(0)]
