"""The engine port: one event for each piece of work, whatever ends it, and what is held is true."""

import itertools
import threading
import time
import zlib
from queue import SimpleQueue

import pytest
import torch
from msgspec.structs import replace
from unit.runtime.small_disk import SmallDisk, install
from unit.training.small_job import LANES, alone, block, digest, job, run

from qmpi.config.settings import SnapshotSettings
from qmpi.driver.tickets import Tickets, never
from qmpi.errors import PeerLost
from qmpi.ports.base import WorkCrashed
from qmpi.ports.copies import SnapshotBroken, SnapshotTaken
from qmpi.ports.data import Block
from qmpi.ports.engine import (
    EngineAborted,
    EngineReady,
    GroupJoined,
    JoinGroup,
    PrepareEngine,
    RunStep,
    StepApplied,
    TakeSnapshot,
)
from qmpi.runtime.compile_cache import CompileCache
from qmpi.runtime.copy_files import CopyFiles
from qmpi.runtime.engine import Means, TorchEngine
from qmpi.storage.run_directory import RunDirectory
from qmpi.training.comm.line import Comm
from qmpi.training.engine import Engine
from qmpi.training.lanes import LaneRunner

PATIENCE = 20.0
NUMBERS = itertools.count(100)
"""Generations of groups of two: a store knows each but once."""


class Rank:
    """One engine port, its tickets and what it was told."""

    def __init__(self, folder, number=0):
        self.ram = folder / "ram"
        directory = RunDirectory(folder / "run")
        self.disk = directory.checkpoints
        self.ram.mkdir(exist_ok=True)
        snapshot = SnapshotSettings(ram_dir=str(self.ram))
        self.settings = replace(job(), snapshot=snapshot)
        files = CopyFiles(self.settings, "run", number, directory)
        cache = CompileCache(folder / "cache", {})
        means = Means(cache)
        self.port = TorchEngine(self.settings, lambda: "127.0.0.1", time.monotonic, files, means)
        self.tickets = Tickets(number)
        self.events = SimpleQueue()

    def ask(self, work):
        bound = isinstance(work, JoinGroup | RunStep)
        self.port.submit(work, self.tickets.issue() if bound else never, self.events.put)

    def do(self, work):
        self.ask(work)
        return self.next()

    def next(self):
        return self.events.get(timeout=PATIENCE)

    def abort(self):
        self.tickets.condemn("a peer is gone")
        self.port.nudge()

    def quiet(self):
        """Nothing more is told of the work asked so far."""
        assert isinstance(self.do(PrepareEngine()), EngineReady)
        return self.events.empty()


def joining(generation=1, step=0, team=0, teams=1, origin="initial", **more):
    plan = {
        "position": 0, "is_lead": team == 0, "store_address": "", "finish": False, "root": 0,
        "transfer": False, "receives": False, "origin_digest": "",
    } | more  # fmt: skip
    return JoinGroup(
        generation=generation, team=team, teams=teams, step=step, origin=origin, **plan
    )


def stepping(settings, step=0, generation=1, lanes=tuple(range(LANES))):
    ids = [block(settings, step, lane) for lane in lanes]
    blocks = tuple(Block(digest(each), each) for each in ids)
    return RunStep(generation, step, lanes, blocks, True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="module")
def shared(folder):
    rank = Rank(folder)
    assert isinstance(rank.do(PrepareEngine()), EngineReady)
    return rank


@pytest.fixture
def rank(shared):
    """An engine at step 0, in a group of its own."""
    assert shared.do(joining()) == GroupJoined(1, 0, None, 0)
    return shared


