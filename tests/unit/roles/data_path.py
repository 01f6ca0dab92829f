"""A small world for the way of blocks: real roles, real shards, a network and machines that fail.

Virtual time, one agenda. Trainers are their windows of blocks alone; a directory stands for the
coordinator. Every block that a trainer takes is compared with what lies in the undamaged corpus.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from pathlib import Path

import h5py
import numpy as np
from msgspec.structs import replace

from qmpi.config.data import ContentSource, CorpusSource, DataSettings
from qmpi.config.memory import MemorySettings
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.content.address import BLOCK_TOKENS
from qmpi.policy.hyperparameters import first_hyperparameters
from qmpi.policy.shares import Share
from qmpi.policy.stream import first_recipe, numbered_rows
from qmpi.ports.base import Effect, Event, Frame
from qmpi.ports.clock import SetTimer, TimerFired
from qmpi.ports.data import (
    BlockBroken,
    BuildBlock,
    DataWork,
    MakeRows,
    RowsMade,
    SourcesAway,
)
from qmpi.ports.processes import LeaveJob
from qmpi.ports.transport import Received, Send
from qmpi.protocol.blocks import BlockFailed, BlockReply, frame_digest
from qmpi.protocol.envelope import WIRE_VERSION, Address, Header, RoleName
from qmpi.protocol.membership import Hello
from qmpi.protocol.messages import Message
from qmpi.protocol.pulse import Directory
from qmpi.roles.directory import DirectoryChanged
from qmpi.roles.facts import RankFacts
from qmpi.roles.generator import Generator
from qmpi.roles.memory import Memory
from qmpi.roles.trainer.prefetch import Prefetch
from qmpi.runtime.data import FileData

LANES, ROWS, TOKENS, VOCABULARY = 8, 2, 16, 4096
TRAINERS, GENERATORS = (1, 2), (3, 4)
CHUNK_BYTES = 2 * BLOCK_TOKENS
CHIEF = Address(0, RoleName.COORDINATOR)
PATIENCE = 30.0
STANDS_STILL = 20 * PATIENCE
"""Seconds without a block, of the modelled clock, that no trouble explains."""
MADE = 1
"""Number of the source that is generated row by row; that before it is a corpus."""


def job(corpus: Path, steps: int) -> Settings:
    sources = (
        CorpusSource(name="shards", path=str(corpus), weight=3),
        ContentSource(name="made", type="mathematics", min_level=1, max_level=2),
    )
    return Settings(
        data=DataSettings(sources=sources, prefetch_steps=2),
        model=ModelSettings(vocab_size=VOCABULARY),
        train=TrainSettings(
            steps=steps, lanes=LANES, microbatches=1, sequences=ROWS, sequence_tokens=TOKENS
        ),
        memory=MemorySettings(patience_seconds=PATIENCE),
    )


def made_row(number: int) -> np.ndarray:
    return ((np.arange(TOKENS + 1) * 7 + number * 31) % VOCABULARY).astype("<u2")


def flipped(chance: random.Random, frame: Frame) -> bytes:
    data = bytearray(frame)
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


class Machine:
    """A rank with a role, and its data port. It may stand still, or lose its files, for a time."""

    def __init__(self, role: Memory | Generator, port: FileData | None) -> None:
        self.role, self.port = role, port
        self.free_at = self.hangs_until = self.away_until = 0.0
        self.alive = True

    @property
    def address(self) -> Address:
        return Address(self.role.facts.rank, self.role.name)

    def do(self, work: DataWork, now: float) -> Event:
        if isinstance(work, MakeRows):
            rows = b"".join(made_row(row).tobytes() for row in work.rows)
            return RowsMade(work.requester, work.step, work.lane, work.source, rows)
        if now < self.away_until:
            away = isinstance(work, BuildBlock)
            return BlockBroken(work.step, work.lane, "stale", is_away=True) if away else AWAY
        return self.port._do(work)

    def close(self) -> None:
        """Leave no thread behind."""
        assert self.port.close(60.0, 60.0)


AWAY = SourcesAway("stale")


class Trainer:
    """A window of blocks, and the step before which it stands."""

    def __init__(self, rank: int, settings: Settings) -> None:
        self.address = Address(rank, RoleName.TRAINER)
        self.window = Prefetch(settings)
        self.memories: tuple[int, ...] = ()
        self.step = 0
        lanes = tuple(range(LANES))[TRAINERS.index(rank) :: len(TRAINERS)]
        log = (first_hyperparameters(settings),)
        self.share = Share(lanes, TRAINERS.index(rank), len(TRAINERS), LANES, log)


class World:
    """All of it.

    Attributes:
        blocks: that trainers took, each the right one.
    """

    def __init__(self, corpus: Path, steps: int, seed: int, *, loss: float) -> None:
        self.settings, self.steps, self.loss = job(corpus, steps), steps, loss
        self.corpus, self.chance = corpus, random.Random(seed)
        self.whole = {path: path.read_bytes() for path in corpus.glob("shard-*.h5")}
        self.ids = np.concatenate([_ids_of(path) for path in sorted(self.whole)])
        self.now, self._agenda, self._numbers = 0.0, [], itertools.count()
        self.memories: dict[int, Machine] = {}
        self.generators = {rank: self._generator(rank) for rank in GENERATORS}
        self.trainers = {rank: Trainer(rank, self.settings) for rank in TRAINERS}
        self.directory = Directory()
        self.facts = FileData(self.settings, corpus.parent / "cache")._sources.open()
        weights = [source.weight for source in self.settings.data.sources]
        self.recipes = (first_recipe(weights, 5),)
        self.blocks, self._next_rank = 0, 10
        self.deeds: dict[str, int] = {}

    # --- time -------------------------------------------------------------------------------------

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now + seconds, next(self._numbers), action))

    def run(self, each: int, deed: Callable[["World"], None]) -> None:
        """Run to the last step; something happens about every `each` steps."""
        for machine in self.generators.values():
            self._carry(machine, machine.role.on_start(self.now))
        for _ in range(3):
            self.join()
        for trainer in self.trainers.values():
            first = trainer.window.aim(0, self.steps, trainer.share, (), self.now)
            self._send(trainer.address, first)
            self.after(1.0, lambda t=trainer: self._again(t))
        due = each
        stands_since = self.now, self.blocks
        while min(trainer.step for trainer in self.trainers.values()) < self.steps:
            self.now, _, action = heapq.heappop(self._agenda)
            action()
            if self.blocks > stands_since[1]:
                stands_since = self.now, self.blocks
            assert self.now - stands_since[0] < STANDS_STILL, f"nothing moves: {self.directory}"
            if min(trainer.step for trainer in self.trainers.values()) >= due:
                due += self.chance.randint(1, 2 * each)
                deed(self)
        # What is on its way arrives.
        end = self.now + 2 * PATIENCE + 60.0
        while self._agenda and self._agenda[0][0] < end:
            self.now, _, action = heapq.heappop(self._agenda)
            action()

    def close(self) -> None:
        """Let all ranks leave."""
        for machine in self.memories.values():
            machine.close()

    # --- ranks ------------------------------------------------------------------------------------

    def join(self) -> None:
        """A rank takes on the role of memory."""
        rank = self._next_rank
        self._next_rank += 1
        kept = MemorySettings(
            policy=self.chance.choice(("clairvoyant", "clairvoyant", "lru", "fifo")),
            budget=self.chance.choice((1, 2, 4, 7)) * CHUNK_BYTES,
            patience_seconds=PATIENCE,
        )
        settings = replace(self.settings, memory=kept)
        facts = RankFacts(rank, "here", rank, CHIEF, (rank,))
        port = FileData(settings, self.corpus.parent / "cache")
        machine = self.memories[rank] = Machine(Memory(settings, facts), port)
        started = [*machine.role._again(self.now), *machine.role.on_start(self.now)]
        self._carry(machine, started)

    def kill(self, rank: int) -> None:
        """A memory rank is gone; one that lives takes the role on if nobody else has it."""
        machine = self.memories.pop(rank)
        machine.alive = False
        machine.close()
        # Who joins until then is not forgotten again.
        self.after(self.chance.uniform(0, 0.3), lambda: self._publish(self.directory.memories))
        if not self.memories or self.chance.random() < 0.7:
            self.after(self.chance.uniform(0, 3.0), self.join)

    def _generator(self, rank: int) -> Machine:
        facts = RankFacts(rank, "here", rank, CHIEF, (rank,))
        return Machine(Generator(self.settings, facts), FileData(self.settings, self.corpus))

    def _publish(self, memories: Iterable[int]) -> None:
        living = tuple(sorted(rank for rank in memories if rank in self.memories))
        self.directory = newest = Directory(
            revision=self.directory.revision + 1,
            generators=GENERATORS,
            memories=living,
            sources=self.facts,
            recipes=self.recipes,
        )
        for machine in [*self.memories.values(), *self.generators.values()]:
            self._later(machine, DirectoryChanged(newest))
        for trainer in self.trainers.values():
            self.after(self._delay(), lambda t=trainer: self._learn(t))

    def _learn(self, trainer: Trainer) -> None:
        trainer.memories = self.directory.memories
        effects = trainer.window.retarget(trainer.memories, self.now)
        self._send(trainer.address, effects)

    # --- messages and work ------------------------------------------------------------------------

    def _delay(self) -> float:
        return self.chance.expovariate(500.0)

    def _later(self, machine: Machine, event: Event) -> None:
        self.after(self._delay(), lambda: self._handle(machine, event))

    def _handle(self, machine: Machine, event: Event) -> None:
        if machine.alive:
            effects = machine.role.handle(event, self.now)
            self._carry(machine, effects)

    def _carry(self, machine: Machine, effects: Iterable[Effect]) -> None:
        sends = []
        for effect in effects:
            match effect:
                case Send():
                    sends.append(effect)
                case SetTimer(name, at):
                    tick = TimerFired(name)
                    self.after(at - self.now, lambda e=tick: self._handle(machine, e))
                case DataWork():
                    self._work(machine, effect)
                case LeaveJob():
                    self.kill(machine.address.rank)
        self._send(machine.address, sends)

    def _work(self, machine: Machine, work: DataWork) -> None:
        begin = max(self.now, machine.free_at, machine.hangs_until)
        machine.free_at = begin + 0.0005
        self.after(machine.free_at - self.now, lambda: self._done(machine, work))

    def _done(self, machine: Machine, work: DataWork) -> None:
        if machine.alive:
            self._handle(machine, machine.do(work, self.now))

    def _send(self, source: Address, sends: Iterable[Effect]) -> None:
        for sent in sends:
            frames = sent.frames
            if sent.to == CHIEF:
                # Said once: MPI loses nothing, and a rank that nobody knows of serves nobody.
                self.after(self._delay(), lambda m=sent.message: self._heard(source, m))
                continue
            if frames and self.chance.random() < self.loss:
                frames = (flipped(self.chance, frames[0]),)
            if self.chance.random() >= self.loss:
                arrive = self._arrives(source, sent.to, sent.message, frames)
                self.after(self._delay(), arrive)

    def _arrives(
        self, source: Address, to: Address, message: Message, frames: tuple[Frame, ...]
    ) -> Callable[[], None]:
        if to.rank in self.trainers:
            return lambda: self._reply(self.trainers[to.rank], source.rank, message, frames)
        header = Header(
            version=WIRE_VERSION, source=source, target=to, sequence=1, generation=1, cause="test"
        )
        ranks = self.memories if to.role == RoleName.MEMORY else self.generators

        def arrive() -> None:
            if to.rank in ranks:
                self._handle(ranks[to.rank], Received(header, message, frames))

        return arrive

    def _heard(self, source: Address, message: Message) -> None:
        if isinstance(message, Hello) and source.role == RoleName.MEMORY:
            assert message.sources == self.facts
            self._publish({*self.directory.memories, source.rank})

    # --- trainers ---------------------------------------------------------------------------------

    def _again(self, trainer: Trainer) -> None:
        self._send(trainer.address, trainer.window.retry(trainer.memories, self.now))
        self.after(1.0, lambda: self._again(trainer))

    def _reply(
        self, trainer: Trainer, by: int, message: Message, frames: tuple[Frame, ...]
    ) -> None:
        window, memories = trainer.window, trainer.memories
        if isinstance(message, BlockReply):
            asked = window.arrived(message, frames[0], by, memories, self.now)
        else:
            assert isinstance(message, BlockFailed)
            asked = window.refused(message, by, memories, self.now)
            self.deeds["refused"] = self.deeds.get("refused", 0) + 1
        assert asked is not None, f"the run would end: {message}"
        self._send(trainer.address, asked)
        for one in self.trainers.values():
            self._step(one)

    def _step(self, trainer: Trainer) -> None:
        behind = min(other.step for other in self.trainers.values())
        while trainer.step < min(self.steps, behind + 2) and trainer.window.complete(trainer.step):
            for lane, block in zip(*trainer.window.take(trainer.step), strict=True):
                right = self._expected(trainer.step, lane)
                assert bytes(block.frame) == right, (trainer.step, lane)
                assert block.digest == frame_digest(right)
                self.blocks += 1
            trainer.window.done(trainer.step)
            asked = trainer.window.advance(trainer.step, trainer.memories, self.now)
            self._send(trainer.address, asked)
            trainer.step += 1

    def _expected(self, step: int, lane: int) -> bytes:
        rows = numbered_rows(self.recipes, self.facts, step * LANES + lane, ROWS)
        return b"".join(self._row(address.source, address.row) for address in rows)

    def _row(self, source: int, row: int) -> bytes:
        if source == MADE:
            return made_row(row).tobytes()
        return self.ids[row * TOKENS : row * TOKENS + TOKENS + 1].tobytes()

    # --- judging ----------------------------------------------------------------------------------

    def check(self, *, idle: bool = False) -> None:
        """Nothing is kept that nobody needs; in a world that has come to rest, nothing at all."""
        window = 0 if idle else LANES * (self.settings.data.prefetch_steps + 3)
        for machine in self.memories.values():
            role, sources = machine.role, machine.port._sources
            role.check()
            for kept in (
                role.gathering, role.building, role.put_off, role.waiting, role.outage.reads
            ):  # fmt: skip
                assert len(kept) <= window, (machine.address, len(kept))
            assert len(role.numbers) <= len(role.held) + window
            assert sources._chunks.bytes <= role.settings.memory.budget
        for trainer in self.trainers.values():
            kept = trainer.window
            for mapping in (kept.asked, kept.held, kept.refusals, kept.damaged):
                assert len(mapping) <= window


def _ids_of(path: Path) -> np.ndarray:
    with h5py.File(path, "r", locking=False) as shard:
        return shard["tokens"][:].astype("<u2")
