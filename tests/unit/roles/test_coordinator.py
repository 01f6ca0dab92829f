"""The coordinator, event by event: what it refuses, forgives and finds out."""

from dataclasses import dataclass, field

from qmpi.config.settings import FailureSettings, Settings, TrainSettings
from qmpi.errors import ExitCode
from qmpi.policy.stream import first_recipe
from qmpi.ports.base import Effect, Event, Started
from qmpi.ports.books import AppendJournal, BooksBroken, WriteEnd, WriteStatus
from qmpi.ports.clock import Slept, TimerFired
from qmpi.ports.copies import ForgetCopies
from qmpi.ports.processes import FenceProcess, LeaveJob, StopRequested
from qmpi.ports.transport import RankLost, Received, Send
from qmpi.protocol.envelope import WIRE_VERSION, Address, Header, RoleName
from qmpi.protocol.journal import (
    FailureSeen,
    GenerationOpened,
    JournalRecord,
    SnapshotKept,
    StepCommitted,
)
from qmpi.protocol.membership import (
    Crashed,
    Fence,
    FormGroup,
    GroupReady,
    Hello,
    Holding,
    Leave,
    Left,
    Regroup,
    SnapshotFact,
)
from qmpi.protocol.messages import Message
from qmpi.protocol.progress import Grant, StepReport
from qmpi.protocol.pulse import Beat, Directory, DirectoryChange, DirectoryWanted, Pulse
from qmpi.protocol.snapshots import SnapshotFailed, SnapshotHeld
from qmpi.roles.coordinator.facts import RunFacts
from qmpi.roles.coordinator.machine import Coordinator
from qmpi.roles.facts import RankFacts
from qmpi.units import Digest, Generation, Rank, Seconds, Step

C, G, M, R = RoleName.COORDINATOR, RoleName.GENERATOR, RoleName.MEMORY, RoleName.REPLICA
T, S = RoleName.TRAINER, RoleName.SPARE
CHIEF = Address(Rank(0), C)
ROLES = {0: C, 1: G, 2: M, 3: T, 4: T, 5: R, 6: S}
HOSTS = ("a", "a", "a", "b", "b", "b", "b")
SETTINGS = Settings(
    train=TrainSettings(steps=20, lanes=2, digest_every=1),
    failure=FailureSettings(heartbeat_seconds=1.0, dead_seconds=10.0, start_seconds=60.0),
)
NOW = Seconds(100.0)


@dataclass
class Job:
    """A coordinator, and whatever it wanted."""

    history: tuple[JournalRecord, ...] = ()
    from_scratch: bool = False
    now: Seconds = NOW
    effects: list[Effect] = field(default_factory=list)

    def __post_init__(self) -> None:
        facts = RankFacts(Rank(0), "a", 1000, CHIEF, (Rank(0), Rank(1), Rank(2)))
        run = RunFacts(
            run_id="id",
            settings_digest=Digest("s"),
            recipes=(first_recipe([1.0], 0),),
            expected=tuple(Address(Rank(rank), role) for rank, role in ROLES.items()),
            placement="as asked for",
            hosts=HOSTS,
            teams=((Rank(3),), (Rank(4),)),
            history=self.history,
            from_scratch=self.from_scratch,
        )
        self.role = Coordinator(SETTINGS, facts, run)
        self.tell(Started())

    def tell(self, event: Event) -> list[Effect]:
        effects = self.role.handle(event, self.now)
        self.role.check()
        self.effects += effects
        return effects

    def word(self, rank: int, message: Message, role: RoleName | None = None) -> list[Effect]:
        header = Header(
            version=WIRE_VERSION,
            source=Address(Rank(rank), role or ROLES[rank]),
            target=CHIEF,
            sequence=1,
            generation=Generation(self.role.generation),
            cause="test",
        )
        return self.tell(Received(header, message))

    def greet(self) -> None:
        for rank in ROLES:
            if rank:
                store = f"h:{rank}" if ROLES[rank] in (T, S) else ""
                self.word(rank, Hello(HOSTS[rank], 1000 + rank, store_address=store))

    def hold(self, rank: int, step: int = -1, *, reports_from: int = -1) -> list[Effect]:
        first = step if reports_from < 0 else reports_from
        held = Holding(self.role.generation, step, reduced=False, position=0, reports_from=first)
        return self.word(rank, held)

    def run(self) -> None:
        """Form the first group, and grant."""
        self.greet()
        for rank in (3, 4):
            self.hold(rank)
        for rank in (3, 4):
            self.word(rank, GroupReady(self.role.generation, Step(0)))
        assert self.role.phase == "running"

    def report(self, step: int, digest: str = "w", generation: int | None = None) -> list[Effect]:
        current = self.role.generation if generation is None else Generation(generation)
        blocks, digests = (1.0, 2.0), (Digest("a"), Digest("b"))
        told = StepReport(
            current, Step(step), blocks, digests, 0.5, 0.1, Digest(digest), 2.0, 0.5, redone=1
        )
        return self.word(3, told)

    @property
    def end(self) -> tuple[str, str]:
        (end,) = [e.marker for e in self.effects if isinstance(e, WriteEnd)]
        return end.state, end.reason