@pytest.fixture
def pair(rank, folder, monkeypatch):
    """Two engines of one group, at step 0."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    monkeypatch.setenv("TORCH_GLOO_LAZY_INIT", "1")
    both = (rank, Rank(folder, 1))
    address = rank.do(PrepareEngine()).store_address
    both[1].do(PrepareEngine())
    generation = next(NUMBERS)
    for team, member in enumerate(both):
        member.address = address
        member.ask(joining(generation, team=team, teams=2, store_address=address))
    for member in both:
        assert isinstance(member.next(), GroupJoined)
    return both


def test_the_port_gives_the_bits_of_the_engine(rank):
    settings = job()
    wanted = [run(engine, settings, step) for engine in [alone(settings)] for step in range(2)]
    for step, outcome in enumerate(wanted):
        applied = rank.do(stepping(settings, step))
        assert isinstance(applied, StepApplied)
        assert applied.weight_digest == outcome.weight_digest
        assert applied.lane_losses == tuple(outcome.lane_losses)


def test_blocks_that_came_compressed_give_the_same_bits(rank):
    settings = job()
    wanted = run(alone(settings), settings, 0)
    work = stepping(settings)
    blocks = tuple(Block(b.digest, zlib.compress(b.frame), codec="zlib:6") for b in work.blocks)
    assert rank.do(replace(work, blocks=blocks)).weight_digest == wanted.weight_digest
    mixed = (blocks[0], *(replace(b, frame=blocks[0].frame) for b in blocks[1:]))
    crashed = rank.do(replace(stepping(settings, 1), blocks=mixed))
    assert isinstance(crashed, WorkCrashed)
    assert "came out as another" in crashed.reason


def test_two_engines_give_the_same_bits(pair):
    settings = job()
    wanted = run(alone(settings), settings, 0)
    pair[0].ask(stepping(settings, 0, 1, (0, 3)))
    pair[1].ask(stepping(settings, 0, 1, (1, 2)))
    assert {member.next().weight_digest for member in pair} == {wanted.weight_digest}


def test_work_before_the_engine_is_ready_crashes_alone(tmp_path):
    rank = Rank(tmp_path)
    crashed = rank.do(joining())
    assert isinstance(crashed, WorkCrashed)
    assert crashed.what == "InvariantError"
    assert isinstance(rank.do(TakeSnapshot(0, False)), SnapshotBroken)


def test_a_step_of_other_weights_crashes_and_the_next_work_runs(rank):
    crashed = rank.do(stepping(rank.settings, 5))
    assert isinstance(crashed, WorkCrashed)
    assert rank.do(stepping(rank.settings)).step == 0


def test_an_engine_that_raises_is_a_crash_and_the_next_work_runs(rank, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("a kernel failed")

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "run_step", broken)
        crashed = rank.do(stepping(rank.settings))
    assert isinstance(crashed, WorkCrashed)
    assert (crashed.what, crashed.exit_code) == ("RuntimeError", 4)
    assert rank.do(stepping(rank.settings)).step == 0


@pytest.mark.parametrize("work", ["initialise", "run_step"])
def test_a_want_of_memory_is_the_machines_fault_and_the_next_work_runs(rank, monkeypatch, work):
    with monkeypatch.context() as patch:
        patch.setattr(Engine, work, lambda *_, **__: torch.empty(2**60))
        crashed = rank.do(joining() if work == "initialise" else stepping(rank.settings))
    assert isinstance(crashed, WorkCrashed)
    assert (crashed.what, crashed.exit_code) == ("OutOfMemory", 3)
    assert "no memory for 4096 PiB more" in crashed.reason
    assert isinstance(rank.do(joining(5)), GroupJoined)
    assert rank.do(stepping(rank.settings, generation=5)).step == 0


@pytest.mark.parametrize("kind", ["join", "step"])
def test_an_abort_of_queued_work_changes_nothing(rank, kind):
    held = threading.Event()
    rank.port._worker.submit(_Task(held))
    rank.ask(joining(2) if kind == "join" else stepping(rank.settings))
    rank.abort()
    held.set()
    assert rank.next() == EngineAborted(
        2 if kind == "join" else 1, 0, False, "told to leave: a peer is gone", None, 0
    )
    assert rank.quiet()
    # What was asked for afterwards is not struck.
    assert isinstance(rank.do(joining(3)), GroupJoined)


class _Task:
    """Keeps the engine's thread busy until told."""

    def __init__(self, held):
        self.run = lambda: held.wait(PATIENCE) and None
        self.reply = print


def test_an_abort_ends_the_wait_for_a_member_that_does_not_come(rank):
    generation = next(NUMBERS)
    rank.ask(joining(generation, teams=2))
    time.sleep(0.2)
    started = time.monotonic()
    rank.abort()
    aborted = rank.next()
    assert (aborted.generation, aborted.state_step, aborted.reduced) == (generation, 0, False)
    assert time.monotonic() - started < 3
    assert rank.quiet()


def test_an_abort_ends_the_wait_for_a_lead_that_is_gone(rank):
    rank.ask(joining(4, team=1, teams=2, store_address="127.0.0.1:9"))
    time.sleep(0.2)
    rank.abort()
    assert isinstance(rank.next(), EngineAborted)
    assert rank.quiet()


def test_an_abort_while_state_is_received_keeps_what_was_held(pair, monkeypatch):
    root, member = pair
    generation = next(NUMBERS)
    ours = {"teams": 2, "origin": "live", "store_address": root.address}
    # A root that meets the group and then gives nothing.
    plain = Engine.sync_state

    def keep_back(engine, root, *, receives):
        if receives:
            plain(engine, root, receives=True)

    monkeypatch.setattr(Engine, "sync_state", keep_back)
    root.ask(joining(generation, transfer=True, **ours))
    member.ask(joining(generation, team=1, transfer=True, receives=True, **ours))
    assert isinstance(root.next(), GroupJoined)
    time.sleep(0.2)
    member.abort()
    aborted = member.next()
    assert (aborted.state_step, aborted.reduced) == (0, False)
    assert member.quiet()


