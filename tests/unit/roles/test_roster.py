"""The roster: who lives, who was heard; the cost of a look does not grow with the job."""

from timeit import repeat

from qmpi.policy.failure_detector import silent_ranks
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import Hello, SourceFact
from qmpi.protocol.pulse import Pulse
from qmpi.roles.roster import Roster
from qmpi.units import Digest, Rank, Seconds

T, M, S = RoleName.TRAINER, RoleName.MEMORY, RoleName.SPARE


def roster_of(ranks: int, now: float = 0.0) -> Roster:
    hosts = [f"h{rank // 4}" for rank in range(ranks)]
    return Roster([Address(Rank(r), T) for r in range(ranks)], hosts, Seconds(now))


def greet(roster: Roster, rank: int, role: RoleName = T, now: float = 0.0) -> None:
    roster.greet(Address(Rank(rank), role), Hello("h", 10 + rank), Seconds(now))


def test_the_most_silent_comes_first_whatever_speaks() -> None:
    roster = roster_of(4)
    roster.seen(Rank(0), Seconds(5.0))
    roster.beat((Pulse(T, (Rank(2),), "idle"),), Seconds(6.0))
    roster.expect(Address(Rank(1), M), None, Seconds(7.0))
    assert [rank for rank, _ in roster.silent_first()] == [3, 0, 2, 1]
    found = silent_ranks(roster.silent_first(), Seconds(15.5), Seconds(10.0))
    assert [silence.rank for silence in found] == [0, 3]
    roster.forgive(Seconds(20.0))
    assert silent_ranks(roster.silent_first(), Seconds(29.0), Seconds(10.0)) == ()


def test_the_dead_are_silent_for_ever() -> None:
    roster = roster_of(4)
    greet(roster, 2)
    assert roster.bury(Rank(2)) == [T]
    assert roster.bury(Rank(2)) == []
    assert roster.is_buried(Rank(2))
    roster.beat((Pulse(T, (Rank(2),), "step 1"),), Seconds(9.0))
    assert Rank(2) not in roster.heard
    assert roster.mates(Rank(3)) == [0, 1, 3]
    assert roster.ranks(T) == ()
    assert [address.rank for address in roster.missing()] == [0, 1, 3]


def test_leaders_are_the_lowest_that_live() -> None:
    roster = roster_of(8)
    assert roster.leaders() == [0, 4]
    roster.bury(Rank(4))
    assert roster.leaders() == [0, 5]
    for rank in (5, 6, 7):
        roster.bury(Rank(rank))
    assert roster.leaders() == [0]


def test_a_spare_that_becomes_a_trainer_keeps_its_hello() -> None:
    roster = roster_of(2)
    roster.expect(Address(Rank(1), S), None, Seconds(0.0))
    greet(roster, 1, S)
    brought = roster.retire(Address(Rank(1), S))
    roster.expect(Address(Rank(1), T), brought, Seconds(1.0))
    assert roster.ranks(T) == (1,)
    assert roster.living(S) == 0
    assert roster.roles_on(Rank(1)) == (T,)


def test_claims_of_sources_are_kept_apart() -> None:
    roster = roster_of(3)
    one, two = (SourceFact("a", 5, Digest("x")),), (SourceFact("a", 6, Digest("y")),)
    roster.greet(Address(Rank(2), M), Hello("h", 1, sources=one), Seconds(0.0))
    roster.greet(Address(Rank(1), M), Hello("h", 1, sources=two), Seconds(0.0))
    assert roster.sources() == two
    assert len(roster.source_claims()) == 2


def test_a_message_costs_the_same_in_a_large_job() -> None:
    def cost(ranks: int) -> float:
        roster = roster_of(ranks)
        rank, now = Rank(ranks - 2), Seconds(1.0)

        def message() -> None:
            assert not roster.is_buried(rank)
            roster.seen(rank, now)
            assert roster.plays(rank, T) is False
            assert roster.roles_on(rank) == (T,)

        return min(repeat(message, number=500, repeat=5))

    assert cost(8000) < 5 * cost(80)