def sent(effects: list[Effect], kind: type) -> dict[int, Message]:
    return {
        int(e.to.rank): e.message
        for e in effects
        if isinstance(e, Send) and isinstance(e.message, kind)
    }


def journal(effects: list[Effect], kind: type) -> list[JournalRecord]:
    written = [r for e in effects if isinstance(e, AppendJournal) for r in e.records]
    return [record for record in written if isinstance(record, kind)]


def test_each_member_is_told_its_own_seat_and_one_reports() -> None:
    job = Job()
    job.greet()
    assert set(sent(job.effects, Regroup)) == {3, 4}
    job.hold(3)
    effects = job.hold(4)
    seats = {rank: m for rank, m in sent(effects, FormGroup).items() if isinstance(m, FormGroup)}
    assert {rank: (m.team, m.position, m.lanes) for rank, m in seats.items()} == {
        3: (0, 0, (0,)),
        4: (1, 0, (1,)),
    }
    assert [m.reports_from for m in seats.values()] == [0, -1]
    assert [m.keeps_copy for m in seats.values()] == [True, False]
    (opened,) = journal(effects, GenerationOpened)
    assert isinstance(opened, GenerationOpened)
    assert (opened.members, opened.team_size) == ((3, 4), 1)


def test_a_report_is_journaled_with_all_that_it_says() -> None:
    job = Job()
    job.run()
    (record,) = journal(job.report(0), StepCommitted)
    assert isinstance(record, StepCommitted)
    assert (record.loss, record.gradient_norm, record.learning_rate) == (1.5, 0.5, 0.1)
    assert (record.seconds, record.wait_seconds, record.redone) == (2.0, 0.5, 1)
    assert journal(job.report(0), StepCommitted) == []
    (status,) = [e.report for e in job.tell(TimerFired("status")) if isinstance(e, WriteStatus)]
    assert (status.gradient_norm, status.learning_rate, status.redone_passes) == (0.5, 0.1, 1)
    assert status.wait_share == 0.2
    assert [(r.rank, r.team) for r in status.ranks if r.role == "trainer"] == [(3, 0), (4, 1)]


def test_another_ranks_digest_tells_of_wrong_bits() -> None:
    job = Job()
    job.run()
    job.report(0, digest="w")
    job.word(3, Beat((Pulse(T, (Rank(3),), "step 1", 1, Digest("w"), 1),), 0), RoleName.HERALD)
    assert job.role.phase == "running"
    job.word(4, Beat((Pulse(T, (Rank(4),), "step 1", 1, Digest("x"), 1),), 0), RoleName.HERALD)
    state, reason = job.end
    assert state == "failed"
    assert "wrong bits" in reason


def test_a_report_of_a_story_that_was_given_up_changes_nothing() -> None:
    job = Job()
    job.run()
    for step in range(4):
        job.report(step)
    job.word(3, SnapshotHeld((SnapshotFact(Step(2), Digest("x"), "disk", "/2"),)))
    job.tell(RankLost(Rank(3), "killed"))
    job.hold(4)  # it has lost its state
    assert job.role.record.committed == 2
    assert job.report(4, generation=1) == []
    assert job.role.phase == "forming"


