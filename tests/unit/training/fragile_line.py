"""A line of members in threads, one of whom dies in a given operation; groups of trainers on it.

A death is exact: whether the dead has still contributed, and who of the others still gets what
comes of the operation. Groups decide as the coordinator does.
"""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import NamedTuple

import torch
from unit.training.small_job import LANES, alone, block, digest

from qmpi.config.compression_checks import sends_less
from qmpi.errors import PeerLost
from qmpi.policy.lanes import deal_lanes
from qmpi.policy.recovery import Candidate, KeptCopy, plan_group
from qmpi.protocol.membership import SnapshotFact
from qmpi.protocol.portions import Portions


class KilledError(Exception):
    """Stands for the end of a process."""


class Death(NamedTuple):
    """When a member dies.

    Attributes:
        member: index on the line.
        operation: name.
        number: of the operations of that name, from now on; 1: the next.
        gives: the dead has contributed.
        lucky: others who still get what comes of it; without the contribution nobody does.
    """

    member: int
    operation: str
    number: int = 1
    gives: bool = False
    lucky: tuple[int, ...] = ()


class FragileLine:
    """What the members share."""

    def __init__(self, size):
        self.size, self._values, self._dead = size, {}, False
        self._all_here = threading.Barrier(size, self._combine)
        self._all_gone = threading.Barrier(size)
        self._death, self._result, self._counts = None, None, Counter()

    def member(self, index):
        return FragileMember(self, index)

    def arm(self, death):
        self._death, self._counts = death, Counter()

    def together(self, operation, index, value):
        if self._dead:
            raise PeerLost("the line is cut")
        self._values[index] = (operation, value)
        self._all_here.wait(60)
        operation, values, death = self._result
        self._all_gone.wait(60)
        if death is not None:
            if index == death.member:
                raise KilledError
            if not death.gives or index not in death.lucky:
                raise PeerLost(f"cut in {operation}")
        return values

    def _combine(self):
        operations = {operation for operation, _ in self._values.values()}
        assert len(operations) == 1, self._values
        (operation,) = operations
        self._counts[operation] += 1
        death = self._death
        if death and (operation, self._counts[operation]) != (death.operation, death.number):
            death = None
        self._dead = self._dead or death is not None
        values = [self._values[index][1] for index in range(self.size)]
        self._result, self._values = (operation, values, death), {}


class FragileMember:
    """The calls of `Comm` that trainers make."""

    stuck = False
    by_host = None
    start = property(lambda self: Starts(lambda tensor: Begun(self, tensor)))

    def __init__(self, line, index):
        self._line, self.index, self.size = line, index, line.size

    def _all(self, operation, value):
        return self._line.together(operation, self.index, value)

    def allreduce(self, tensor):
        tensor.copy_(reduce(torch.add, self._all("allreduce", tensor.clone())))

    def maximum(self, tensor):
        tensor.copy_(reduce(torch.maximum, self._all("maximum", tensor.clone())))

    def gather_numbers(self, numbers):
        return torch.stack(self._all("gather_numbers", numbers.clone()))

    def allgather(self, part, counts=None):
        assert counts is None or counts[self.index] == len(part)
        return torch.cat(self._all("allgather", part.clone()))

    def broadcast(self, tensor, root):
        tensor.copy_(self._all("broadcast", tensor.clone())[root])

    def look_on(self, tensor, _root):
        self._all("broadcast", tensor[:0])

    def vote(self):
        self._all("vote", None)

    def alltoall(self, tensor, sent, received):
        assert sum(sent) == len(tensor)
        every = self._all("alltoall", list(tensor.clone().split(list(sent))))
        parts = [theirs[self.index] for theirs in every]
        assert [len(part) for part in parts] == list(received)
        return torch.cat(parts)


class Starts(NamedTuple):
    """Calls that are begun and waited for later."""

    allreduce: object


class Begun(NamedTuple):
    """A sum that goes on when it is waited for: members wait for theirs in the order of begins."""

    member: FragileMember
    tensor: torch.Tensor

    calls_ended = False

    def wait(self):
        self.member.allreduce(self.tensor)


def each(calls):
    """Call each in a thread of its own; return what each came to, an error or a result."""

    def call(one):
        try:
            return one()
        except (PeerLost, KilledError) as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


