"""Memory: assembles blocks from shards and generated rows, keeps them, serves them.

Theory of operation. A trainer asks for the block of (step, lane), and says which directory has the
recipes for it; until that one is here, no block is begun. The block's rows are addresses, a pure
function of the recipe log, which comes with the directory; rows of a corpus are read from shards
here, generated rows are asked of a generator, and of another if that one cannot make them. When all
are there the block is built, digested, kept, and sent to everyone who asked meanwhile. All of it
can be lost and made again: the home of a block is a hash over the live memory ranks.

States of a block: absent -> gathering (rows asked) -> building -> held. One whose files are out of
reach is put off, and built again later, until patience is over (`qmpi.policy.outage`). Who asked
for a block that cannot be made is told so, and asks elsewhere: the fault may be this rank's disk.
If it is that of the data, trainers end the run, since none may train on anything else in their
place. Bytes that were damaged in memory or on their way are never served nor built in.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from qmpi.config.data import CorpusSource
from qmpi.config.settings import Settings
from qmpi.errors import InvariantError
from qmpi.memory.cache import Cache, recent
from qmpi.policy.foresight import Foresight, is_worth_it
from qmpi.policy.homes import ROWS_TOGETHER, home_of
from qmpi.policy.outage import Outage
from qmpi.policy.stream import block_bytes, numbered_rows
from qmpi.ports.base import Effect, Event, Frame
from qmpi.ports.clock import Slept
from qmpi.ports.data import Block, BlockBroken, BlockBuilt, BuildBlock, SourcesOpened
from qmpi.ports.transport import Received, Send
from qmpi.protocol.blocks import (
    BlockFailed,
    BlockReply,
    BlockRequest,
    RowsFailed,
    RowsReply,
    RowsRequest,
    frame_digest,
)
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.level_use import LevelUse
from qmpi.protocol.recipe import ComingReads, RowAddress
from qmpi.roles.facts import RankFacts
from qmpi.roles.interface import RoleState
from qmpi.roles.opening import Opening
from qmpi.units import Bytes, Lane, Rank, Seconds, Step

Key = tuple[Step, Lane]

RETRY_SECONDS = Seconds(5.0)
"""Rows not answered within this time are asked for again; replies are idempotent."""

LEAST_BLOCKS = 64
"""Blocks that are kept at least, however few a step has."""

MOST_ASKED = 3
"""Generators asked for the same rows: what three cannot make, the source does not give."""


class Gathering:
    """A block whose generated rows are on their way.

    Invariants: `missing` and `made` have no source in common.

    Attributes:
        refused: generators that could not make the rows of a source.
    """

    def __init__(self, rows: Sequence[RowAddress], missing: dict[int, tuple[int, ...]]) -> None:
        """Start gathering.

        Args:
            rows: addresses of the block's rows, in order.
            missing: rows to ask a generator for, by source number.
        """
        self.rows = tuple(rows)
        self.missing = missing
        self.made: dict[int, Frame] = {}
        self.refused: dict[int, set[Rank]] = {}
        self.asked_at = Seconds(0.0)


class Memory(Opening):
    """A rank that serves blocks.

    Invariants: a block is in at most one of `gathering`, `building`, `put_off`, `held`; `waiting`
    names only blocks that are not held; `numbers` only blocks that are in one of these, or waited
    for; `takers` names only blocks that are held, and who was sent them; what is held takes at most
    `budget` bytes.
    """

    role = RoleName.MEMORY
    opens = "shards"

    def __init__(self, settings: Settings, facts: RankFacts) -> None:
        """Make an empty memory.

        Args:
            settings: the job.
            facts: who this rank is.
        """
        super().__init__(settings, facts)
        train = settings.train
        self.revision_needed = 0
        self.rows_per_block = train.microbatches * train.sequences
        blocks = max(LEAST_BLOCKS, 2 * train.lanes * (settings.data.prefetch_steps + 1))
        self.block_bytes = block_bytes(settings)
        self.budget = Bytes(blocks * self.block_bytes)
        self.gathering: dict[Key, Gathering] = {}
        self.building: dict[Key, BuildBlock] = {}
        self.put_off: dict[Key, BuildBlock] = {}
        self.outage = Outage[Key](self.patience)
        self.held: Cache[Key, Block] = recent(self.budget, gone=self._gone)
        self.takers: dict[Key, set[Address]] = {}
        self.waiting: dict[Key, list[Address]] = {}
        self.numbers: dict[Key, int] = {}
        self.foresight = Foresight(settings, facts.rank)
        self._alert = ""
        self._levels: tuple[LevelUse, ...] = ()

    @property
    def state(self) -> RoleState:
        """What it is doing right now, what it warns of, and what its cache was asked for."""
        doing = f"{self._activity}; {self._alert}" if self._alert else self._activity
        return RoleState(self.role, doing, levels=self._levels)

    def on_event(self, event: Event, now: Seconds) -> list[Effect]:
        """Serve blocks."""
        match event:
            case Received(header, BlockRequest(step, lane, block, revision)):
                self.revision_needed = max(self.revision_needed, revision)
                self.numbers.setdefault((step, lane), block)
                return self._asked(header.source, (step, lane), now)
            case Received(_, RowsReply() as reply, frames) if frames:
                return self._rows_arrived(reply, frames[0], now)
            case Received(header, RowsFailed() as failed):
                return self._rows_failed(header.source.rank, failed, now)
            case BlockBuilt(step, lane, block, alert, levels):
                self._alert, self._levels = alert or self._alert, levels or self._levels
                return self._built((step, lane), block, now)
            case BlockBroken():
                return self._broken(event, now)
            case Slept(seconds):
                self.outage.forgive(seconds)
                return super().on_event(event, now)
            case _:
                return super().on_event(event, now)

    def on_retry(self, now: Seconds) -> list[Effect]:
        """Ask again for rows that did not come; build again what was put off."""
        effects = super().on_retry(now)
        late = [k for k, g in self.gathering.items() if now - g.asked_at > RETRY_SECONDS]
        effects += [effect for key in late for effect in self._ask_rows(key, now)]
        effects += [self._begin(self.put_off.pop(key), now) for key in self.outage.due(now)]
        if self.outage.is_silent_for(RETRY_SECONDS, now) and not self.outage.reason:
            self._activity = "waiting for files: a read takes long"
        for key in self.outage.hung(now):
            # Its work is not over: what it comes to in the end is taken all the same.
            effects += self._refuse(self._hanging(key))
        return effects

    def on_directory(self, now: Seconds) -> list[Effect]:
        """Ask the generators that live now for each missing row; begin what could not begin."""
        effects: list[Effect] = [*self.added.follow(self.directory)]
        for key in list(self.gathering):
            effects += self._ask_rows(key, now)
        return [*effects, *self._begin_waiting(now)]

    def _opened(self, event: SourcesOpened, now: Seconds) -> list[Effect]:
        is_first, told = not self.added.facts, super()._opened(event, now)
        return told if is_first else [*self._begin_waiting(now), *told]

    def _begin_waiting(self, now: Seconds) -> list[Effect]:
        effects: list[Effect] = []
        for key in () if self._is_behind else list(self.waiting):
            if not self._is_begun(key):
                effects += self._gather(key, now)
        return effects

    def check(self) -> None:
        """Check the invariants of the class.

        Raises:
            InvariantError: one of them is broken.
        """
        states = [*self.gathering, *self.building, *self.put_off, *self.held]
        if len(set(states)) != len(states):
            raise InvariantError(f"memory {self.facts.rank}: a block is in two states")
        if set(self.waiting) & set(self.held):
            raise InvariantError(f"memory {self.facts.rank}: someone waits for a held block")
        if set(self.takers) - set(self.held):
            raise InvariantError(f"memory {self.facts.rank}: someone took a block that is not held")
        if set(self.numbers) - set(states) - set(self.waiting):
            raise InvariantError(f"memory {self.facts.rank}: numbers of blocks nobody wants")
        if self.held.bytes > self.budget:
            raise InvariantError(f"memory {self.facts.rank}: holds more than {self.budget} bytes")

    @property
    def _is_behind(self) -> bool:
        """Whether a directory is on its way that names the sources, or newer recipes or sources."""
        newest = self.directory
        is_old = not newest.sources or newest.revision < self.revision_needed
        return is_old or self.added.waits(newest)

    def _is_begun(self, key: Key) -> bool:
        return key in self.gathering or key in self.building or key in self.put_off

    def _asked(self, by: Address, key: Key, now: Seconds) -> list[Effect]:
        held = self.held.get(key)
        if held is not None:
            if self._is_whole(by, key, held):
                return [_sent(by, key, held)]
            number = self.numbers.get(key, -1)
            self.held.discard(key)
            self.numbers[key] = number
        askers = self.waiting.setdefault(key, [])
        if by not in askers:
            askers.append(by)
        if self.outage.is_stuck and key not in self.gathering and key not in self.put_off:
            # Its work would wait behind the read that hangs, and more of it with every step.
            return self._refuse(self._hanging(key))
        if key in self.building and key not in self.outage.reads:
            self.outage.begin(key, now)  # it hung for others; this one waits for it anew
        # Another rank's request may overtake the coordinator's directory.
        if self._is_begun(key) or self._is_behind:
            return []
        return self._gather(key, now)

    def _is_whole(self, by: Address, key: Key, held: Block) -> bool:
        # Who gets it compares its digest, and asks again if it was damaged: hashed only then.
        takers = self.takers.setdefault(key, set())
        if by not in takers:
            takers.add(by)
            return True
        return frame_digest(held.frame) == (held.sent if held.codec else held.digest)

    def _gather(self, key: Key, now: Seconds) -> list[Effect]:
        step, lane = key
        self._activity = f"assembling step {step}"
        number = self.numbers.get(key, -1)
        if number < 0:
            number = step * self.settings.train.lanes + lane
        newest = self.directory
        rows = numbered_rows(newest.recipes, newest.sources, number, self.rows_per_block)
        missing: dict[int, tuple[int, ...]] = {}
        for address in rows:
            fault = self.added.fault(address.source, newest)
            if fault:
                return self._refuse(BlockFailed(*key, fault))
            if not isinstance(self.added.settings.data.sources[address.source], CorpusSource):
                missing[address.source] = (
                    *missing.get(address.source, ()),
                    address.row,
                )
        self.gathering[key] = Gathering(rows, missing)
        return self._ask_rows(key, now) if missing else self._build(key, now)

    def _ask_rows(self, key: Key, now: Seconds) -> list[Effect]:
        gathering = self.gathering[key]
        if not self.directory.generators:
            return []
        gathering.asked_at = now
        return [self._ask(key, number) for number in gathering.missing]

    def _ask(self, key: Key, number: int) -> Effect:
        gathering, step, lane = self.gathering[key], *key
        rows, refused = gathering.missing[number], gathering.refused.get(number, ())
        all_here = self.directory.generators
        # Neighbouring rows come from one block of text: who made it should serve them all.
        able = [rank for rank in all_here if rank not in refused] if refused else all_here
        home = home_of(number, rows[0] // ROWS_TOGETHER, able or all_here)
        source = self.added.settings.data.sources[number].name
        return Send(Address(home, RoleName.GENERATOR), RowsRequest(step, lane, source, rows))

    def _rows_failed(self, rank: Rank, failed: RowsFailed, now: Seconds) -> list[Effect]:
        key = (failed.step, failed.lane)
        gathering, number = self.gathering.get(key), self._number(failed.source)
        if gathering is None or number not in gathering.missing:
            return []
        refused = gathering.refused.setdefault(number, set())
        refused.add(rank)
        live = self.directory.generators
        if len(refused) == MOST_ASKED or not any(other not in refused for other in live):
            del self.gathering[key]
            return self._refuse(BlockFailed(*key, f"rows of {failed.source}: {failed.reason}"))
        gathering.asked_at = now
        return [self._ask(key, number)]

    def _number(self, source: str) -> int:
        names = [s.name for s in self.added.settings.data.sources]
        return names.index(source) if source in names else -1

    def _rows_arrived(self, reply: RowsReply, frame: Frame, now: Seconds) -> list[Effect]:
        key = (reply.step, reply.lane)
        gathering, number = self.gathering.get(key), self._number(reply.source)
        # Damaged on their way they count as lost, and are asked for again.
        is_whole = frame_digest(frame) == reply.digest
        if gathering is None or number not in gathering.missing or not is_whole:
            return []
        del gathering.missing[number]
        gathering.made[number] = frame
        return [] if gathering.missing else self._build(key, now)

    def _build(self, key: Key, now: Seconds) -> list[Effect]:
        gathering = self.gathering.pop(key)
        made = tuple(sorted(gathering.made.items()))
        work = BuildBlock(*key, gathering.rows, made)
        # Told once, however often the block is built.
        return [replace(self._begin(work, now), coming=self._coming(key))]

    def _begin(self, work: BuildBlock, now: Seconds) -> BuildBlock:
        key = (work.step, work.lane)
        self.building[key] = work
        self.outage.begin(key, now)
        return work

    def _coming(self, key: Key) -> ComingReads | None:
        newest = self.directory
        if not is_worth_it(self.added.settings, newest.sources):
            return None
        step, lane = key
        number = self.numbers.get(key, -1)
        first = number - lane if number >= 0 else -1
        told = newest.memories, newest.recipes, newest.sources
        return self.foresight.look(step, *told, first)

    def _built(self, key: Key, block: Block, now: Seconds) -> list[Effect]:
        work = self.building.pop(key, None)
        if work is not None:
            block = replace(block, sources=tuple(address.source for address in work.rows))
        self.outage.answered(key, now)
        size = memoryview(block.frame).nbytes if block.codec else self.block_bytes
        self.held.put(key, block, size)
        self._activity = "idle"
        askers = self.waiting.pop(key, [])
        if key in self.held:
            self.takers[key] = set(askers)
        return [_sent(asker, key, block) for asker in askers]

    def _gone(self, key: Key, held: Block) -> None:
        del held
        self.numbers.pop(key, None)
        self.takers.pop(key, None)

    def _broken(self, broken: BlockBroken, now: Seconds) -> list[Effect]:
        key, reason = (broken.step, broken.lane), broken.reason
        work = self.building.pop(key, None)
        if not broken.is_away:
            self.outage.answered(key, now)
        elif work is not None and self.outage.failed(key, reason, now):
            self.put_off[key] = work
            self._activity = f"waiting for files: {reason}"
            return []
        else:
            reason = self._here(f"out of reach for {self.patience:.0f} s: {reason}")
        return self._refuse(BlockFailed(*key, reason, broken.is_away))

    def _hanging(self, key: Key) -> BlockFailed:
        reason = self._here(f"a read hangs; nothing was read for {self.patience:.0f} s")
        return BlockFailed(*key, reason, is_away=True)

    def _here(self, reason: str) -> str:
        return f"rank {self.facts.rank} on {self.facts.host}: {reason}"

    def _refuse(self, failed: BlockFailed) -> list[Effect]:
        key = (failed.step, failed.lane)
        if key not in self.building:
            self.numbers.pop(key, None)
        return [Send(asker, failed) for asker in self.waiting.pop(key, [])]


def _sent(asker: Address, key: Key, block: Block) -> Effect:
    reply = BlockReply(*key, block.digest, block.codec, block.sent, block.sources)
    return Send(asker, reply, (block.frame,))