def test_an_abort_while_lanes_are_computed_holds_no_gradient(rank, monkeypatch):
    plain, computed = LaneRunner.run, []

    def slow(runner, *args):
        computed.append(1)
        if len(computed) == 2:
            rank.abort()
        return plain(runner, *args)

    monkeypatch.setattr(LaneRunner, "run", slow)
    aborted = rank.do(stepping(rank.settings))
    assert isinstance(aborted, EngineAborted)
    assert (aborted.state_step, aborted.reduced) == (0, False)
    assert len(computed) < LANES
    assert rank.quiet()


def test_an_abort_while_the_gradient_is_summed_holds_none(pair):
    pair[0].ask(stepping(pair[0].settings, 0, 1, (0, 1)))
    time.sleep(0.5)
    pair[0].abort()
    aborted = pair[0].next()
    assert (aborted.state_step, aborted.reduced) == (0, False)
    assert pair[0].quiet()


def test_an_abort_in_the_vote_holds_the_gradient_and_it_can_be_applied(pair, monkeypatch):
    plain = Comm.vote

    def vote(comm):  # the first member is told to leave when it has the gradient
        if comm.index == 0:
            pair[0].abort()
        plain(comm)

    monkeypatch.setattr(Comm, "vote", vote)
    settings = job()
    wanted = run(alone(settings), settings, 0)
    pair[0].ask(stepping(settings, 0, 1, (0, 1)))
    pair[1].ask(stepping(settings, 0, 1, (2, 3)))
    aborted = pair[0].next()
    assert (aborted.state_step, aborted.reduced) == (0, True)
    pair[1].abort()
    assert isinstance(pair[1].next(), EngineAborted)
    joined = pair[0].do(joining(next(NUMBERS), step=1, origin="live", finish=True))
    assert joined.finished.weight_digest == wanted.weight_digest


def test_an_abort_after_the_work_strikes_nothing(rank):
    assert rank.do(stepping(rank.settings)).step == 0
    rank.abort()
    assert rank.do(stepping(rank.settings, 1)).step == 1


def test_a_step_finished_before_an_aborted_join_is_told(pair, monkeypatch):
    def vote(_):
        raise PeerLost("a vote whose answer never came")

    monkeypatch.setattr(Comm, "vote", vote)
    for member, lanes in zip(pair, ((0, 1), (2, 3)), strict=True):
        member.ask(stepping(member.settings, lanes=lanes))
    assert [member.next().reduced for member in pair] == [True, True]
    pair[0].ask(joining(next(NUMBERS), step=1, teams=2, origin="live", finish=True))
    time.sleep(0.3)
    pair[0].abort()
    aborted = pair[0].next()
    assert (aborted.state_step, aborted.reduced) == (1, False)
    assert aborted.finished.step == 0


def test_a_snapshot_starts_a_group_again_with_the_same_bits(rank):
    rank.do(stepping(rank.settings))
    taken = rank.do(TakeSnapshot(1, False))
    assert isinstance(taken, SnapshotTaken)
    assert (taken.fact.place, taken.fact.step, taken.fault) == ("ram", 1, "")
    wanted = rank.do(stepping(rank.settings, 1)).weight_digest
    again = joining(5, step=1, origin=taken.fact.path, origin_digest=taken.fact.digest)
    assert isinstance(rank.do(again), GroupJoined)
    assert rank.do(stepping(rank.settings, 1, 5)).weight_digest == wanted
    found = rank.do(PrepareEngine()).snapshots
    assert taken.fact in found


def test_a_snapshot_that_was_replaced_is_not_trained_on(rank):
    path = rank.do(TakeSnapshot(0, False)).fact.path
    crashed = rank.do(joining(5, origin=path, origin_digest="0" * 64))
    assert isinstance(crashed, WorkCrashed)
    assert (crashed.what, crashed.exit_code) == ("CorruptData", 3)


def test_a_snapshot_of_weights_that_are_gone_is_broken(rank):
    assert isinstance(rank.do(TakeSnapshot(3, True)), SnapshotBroken)


@pytest.mark.parametrize("due", [True, False])
def test_a_ram_without_room_gives_way_to_the_disk_when_a_checkpoint_is_due(rank, monkeypatch, due):
    install(monkeypatch, SmallDisk(rank.ram, 10))
    told = rank.do(TakeSnapshot(0, due))
    if due:
        assert (told.fact.place, told.size > 0) == ("disk", True)
        assert "full" in told.fault
    else:
        assert isinstance(told, SnapshotBroken)
        assert told.place == "ram"


def test_nowhere_to_write_is_broken_and_says_both(rank, monkeypatch):
    install(monkeypatch, SmallDisk(rank.ram, 10), SmallDisk(rank.disk, 10))
    told = rank.do(TakeSnapshot(0, True))
    assert isinstance(told, SnapshotBroken)
    assert told.place == ""
    assert str(rank.ram) in told.reason
    assert str(rank.disk) in told.reason