class Job:
    """Trainers by rank, and the group in force."""

    def __init__(self, settings, ranks):
        self.settings = settings
        self.engines = {rank: alone(settings, start=False) for rank in range(ranks)}
        self.spares: set[int] = set()
        self.group = list(self.engines)
        self.copy = None
        self.line = FragileLine(ranks)
        for index, rank in enumerate(self.group):
            self.engines[rank].initialise(Portions(index, ranks))
        self._connect(lambda engine, index: self._dealt(engine, index, 0, ()))

    def _dealt(self, engine, index, root, needy):
        receives = self.group[index] in needy
        told = []
        if self.settings.parallel.shard == "optimizer":
            told += engine.dealt(root, receives=receives, is_needed=bool(needy))
        elif needy:
            engine.sync_state(root, receives=receives)
        engine.deal_lanes(deal_lanes(LANES, len(self.group))[index])
        return told

    def _connect(self, deal):
        for index, rank in enumerate(self.group):
            self.engines[rank].join(self.line.member(index))
        calls = [
            lambda index=index, rank=rank: deal(self.engines[rank], index)
            for index, rank in enumerate(self.group)
        ]
        return self._buried(each(calls))

    def _buried(self, results):
        for rank, result in zip(list(self.group), results, strict=True):
            if isinstance(result, KilledError):
                del self.engines[rank]
        return results

    def step(self, number):
        lanes = deal_lanes(LANES, len(self.group))

        def work(rank, mine):
            blocks = [block(self.settings, number, lane) for lane in mine]
            digests = list(map(digest, blocks))
            return self.engines[rank].run_step(number, mine, blocks, digests, digest_due=True)

        calls = [lambda r=rank, m=mine: work(r, m) for rank, mine in zip(self.group, lanes)]  # noqa: B905
        return self._buried(each(calls))

    def train(self, first, end):
        """Train steps; return the digest behind the last, on which all agree."""
        told = set()
        for number in range(first, end):
            outcomes = self.step(number)
            assert not any(isinstance(o, Exception) for o in outcomes), outcomes
            told = {outcome.weight_digest for outcome in outcomes}
            assert len(told) == 1, told
        return told.pop()

    def keep_copy(self, keeper):
        """Let the member at an index keep a copy; return its payload, or how it ended."""
        engines = [self.engines[rank] for rank in self.group]
        step = engines[0].state_step

        def work(index):
            engine, parts = engines[index], []
            while (asks := engine.asked_for_copy(wants=index == keeper and not parts)) >= 0:
                parts = [bytes(part) for part in engine.copied(asks)]
            return b"".join(parts)

        calls = [lambda index=index: work(index) for index in range(len(engines))]
        told = self._buried(each(calls))[keeper]
        if not isinstance(told, Exception):
            self.copy = step, told
        return told

    def regroup(self, death=None):
        """Form the next group as the coordinator decides; return the plan and what became of it."""
        for engine in self.engines.values():
            engine.leave()
        candidates = [
            Candidate(
                rank=rank,
                host="h",
                is_spare=rank in self.spares,
                team=self.group.index(rank) if rank in self.group else -1,
                position=0,
                state_step=engine.state_step,
                reduced=engine.holds_reduced,
                reports_from=0 if engine.state_step >= 0 else -1,
                store_address="x",
                portions=engine.portions,
                kept=engine.kept_lanes,
            )
            for rank, engine in self.engines.items()
        ]
        copies = []
        if self.copy is not None:
            copies = [KeptCopy(99, "h", SnapshotFact(self.copy[0], "d", "disk", "copy"))]
        plan = plan_group(
            candidates,
            copies,
            wanted_teams=4,
            lanes=LANES,
            committed=self.copied_to,
            lanes_keep=sends_less(self.settings.train),
        )
        self.group, self.spares = list(plan.members), set()
        self.line = FragileLine(len(self.group))
        self.line.arm(death)
        (root,), origin = plan.roots, plan.origins[0].origin
        for rank in plan.finish:
            self.engines[rank].apply_held()
        if origin == "copy":
            self.engines[self.group[root]].load_snapshot(*self.copy)

        return plan, self._connect(
            lambda engine, index: self._dealt(engine, index, root, plan.needy)
        )

    @property
    def copied_to(self):
        return 0 if self.copy is None else self.copy[0]
