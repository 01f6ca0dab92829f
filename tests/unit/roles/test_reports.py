"""What the status says of the ranks: all of a small job, counts and exceptions of a large one."""

import msgspec
import pytest
from msgspec.structs import replace

from qmpi.monitor.status_text import render
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.level_use import LevelReport, LevelUse
from qmpi.protocol.membership import Hello
from qmpi.protocol.pulse import Pulse
from qmpi.protocol.status import StatusReport
from qmpi.roles.reports import NAMED_EXCEPTIONS, NAMED_RANKS, Reporter
from qmpi.roles.roster import Roster
from qmpi.units import Rank, Seconds

NOW = Seconds(5.0)
EMPTY = StatusReport(
    state="running",
    step=1,
    steps=2,
    tokens=0,
    tokens_per_second=0.0,
    loss=None,
    digest="",
    generation=1,
    failures=(),
    ranks=(),
)


def crowd(ranks: int, per_host: int = 8) -> Roster:
    hosts = [f"node{rank // per_host:04d}" for rank in range(ranks)]
    expected = [Address(Rank(rank), RoleName.TRAINER) for rank in range(ranks)]
    roster = Roster(expected, hosts, NOW)
    for rank in range(ranks):
        hello = Hello(hosts[rank], 1000 + rank)
        roster.greet(Address(Rank(rank), RoleName.TRAINER), hello, NOW)
    return roster


def completed(roster: Roster) -> StatusReport:
    seats = {Rank(rank): (rank, 0) for rank in range(len(roster.hosts))}
    return Reporter(roster).complete(
        EMPTY, name="big", run_id="id", reason="", seats=seats, teams=len(seats)
    )


def test_a_small_job_names_every_rank_with_its_seat() -> None:
    roster = crowd(NAMED_RANKS)
    roster.beat((Pulse(RoleName.TRAINER, (Rank(3),), "step 7"),), NOW)
    report = completed(roster)
    assert report.summary is None
    assert len(report.ranks) == NAMED_RANKS
    assert (report.ranks[3].team, report.ranks[3].position) == (3, 0)
    assert report.ranks[3].activity == "step 7"
    assert report.ranks[4].activity == "starting"


def test_a_large_job_is_counted_and_its_exceptions_named() -> None:
    roster = crowd(8000)
    assert completed(roster).ranks == ()
    for rank in (17, 18, 5000):
        roster.bury(Rank(rank))
    report = completed(roster)
    assert [line.rank for line in report.ranks] == [17, 18, 5000]
    summary = report.summary
    assert summary is not None
    assert summary.roles["trainer"].alive == 7997
    assert summary.roles["trainer"].dead == 3
    assert summary.hosts["node0002"].dead == 2
    assert summary.hosts["node0003"].alive == 8
    assert len(msgspec.json.encode(report)) < 1_000_000
    text = render(report)
    assert len(text.splitlines()) < 60
    for words in ("7,997", "node0002: 2 dead", "998 hosts whole", "in 8,000 teams"):
        assert words in text, text


def served(ranks: int, per_host: int = 8) -> Roster:
    roster = crowd(ranks, per_host)
    for rank in (1, 2, 9):
        roster.greet(Address(Rank(rank), RoleName.MEMORY), Hello("h", 1), NOW)
        uses = (LevelUse("memory", 10 * rank, rank, 100, 0.001), LevelUse("disk", 0, 5, 0, 0.0))
        roster.beat((Pulse(RoleName.MEMORY, (Rank(rank),), "idle", levels=uses),), NOW)
    return roster


def test_what_caches_were_asked_for_is_told_of_each_rank_and_of_all() -> None:
    report = completed(served(16))
    memory = LevelReport("memory", 120, 12, 300, 25.0)
    assert report.levels == (memory, LevelReport("disk", 0, 15, 0, 0.0))
    mine = {rank.rank: rank.levels for rank in report.ranks if rank.role == "memory"}
    assert mine[9] == (LevelReport("memory", 90, 9, 100, 11.1), LevelReport("disk", 0, 5, 0, 0.0))
    assert all(rank.levels == () for rank in report.ranks if rank.role == "trainer")
    text = render(report)
    assert "chunks" in text
    assert "memory 120 of 132 (90.9 %), 0.293 KiB, 25 us each" in text
    assert "disk 0 of 15 (0.0 %)" in text


def test_the_sum_is_there_in_a_large_job_and_leaves_the_dead_out() -> None:
    roster = served(600)
    roster.bury(Rank(9))
    report = completed(roster)
    assert report.levels[0] == LevelReport("memory", 30, 3, 200, 66.7)
    assert "chunks" not in render(EMPTY)


def test_even_if_half_of_it_is_dead_the_status_stays_small() -> None:
    roster = crowd(8000)
    for rank in range(4000):
        roster.bury(Rank(rank))
    report = completed(roster)
    assert len(report.ranks) == NAMED_EXCEPTIONS
    assert report.summary is not None
    assert report.summary.exceptions_left_out == 4000 - NAMED_EXCEPTIONS
    assert len(msgspec.json.encode(report)) < 1_000_000
    assert len(render(report).splitlines()) < 100


@pytest.mark.parametrize("late", [0, 3])
def test_who_has_not_said_hello_is_an_exception(late: int) -> None:
    roster = crowd(600)
    for rank in range(late):
        roster.expect(Address(Rank(rank), RoleName.MEMORY), None, NOW)
    lines = completed(roster).ranks
    assert [(line.rank, line.role, line.activity) for line in lines] == [
        (rank, "memory", "starting") for rank in range(late)
    ]


def test_a_status_without_steps_says_nothing_of_gradients() -> None:
    assert "gradient" not in render(EMPTY)
    told = render(replace(EMPTY, gradient_norm=0.5, learning_rate=0.001, wait_share=0.25))
    assert "norm 0.5" in told
    assert "25 % of the time" in told


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
def test_after_the_end_nobody_is_said_to_be_busy(state: str) -> None:
    roster = crowd(3)
    roster.beat((Pulse(RoleName.TRAINER, (Rank(0), Rank(1)), "computing step 7"),), NOW)
    roster.bury(Rank(1))
    report = Reporter(roster).complete(
        replace(EMPTY, state=state), name="n", run_id="id", reason="", seats={}, teams=0
    )
    assert [rank.activity for rank in report.ranks if rank.alive] == ["left", "left"]
    assert "alive" not in render(report)
    running = Reporter(roster).complete(EMPTY, name="n", run_id="id", reason="", seats={}, teams=0)
    assert running.ranks[0].activity == "computing step 7"
