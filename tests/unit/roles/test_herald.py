"""Heralds: one beat a host, whoever leads it; the directory reaches every rank; orders end here."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from qmpi.config.settings import FailureSettings, Settings
from qmpi.ports.base import Announce, BecomeRole, Effect, RoleStarted, Started
from qmpi.ports.clock import Slept, TimerFired
from qmpi.ports.copies import ForgetCopies
from qmpi.ports.processes import FenceProcess, LeaveJob
from qmpi.ports.transport import RankLost, Received, Send
from qmpi.protocol.envelope import WIRE_VERSION, Address, Header, RoleName
from qmpi.protocol.level_use import LevelUse
from qmpi.protocol.membership import Assign, Fence, Leave, Left
from qmpi.protocol.messages import Message
from qmpi.protocol.pulse import Beat, BeatHeard, Directory, DirectoryWanted, Pulse
from qmpi.roles.directory import DirectoryChanged, changed, difference
from qmpi.roles.facts import RankFacts
from qmpi.roles.herald import Herald, merged
from qmpi.roles.interface import RoleState
from qmpi.units import Digest, Generation, Rank, Seconds

CHIEF = Address(Rank(0), RoleName.COORDINATOR)
HOST = tuple(map(Rank, (4, 5, 6, 7)))
SETTINGS = Settings(failure=FailureSettings(heartbeat_seconds=1.0, dead_seconds=30.0))


class Host:
    """Four heralds of a host, and what reaches the chief."""

    def __init__(self) -> None:
        self.now = Seconds(0.0)
        self.heralds = {rank: self.make(rank) for rank in HOST}
        self.hung: set[Rank] = set()
        self.chief: list[tuple[Rank, Message]] = []
        self.news: dict[Rank, list[Directory]] = defaultdict(list)
        for rank in HOST:
            self.heralds[rank].handle(Started(), self.now)

    @staticmethod
    def make(rank: Rank) -> Herald:
        facts = RankFacts(rank, "h1", 100 + rank, CHIEF, HOST)
        return Herald(SETTINGS, facts, lambda: (RoleState(RoleName.TRAINER, "step 3", 3),))

    def beat(self) -> None:
        """A heartbeat of everybody that does not hang."""
        self.now = Seconds(self.now + 1.0)
        for rank in HOST:
            if rank in self.heralds and rank not in self.hung:
                self.carry(rank, self.heralds[rank].handle(TimerFired("beat"), self.now))

    def carry(self, source: Rank, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Announce) and isinstance(effect.event, DirectoryChanged):
                self.news[source].append(effect.event.directory)
            if isinstance(effect, Send):
                self.tell(source, effect.to, effect.message)

    def tell(self, source: Rank, to: Address, message: Message) -> None:
        if to == CHIEF:
            self.chief.append((source, message))
        elif to.rank in self.heralds and to.rank not in self.hung:
            event = Received(header(Address(source, RoleName.HERALD), to), message)
            self.carry(to.rank, self.heralds[to.rank].handle(event, self.now))

    def order(self, rank: Rank, message: Message) -> list[Effect]:
        event = Received(header(CHIEF, Address(rank, RoleName.HERALD)), message)
        effects = self.heralds[rank].handle(event, self.now)
        self.carry(rank, effects)
        return effects

    def heard(self) -> set[Rank]:
        """Ranks that the chief heard of since the last look."""
        beats = [message for _, message in self.chief if isinstance(message, Beat)]
        self.chief.clear()
        return {rank for beat in beats for pulse in beat.pulses for rank in pulse.ranks}


def header(source: Address, to: Address) -> Header:
    return Header(
        version=WIRE_VERSION,
        source=source,
        target=to,
        sequence=1,
        generation=Generation(0),
        cause="test",
    )


def test_a_host_sends_one_beat_a_second_for_all_its_ranks() -> None:
    host = Host()
    for _ in range(5):
        host.beat()
    beats = [(source, message) for source, message in host.chief if isinstance(message, Beat)]
    assert len(beats) == 5
    assert {source for source, _ in beats} == {HOST[0]}
    last = beats[-1][1]
    assert isinstance(last, Beat)
    assert last.pulses == (Pulse(RoleName.TRAINER, HOST, "step 3", 3),)


def test_when_the_leader_dies_the_next_lowest_speaks() -> None:
    host = Host()
    host.beat()
    del host.heralds[HOST[0]]
    for rank in HOST[1:]:
        host.heralds[rank].handle(RankLost(HOST[0], "killed"), host.now)
    host.heard()
    host.beat()
    host.beat()
    assert host.heard() == set(HOST[1:])


def test_a_leader_that_hangs_is_passed_over_and_alone_falls_silent() -> None:
    host = Host()
    host.beat()
    host.hung.add(HOST[0])
    host.heard()
    for _ in range(6):
        host.beat()
    assert host.heard() == set(HOST[1:])
    host.hung.clear()
    for _ in range(3):
        host.beat()
    host.heard()
    host.beat()
    assert host.heard() == set(HOST)


def test_two_hanging_leaders_silence_only_themselves() -> None:
    host = Host()
    host.beat()
    host.hung |= {HOST[0], HOST[1]}
    for _ in range(10):
        host.beat()
    host.heard()
    host.beat()
    host.beat()
    assert host.heard() == set(HOST[2:])


def test_a_directory_goes_by_the_leader_to_every_rank_once() -> None:
    host = Host()
    first = Directory(1, (Rank(1),), (Rank(2),), ())
    host.order(HOST[0], first)
    assert host.news == {rank: [first] for rank in HOST}
    second = Directory(2, (Rank(1), Rank(9)), (), (Rank(3),))
    host.order(HOST[0], difference(first, second))
    assert all(told[-1] == second for told in host.news.values())
    host.order(HOST[0], first)
    assert all(len(told) == 2 for told in host.news.values())


def test_who_missed_a_change_asks_for_the_whole() -> None:
    host = Host()
    late = difference(Directory(4, (Rank(1),)), Directory(5))
    effects = host.order(HOST[1], late)
    assert effects == [Send(CHIEF, DirectoryWanted(0))]


def test_beats_make_directories_equal_again() -> None:
    host = Host()
    host.hung.add(HOST[2])
    newest = Directory(1, (Rank(1),))
    host.order(HOST[0], newest)
    host.hung.clear()
    assert host.heralds[HOST[2]].directory.revision == 0
    host.beat()
    assert host.heralds[HOST[2]].directory == newest
    # And the other way: the leader has missed what a mate knows.
    host.heralds[HOST[3]].directory = Directory(2)
    host.beat()
    host.beat()
    assert all(herald.directory.revision == 2 for herald in host.heralds.values())


def test_a_role_that_starts_later_is_told_the_directory() -> None:
    host = Host()
    assert host.heralds[HOST[1]].handle(RoleStarted("trainer"), host.now) == []
    host.order(HOST[0], Directory(1, (Rank(1),)))
    (news,) = host.heralds[HOST[1]].handle(RoleStarted("trainer"), host.now)
    assert news == Announce(DirectoryChanged(Directory(1, (Rank(1),))))


def test_orders_for_the_rank() -> None:
    host = Host()
    herald = HOST[1]
    assert host.order(herald, Assign(RoleName.TRAINER, "spare", "needed")) == [
        BecomeRole("trainer", "spare", "needed")
    ]
    assert host.order(herald, Fence(77, "silent")) == [FenceProcess(77, "silent")]
    assert host.order(herald, Leave(0, "done", forget_copies=True)) == [
        ForgetCopies(),
        Send(CHIEF, Left()),
        LeaveJob(0, "done"),
    ]
    assert host.order(herald, Leave(75, "stopped"))[0] == Send(CHIEF, Left())


def test_without_its_chief_a_rank_leaves() -> None:
    host = Host()
    (leave,) = host.heralds[HOST[1]].handle(RankLost(Rank(0), "killed"), host.now)
    assert isinstance(leave, LeaveJob)
    assert leave.exit_code == 3


def test_an_answer_names_the_leaders_revision() -> None:
    host = Host()
    host.order(HOST[0], Directory(3))
    effects = host.heralds[HOST[0]].handle(
        Received(
            header(Address(HOST[1], RoleName.HERALD), Address(HOST[0], RoleName.HERALD)),
            Beat((), 3),
        ),
        host.now,
    )
    assert effects == [Send(Address(HOST[1], RoleName.HERALD), BeatHeard(3))]


pulses = st.builds(
    Pulse,
    st.sampled_from(list(RoleName)),
    st.just(()),
    st.sampled_from(["idle", "step 4"]),
    st.integers(-1, 2),
    st.just(Digest("")),
)


@given(st.dictionaries(st.integers(0, 7), st.lists(pulses, max_size=3), min_size=1))
def test_merging_loses_nobody(said: dict[int, list[Pulse]]) -> None:
    beats = [
        Beat(tuple(Pulse(p.role, (Rank(r),), p.activity, p.step) for p in ps), r)
        for r, ps in said.items()
    ]
    together = merged(beats)

    def spoken(beat: Beat) -> set[tuple[int, str, str, int]]:
        return {(r, p.role, p.activity, p.step) for p in beat.pulses for r in p.ranks}

    assert spoken(together) == set().union(*map(spoken, beats))
    assert together.revision == min(said)
    kinds = [(p.role, p.activity, p.step) for p in together.pulses]
    if len(beats) > 1:
        assert len(kinds) == len(set(kinds))


def test_what_caches_were_asked_for_stays_that_of_its_rank() -> None:
    def beat(rank: int, hits: int) -> Beat:
        uses = (LevelUse("memory", hits, 0, 8, 0.5),)
        return Beat((Pulse(RoleName.MEMORY, (Rank(rank),), "idle", levels=uses),), 3)

    pulses = merged([beat(1, 7), beat(2, 9), beat(3, 7)]).pulses
    assert [(p.ranks, p.levels[0].hits) for p in pulses] == [((1, 3), 7), ((2,), 9)]


ranks = st.lists(st.integers(0, 9).map(Rank), unique=True).map(lambda r: tuple(sorted(r)))


directories = st.builds(Directory, st.integers(1, 3), ranks, ranks, ranks)


@given(directories, directories)
def test_a_change_makes_the_new_directory(old: Directory, new: Directory) -> None:
    assert changed(old, difference(old, new)) == new


def leaving(effects: list[Effect]) -> list[Effect]:
    return [e for e in effects if isinstance(e, LeaveJob)]


def test_a_host_whose_beats_the_chief_answers_stays() -> None:
    host = Host()
    for _ in range(300):
        host.beat()
        for leader, _ in host.chief:
            host.order(leader, BeatHeard(0))
        host.chief.clear()
    assert host.heard() == set()
    host.beat()
    assert host.heard() == set(HOST)


def test_a_host_that_is_cut_off_gives_itself_up_later_than_the_chief_gives_it_up() -> None:
    host = Host()
    leader, effects = host.heralds[HOST[0]], list[Effect]()
    for second in range(1, 153):
        effects = leader.handle(TimerFired("beat"), Seconds(float(second)))
        # It leads from its first beat on.
        assert bool(leaving(effects)) == (second > 151), second
    orders = {e.to.rank: e.message for e in effects if isinstance(e, Send)}
    assert set(orders) == set(HOST[1:])
    assert all(isinstance(order, Leave) and order.exit_code == 3 for order in orders.values())


def test_a_new_leader_and_one_that_slept_count_anew() -> None:
    host = Host()
    second = host.heralds[HOST[1]]
    for now in range(1, 80):
        second.handle(TimerFired("beat"), Seconds(float(now)))
        second.handle(
            Received(
                header(Address(HOST[0], RoleName.HERALD), Address(HOST[1], RoleName.HERALD)),
                BeatHeard(0),
            ),
            Seconds(float(now)),
        )
    second.handle(RankLost(HOST[0], "killed"), Seconds(80.0))
    assert not leaving(second.handle(TimerFired("beat"), Seconds(81.0)))
    assert not leaving(second.handle(TimerFired("beat"), Seconds(230.0)))
    second.handle(Slept(Seconds(500.0)), Seconds(730.0))
    assert not leaving(second.handle(TimerFired("beat"), Seconds(731.0)))
    assert leaving(second.handle(TimerFired("beat"), Seconds(732.0)))
