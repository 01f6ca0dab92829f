"""Who is in the job: role instances, whether they live, what they brought, when they were heard.

Theory of operation. The chief looks at the roster for every message, so each look costs the same at
8 ranks and at 8,000: instances are found by rank, those that are missing or dead are sets, counts
are kept, and ranks stand in the order in which they were last heard of, the most silent first.

`changes` grows with whoever comes, goes or says hello.

Invariants: a dead instance never lives again (a new incarnation has a new roster); an instance that
has said hello is known until the end, so that the status can show the dead; `heard` lists exactly
the live ranks.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.level_use import LevelUse
from qmpi.protocol.membership import Hello, SourceFact
from qmpi.protocol.pulse import Pulse
from qmpi.units import Rank, Seconds


class Entry(Struct):
    """One role instance.

    Attributes:
        host: name of its machine.
        hello: what it brought; None until it has said hello.
        alive: False once its rank is gone.
        pulse: what it last said; None until then.
    """

    address: Address
    host: str
    hello: Hello | None = None
    alive: bool = True
    pulse: Pulse | None = None

    @property
    def activity(self) -> str:
        """What it does, in a few words."""
        if not self.alive:
            return "dead"
        return "starting" if self.pulse is None else self.pulse.activity


class Roster:
    """All role instances of an incarnation."""

    def __init__(
        self,
        expected: Iterable[Address],
        hosts: Sequence[str],
        now: Seconds,
        domains: Sequence[str] = (),
    ) -> None:
        """Expect these instances.

        Args:
            expected: what placement dealt.
            hosts: host of each rank.
            now: clock; the first sign of life is due from here.
            domains: failure domain of each rank's host; empty: each host is one.
        """
        self.hosts = tuple(hosts)
        self.domains = tuple(domains) or self.hosts
        self.entries: dict[Address, Entry] = {}
        self.heard: OrderedDict[Rank, Seconds] = OrderedDict()
        self.dead: set[Rank] = set()
        self.changes = 0
        self._by_rank: dict[Rank, dict[RoleName, Entry]] = {}
        self._by_host: dict[str, list[Rank]] = {}
        self._missing: dict[Address, None] = {}
        self._live: dict[RoleName, int] = {}
        self._sources: dict[tuple[SourceFact, ...], Rank] = {}
        self._ranks: dict[RoleName, tuple[Rank, ...]] = {}
        for address in sorted(expected):
            self.expect(address, None, now)

    def greet(self, address: Address, hello: Hello, now: Seconds) -> None:
        """Take in a hello.

        Args:
            address: who says it.
            hello: what it brings.
            now: clock.
        """
        if address not in self.entries:
            self.expect(address, None, now)
        self.entries[address].hello = hello
        self._missing.pop(address, None)
        self._ranks.pop(address.role, None)
        self.changes += 1
        if hello.sources:
            low = self._sources.get(hello.sources, address.rank)
            self._sources[hello.sources] = min(low, address.rank)
        self.seen(address.rank, now)

    def expect(self, address: Address, hello: Hello | None, now: Seconds) -> None:
        """Add an instance.

        Args:
            address: the new instance.
            hello: what its predecessor on the rank brought, if anything.
            now: clock.
        """
        rank = address.rank
        entry = Entry(address, self.host(rank), hello)
        if address in self.entries:
            self._live[address.role] -= self.entries[address].alive
        self.entries[address] = entry
        self._live[address.role] = self._live.get(address.role, 0) + 1
        self._by_rank.setdefault(rank, {})[address.role] = entry
        if rank not in self.heard and rank not in self.dead:
            self._by_host.setdefault(entry.host, []).append(rank)
            self._by_host[entry.host].sort()
        self.heard[rank] = now
        self.heard.move_to_end(rank)
        self._ranks.pop(address.role, None)
        self.changes += 1
        if hello is None:
            self._missing[address] = None

    def seen(self, rank: Rank, now: Seconds) -> None:
        """Note a sign of life; any message is one.

        Args:
            rank: whose.
            now: clock.
        """
        if rank in self.heard:
            self.heard[rank] = now
            self.heard.move_to_end(rank)

    def beat(self, pulses: Iterable[Pulse], now: Seconds) -> None:
        """Take in what ranks of a host say.

        Args:
            pulses: as their leader merged them.
            now: clock.
        """
        for pulse in pulses:
            for rank in pulse.ranks:
                entry = self._by_rank.get(rank, {}).get(pulse.role)
                if entry is not None and rank in self.heard:
                    entry.pulse = pulse
                    self.seen(rank, now)

    def forgive(self, seconds: Seconds) -> None:
        """Leave a time out of everybody's silence: the chief itself did not run.

        Args:
            seconds: how long.
        """
        for rank, at in self.heard.items():
            self.heard[rank] = Seconds(at + seconds)

    def bury(self, rank: Rank) -> list[RoleName]:
        """Mark every instance on `rank` dead.

        Args:
            rank: the lost rank.

        Returns:
            Roles that lived there until now.
        """
        if rank in self.dead or rank not in self.heard:
            return []
        self.dead.add(rank)
        self.changes += 1
        del self.heard[rank]
        self._by_host[self.host(rank)].remove(rank)
        mine = self._by_rank[rank]
        for role, entry in mine.items():
            entry.alive = False
            self._live[role] -= 1
            self._missing.pop(entry.address, None)
            self._ranks.pop(role, None)
        return sorted(mine)

    def retire(self, address: Address) -> Hello | None:
        """Remove an instance that became another role on its rank.

        Args:
            address: the instance.

        Returns:
            What it brought.
        """
        entry = self.entries.pop(address, None)
        if entry is None:
            return None
        self.changes += 1
        del self._by_rank[address.rank][address.role]
        self._live[address.role] -= entry.alive
        self._missing.pop(address, None)
        self._ranks.pop(address.role, None)
        return entry.hello

    # --- looks ------------------------------------------------------------------------------------

    def ranks(self, role: RoleName) -> tuple[Rank, ...]:
        """Return the live ranks that have said hello in `role`, ascending.

        Args:
            role: which role.

        Returns:
            Ranks; worked out anew only after the role has changed hands.
        """
        found = self._ranks.get(role)
        if found is None:
            entries = (e for a, e in self.entries.items() if a.role == role)
            living = (e.address.rank for e in entries if e.alive and e.hello is not None)
            found = self._ranks[role] = tuple(sorted(living))
        return found

    def on(self, rank: Rank) -> list[Entry]:
        """Return every instance of a rank, dead or alive.

        Args:
            rank: which rank.
        """
        return list(self._by_rank.get(rank, {}).values())

    def plays(self, rank: Rank, role: RoleName) -> bool:
        """Say whether a live rank has said hello in a role.

        Args:
            rank: which rank.
            role: which role.
        """
        entry = self._by_rank.get(rank, {}).get(role)
        return entry is not None and entry.alive and entry.hello is not None

    def living(self, role: RoleName) -> int:
        """Return how many live instances a role has, greeted or not.

        Args:
            role: which role.
        """
        return self._live.get(role, 0)

    def others(self, but: Rank) -> list[Rank]:
        """Return the live ranks, ascending.

        Args:
            but: rank to leave out: one's own.
        """
        return sorted(rank for rank in self.heard if rank != but)

    def is_buried(self, rank: Rank) -> bool:
        """Return True if the rank was here and counts as dead.

        Args:
            rank: which rank.
        """
        return rank in self.dead

    def roles_on(self, rank: Rank) -> tuple[RoleName, ...]:
        """Return the live roles of a rank, sorted.

        Args:
            rank: which rank.
        """
        return () if rank in self.dead else tuple(sorted(self._by_rank.get(rank, {})))

    def missing(self) -> tuple[Address, ...]:
        """Return the live instances that have not said hello yet."""
        return tuple(self._missing)

    @property
    def complete(self) -> bool:
        """True when every live instance has said hello."""
        return not self._missing

    def hello(self, address: Address) -> Hello | None:
        """Return what an instance brought, or None.

        Args:
            address: the instance.
        """
        entry = self.entries.get(address)
        return None if entry is None else entry.hello

    def hellos(self, role: RoleName) -> list[Hello]:
        """Return what the live instances of a role brought, by rank.

        Args:
            role: which role.
        """
        return [h for r in self.ranks(role) if (h := self.hello(Address(r, role))) is not None]

    def level_uses(self) -> Iterator[LevelUse]:
        """Yield what the caches of the live memory ranks were asked for, rank by rank."""
        for rank in self.ranks(RoleName.MEMORY):
            pulse = self.entries[Address(rank, RoleName.MEMORY)].pulse
            yield from pulse.levels if pulse is not None else ()

    def pid(self, rank: Rank) -> int:
        """Return the process id of a rank; 0 while unknown.

        Args:
            rank: which rank.
        """
        hellos = (e.hello for e in self._by_rank.get(rank, {}).values())
        return next((hello.pid for hello in hellos if hello is not None), 0)

    def host(self, rank: Rank) -> str:
        """Return the host of a rank.

        Args:
            rank: which rank.

        Returns:
            Name of the machine; "" for a rank that nobody expected.
        """
        return self.hosts[rank] if 0 <= rank < len(self.hosts) else ""

    def domain(self, rank: Rank) -> str:
        """Return the failure domain of a rank's host.

        Args:
            rank: which rank.

        Returns:
            Its name; "" for a rank that nobody expected.
        """
        return self.domains[rank] if 0 <= rank < len(self.domains) else ""

    def mates(self, rank: Rank) -> Sequence[Rank]:
        """Return the live ranks of a rank's host, ascending.

        Args:
            rank: which rank.
        """
        return self._by_host.get(self.host(rank), [])

    def leaders(self) -> list[Rank]:
        """Return the lowest live rank of each host, ascending."""
        return sorted(ranks[0] for ranks in self._by_host.values() if ranks)

    def sources(self) -> tuple[SourceFact, ...]:
        """Return the facts of the data sources, from the lowest rank that knows them."""
        return min(self._sources, key=lambda facts: self._sources[facts], default=())

    def source_claims(self) -> list[tuple[SourceFact, ...]]:
        """Return what ranks say of the data sources; one entry when all agree."""
        return list(self._sources)

    def silent_first(self) -> Iterator[tuple[Rank, Seconds]]:
        """Yield live ranks with their last sign of life, the most silent first."""
        yield from self.heard.items()