KEPT = (
    SnapshotKept(1.0, Step(10), Digest("x"), "disk", Rank(3), "/10"),
    GenerationOpened(0.5, Generation(1), (Rank(3),), ((0, 1),), Step(0), "initial", "start"),
    *(
        StepCommitted(1.0, Step(s), Generation(1), 0, (), (1.0, 1.0), 1.0, Digest(""))
        for s in range(12)
    ),
)


def test_a_run_with_checkpoints_does_not_begin_anew_by_itself() -> None:
    job = Job(history=KEPT)
    job.greet()
    for rank in (3, 4):
        job.hold(rank)
    state, reason = job.end
    assert state == "failed"
    for words in ("12 committed steps", "step 10", "--from-scratch"):
        assert words in reason


def test_it_does_so_if_told_and_says_what_it_costs() -> None:
    job = Job(history=KEPT, from_scratch=True)
    job.greet()
    job.hold(3)
    effects = job.hold(4)
    assert job.role.phase == "forming"
    (seen,) = journal(effects, FailureSeen)
    assert isinstance(seen, FailureSeen)
    assert "12 committed steps" in seen.what


def test_without_checkpoints_it_begins_anew_and_says_so() -> None:
    job = Job(history=KEPT[1:])
    job.greet()
    job.hold(3)
    effects = job.hold(4)
    assert job.role.phase == "forming"
    assert len(journal(effects, FailureSeen)) == 1


def test_silence_is_fenced_by_the_mate_heard_last_and_then_lost() -> None:
    job = Job()
    job.run()
    job.now = Seconds(NOW + 8.0)
    for rank, role in ((5, R), (6, S), (3, T), (2, M), (1, G)):
        job.word(rank, Beat((Pulse(role, (Rank(rank),), "idle"),), 0), RoleName.HERALD)
    job.now = Seconds(NOW + 11.0)
    effects = job.tell(TimerFired("watch"))
    (order,) = sent(effects, Fence).values()
    assert isinstance(order, Fence)
    assert order.pid == 1004
    assert set(sent(effects, Fence)) <= {3, 5, 6}
    assert job.role.phase == "regrouping"
    assert job.role.roster.is_buried(Rank(4))


def test_on_its_own_host_the_coordinator_fences_by_itself() -> None:
    job = Job()
    job.run()
    job.now = Seconds(NOW + 8.0)
    for rank in (2, 3, 4, 5, 6):
        job.word(rank, Beat((), 0), RoleName.HERALD)
    job.now = Seconds(NOW + 11.0)
    effects = job.tell(TimerFired("watch"))
    assert [e.pid for e in effects if isinstance(e, FenceProcess)] == [1001]
    assert job.role.phase == "running"


def test_its_own_gap_is_nobodys_silence() -> None:
    job = Job()
    job.run()
    job.now = Seconds(NOW + 300.0)
    job.tell(Slept(Seconds(299.0)))
    job.tell(TimerFired("watch"))
    assert job.role.phase == "running"
    assert not job.role.roster.dead


def test_a_gap_while_gathering_is_not_counted_as_patience() -> None:
    job = Job()
    job.now = Seconds(NOW + 100.0)
    job.tell(Slept(Seconds(80.0)))
    job.tell(TimerFired("watch"))
    assert job.role.phase == "gathering"


def test_a_second_loss_on_the_way_opens_the_next_generation() -> None:
    job = Job()
    job.greet()
    assert job.role.phase == "regrouping"
    effects = job.tell(RankLost(Rank(4), "killed"))
    assert job.role.phase == "regrouping"
    (asked,) = sent(effects, Regroup).values()
    assert isinstance(asked, Regroup)
    assert asked.generation == 2
    effects = job.hold(3)
    assert set(sent(effects, FormGroup)) == {3, 6}


def test_a_machines_fault_loses_the_rank_and_a_users_ends_the_run() -> None:
    job = Job()
    job.run()
    job.word(4, Crashed("StorageError", "disk gone", int(ExitCode.MACHINE)))
    assert job.role.phase == "regrouping"
    job.word(3, Crashed("InputError", "no such corpus", int(ExitCode.USER)))
    assert job.end == ("failed", "rank 3: InputError: no such corpus")


