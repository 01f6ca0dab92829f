"""Who is in the job: role instances, whether they live, what they brought.

Invariants: a dead instance never lives again (a new incarnation has a new roster); an instance that
has said hello is known until the end, so that the status can show the dead.
"""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import Hello, SourceFact
from qmpi.protocol.status import RankReport, StatusReport
from qmpi.roles.run_facts import RunFacts
from qmpi.units import Rank, Seconds


class Entry(Struct):
    """One role instance.

    Attributes:
        hello: what it brought; None until it has said hello.
        alive: False once its rank is gone, or it has become another role.
        seen: when it last gave a sign of life.
    """

    address: Address
    hello: Hello | None = None
    alive: bool = True
    seen: Seconds = Seconds(0.0)
    activity: str = "starting"


class Roster:
    """All role instances of an incarnation."""

    def __init__(self, expected: Iterable[Address], now: Seconds) -> None:
        """Expect these instances.

        Args:
            expected: what placement dealt.
            now: clock; the first sign of life is due from here.
        """
        self.entries = {a: Entry(a, seen=now) for a in sorted(expected)}

    def greet(self, address: Address, hello: Hello, now: Seconds) -> None:
        """Take in a hello.

        Args:
            address: who says it.
            hello: what it brings.
            now: clock.
        """
        entry = self.entries.setdefault(address, Entry(address))
        entry.hello, entry.seen = hello, now

    def expect(self, address: Address, hello: Hello | None, now: Seconds) -> None:
        """Add an instance that recovery created.

        Args:
            address: the new instance.
            hello: what its predecessor on the rank brought, if anything.
            now: clock.
        """
        self.entries[address] = Entry(address, hello=hello, seen=now, activity="assigned")

    def beat(self, address: Address, activity: str, now: Seconds) -> None:
        """Note a sign of life.

        Args:
            address: whose.
            activity: what it does.
            now: clock.
        """
        entry = self.entries.get(address)
        if entry is not None:
            entry.seen, entry.activity = now, activity

    def seen(self, address: Address, now: Seconds) -> None:
        """Note that a message came; any message is a sign of life.

        Args:
            address: from whom.
            now: clock.
        """
        entry = self.entries.get(address)
        if entry is not None:
            entry.seen = now

    def bury(self, rank: Rank) -> list[RoleName]:
        """Mark every instance on `rank` dead.

        Args:
            rank: the lost rank.

        Returns:
            Roles that lived there until now.
        """
        lost = [e for e in self.entries.values() if e.address.rank == rank and e.alive]
        for entry in lost:
            entry.alive, entry.activity = False, "dead"
        return [e.address.role for e in lost]

    def retire(self, address: Address) -> Hello | None:
        """Remove an instance that became another role on its rank.

        Args:
            address: the instance.

        Returns:
            What it brought.
        """
        entry = self.entries.pop(address, None)
        return None if entry is None else entry.hello

    def ranks(self, role: RoleName) -> tuple[Rank, ...]:
        """Return the live ranks that have said hello in `role`, ascending.

        Args:
            role: which role.

        Returns:
            Ranks.
        """
        return tuple(
            a.rank
            for a, e in sorted(self.entries.items())
            if a.role == role and e.alive and e.hello is not None
        )

    def live_ranks(self) -> tuple[Rank, ...]:
        """Return every rank with a live instance, ascending."""
        return tuple(sorted({a.rank for a, e in self.entries.items() if e.alive}))

    def is_buried(self, rank: Rank) -> bool:
        """Return True if the rank was here and counts as dead.

        Args:
            rank: which rank.
        """
        mine = [e.alive for a, e in self.entries.items() if a.rank == rank]
        return bool(mine) and not any(mine)

    def roles_on(self, rank: Rank) -> tuple[RoleName, ...]:
        """Return the live roles of a rank.

        Args:
            rank: which rank.

        Returns:
            Roles, sorted.
        """
        return tuple(sorted(a.role for a, e in self.entries.items() if a.rank == rank and e.alive))

    def missing(self) -> tuple[Address, ...]:
        """Return the live instances that have not said hello yet."""
        return tuple(a for a, e in sorted(self.entries.items()) if e.alive and e.hello is None)

    def hello(self, address: Address) -> Hello | None:
        """Return what an instance brought.

        Args:
            address: the instance.

        Returns:
            Its hello, or None.
        """
        entry = self.entries.get(address)
        return None if entry is None else entry.hello

    def hellos(self, role: RoleName) -> list[Hello]:
        """Return what the live instances of a role brought.

        Args:
            role: which role.

        Returns:
            Hellos, by rank.
        """
        return [h for r in self.ranks(role) if (h := self.hello(Address(r, role))) is not None]

    def process(self, rank: Rank) -> tuple[int, str]:
        """Return (pid, host) of a rank; (0, "") while unknown.

        Args:
            rank: which rank.

        Returns:
            What its hello said.
        """
        for address, entry in self.entries.items():
            if address.rank == rank and entry.hello is not None:
                return entry.hello.pid, entry.hello.host
        return 0, ""

    def sources(self) -> tuple[SourceFact, ...]:
        """Return the facts of the data sources, from the lowest rank that knows them."""
        claims = self.source_claims()
        return claims[0][1] if claims else ()

    def host(self, rank: Rank) -> str:
        """Return the host of a rank, or "" while unknown.

        Args:
            rank: which rank.

        Returns:
            Name of the machine.
        """
        return next(
            (e.hello.host for e in self.entries.values() if e.address.rank == rank and e.hello),
            "",
        )

    def last_seen(self, but: Rank) -> dict[Rank, Seconds]:
        """Return the newest sign of life of each live rank.

        Args:
            but: rank to leave out: one's own.

        Returns:
            Moments by rank.
        """
        seen: dict[Rank, Seconds] = {}
        for address, entry in self.entries.items():
            if entry.alive and address.rank != but:
                seen[address.rank] = max(entry.seen, seen.get(address.rank, Seconds(0.0)))
        return seen

    def source_claims(self) -> list[tuple[Rank, tuple[SourceFact, ...]]]:
        """Return what each rank says of the data sources."""
        return [
            (a.rank, e.hello.sources)
            for a, e in sorted(self.entries.items())
            if e.hello is not None and e.hello.sources
        ]

    def sign(self, report: StatusReport, name: str, run: RunFacts, reason: str) -> StatusReport:
        """Complete a status by who is there.

        Args:
            report: as the ledger gave it.
            name: of the run.
            run: identity of the run directory.
            reason: why it is in its state, in words.

        Returns:
            The whole report.
        """
        return replace(report, ranks=self.reports(), name=name, run_id=run.run_id, reason=reason)

    def reports(self) -> tuple[RankReport, ...]:
        """Return one line an instance for the status."""
        return tuple(
            RankReport(
                rank=int(a.rank),
                role=str(a.role),
                host=e.hello.host if e.hello else "",
                pid=e.hello.pid if e.hello else 0,
                alive=e.alive,
                activity=e.activity,
            )
            for a, e in sorted(self.entries.items())
        )