def test_what_cannot_be_written_down_ends_the_run() -> None:
    job = Job()
    job.run()
    job.tell(BooksBroken("AppendJournal", "no space left", int(ExitCode.MACHINE)))
    assert job.end == ("failed", "no space left")
    assert job.tell(BooksBroken("WriteEnd", "no space left", 3)) == []


def test_a_directory_goes_to_host_leaders_and_only_when_it_changed() -> None:
    job = Job()
    job.greet()
    assert set(sent(job.effects, Directory | DirectoryChange)) == {0, 3}
    job.effects.clear()
    job.tell(RankLost(Rank(6), "killed"))
    assert not sent(job.effects, Directory | DirectoryChange)
    effects = job.tell(RankLost(Rank(5), "killed"))
    assert set(sent(effects, DirectoryChange)) == {0, 3}
    assert set(sent(job.word(4, DirectoryWanted(0), RoleName.HERALD), Directory)) == {4}


def test_a_late_beat_with_an_old_directory_is_answered() -> None:
    job = Job()
    job.run()
    beat = Beat((), 0)
    assert not sent(job.word(3, beat, RoleName.HERALD), Directory)
    job.now = Seconds(NOW + 5.0)
    assert set(sent(job.word(3, beat, RoleName.HERALD), Directory)) == {3}


def test_ram_that_refuses_is_noted_once() -> None:
    job = Job()
    job.run()
    failed = SnapshotFailed(Step(4), "no space left", place="ram")
    assert len(journal(job.word(3, failed), FailureSeen)) == 1
    assert journal(job.word(3, failed), FailureSeen) == []
    assert len(journal(job.word(5, failed), FailureSeen)) == 1
    assert job.role.phase == "running"


def test_the_end_waits_for_the_checkpoint_and_frees_the_ram_of_each_host_once() -> None:
    job = Job()
    job.run()
    for step in range(20):
        job.report(step)
    assert job.role.phase == "running"
    effects = job.word(5, SnapshotHeld((SnapshotFact(Step(20), Digest("x"), "disk", "/20"),)))
    assert job.end[0] == "finished"
    leave = sent(effects, Leave)
    assert set(leave) == {1, 2, 3, 4, 5, 6}
    forget = {rank for rank, m in leave.items() if isinstance(m, Leave) and m.forget_copies}
    assert forget == {3}
    assert ForgetCopies() in effects
    for rank in (1, 2, 3, 4, 5):
        job.word(rank, Left(), RoleName.HERALD)
    assert [type(e) for e in job.tell(RankLost(Rank(6), "exit"))] == [LeaveJob]


def test_a_last_copy_that_fails_is_taken_again_then_given_up() -> None:
    job = Job()
    job.run()
    for step in range(20):
        job.report(step)
    failed = SnapshotFailed(Step(20), "disk full")
    job.word(3, failed)
    assert job.role.phase == "regrouping"
    for _ in range(2):
        for rank in (3, 4):
            job.hold(rank, 20)
        for rank in (3, 4):
            job.word(rank, GroupReady(job.role.generation, Step(20)))
        job.word(3, failed)
    assert job.end == ("failed", "disk full")


def test_a_stop_grants_no_more_and_ends_with_a_checkpoint() -> None:
    job = Job()
    job.run()
    effects = job.tell(StopRequested("SIGTERM"))
    (grant, _) = sent(effects, Grant).values()
    assert isinstance(grant, Grant)
    assert (grant.until, grant.checkpoint_steps[-1]) == (8, 8)
    for step in range(8):
        job.report(step)
    job.word(5, SnapshotHeld((SnapshotFact(Step(8), Digest("x"), "disk", "/8"),)))
    assert job.end == ("stopped", "SIGTERM")


def test_a_stop_before_the_first_grant_ends_at_once() -> None:
    job = Job()
    job.tell(StopRequested("SIGTERM"))
    assert job.end == ("stopped", "SIGTERM")
