"""The trainer, event by event: who reports what, what is held, whose part of the state it is."""

from hashlib import blake2b

from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.ports.base import Effect, Started
from qmpi.ports.copies import SnapshotTaken, StoreSnapshot
from qmpi.ports.data import Block
from qmpi.ports.engine import (
    AbortEngine,
    EngineAborted,
    EngineReady,
    GroupJoined,
    JoinGroup,
    RunStep,
    StepApplied,
    TakeSnapshot,
)
from qmpi.ports.transport import Received, Send
from qmpi.protocol.blocks import (
    BlockFailed,
    BlockReply,
    BlockRequest,
    DataFault,
    frame_digest,
)
from qmpi.protocol.envelope import WIRE_VERSION, Address, Header, RoleName
from qmpi.protocol.membership import (
    FormGroup,
    GroupBroken,
    GroupReady,
    Holding,
    Regroup,
    SnapshotFact,
)
from qmpi.protocol.messages import Message
from qmpi.protocol.progress import Grant, StepReport
from qmpi.protocol.pulse import Directory
from qmpi.protocol.snapshots import SnapshotFailed, SnapshotHeld
from qmpi.roles.directory import DirectoryChanged
from qmpi.roles.facts import RankFacts
from qmpi.roles.trainer.machine import Trainer
from qmpi.roles.trainer.prefetch import MOST_DAMAGED, MOST_REFUSALS
from qmpi.units import Bytes, Digest, Generation, Lane, Rank, Seconds, Step

CHIEF = Address(Rank(0), RoleName.COORDINATOR)
ME = Rank(3)
NOW = Seconds(1.0)
SETTINGS = Settings(train=TrainSettings(steps=20, lanes=1, digest_every=2))
MEMORIES = tuple(map(Rank, range(10, 16)))
FORM = FormGroup(
    generation=Generation(1),
    team=0,
    teams=1,
    position=0,
    lanes=(0,),
    lead=ME,
    store_address="h:1",
    step=Step(0),
    finish=False,
    root=0,
    transfer=False,
    receives=False,
    origin="initial",
    origin_digest=Digest(""),
    reports_from=0,
    keeps_copy=True,
    reason="start",
)


def word(message: Message, source: Address = CHIEF) -> Received:
    header = Header(
        version=WIRE_VERSION,
        source=source,
        target=Address(ME, RoleName.TRAINER),
        sequence=1,
        generation=Generation(1),
        cause="test",
    )
    return Received(header, message, (b"block",))


def applied(step: int, generation: int = 1, digest: str = "") -> StepApplied:
    return StepApplied(
        Generation(generation), Step(step), (1.0,), (Digest("b"),), 1.0, 0.1, Digest(digest), 1.0, 0
    )


def said(effects: list[Effect], kind: type) -> list[Message]:
    return [e.message for e in effects if isinstance(e, Send) and isinstance(e.message, kind)]


def warm() -> Trainer:
    trainer = Trainer(SETTINGS, RankFacts(ME, "h", 33, CHIEF, (ME,)))
    trainer.handle(Started(), NOW)
    trainer.handle(EngineReady("id", "h:1", ()), NOW)
    trainer.handle(DirectoryChanged(Directory(1, (), MEMORIES, ())), NOW)
    return trainer


def in_group(form: FormGroup = FORM, until: int = 8) -> Trainer:
    trainer = warm()
    trainer.handle(word(form), NOW)
    trainer.handle(GroupJoined(form.generation, form.step), NOW)
    trainer.handle(word(Grant(form.generation, Step(until), (4,), (4,))), NOW)
    return trainer


def run_steps(trainer: Trainer, *steps: int) -> list[Effect]:
    effects: list[Effect] = []
    digest = Digest(blake2b(b"block", digest_size=16).hexdigest())
    for step in steps:
        reply = BlockReply(Step(step), Lane(0), digest)
        began = trainer.handle(word(reply, Address(MEMORIES[0], RoleName.MEMORY)), NOW)
        assert [e.step for e in began if isinstance(e, RunStep)] == [step]
        effects += trainer.handle(applied(step, digest="d" if step % 2 else ""), NOW)
        trainer.check()
    return effects


def test_the_reporter_reports_each_step_once() -> None:
    reports = said(run_steps(in_group(), 0, 1, 2), StepReport)
    assert [r.step for r in reports if isinstance(r, StepReport)] == [0, 1, 2]


def test_the_others_keep_what_they_do_not_report() -> None:
    trainer = in_group(replace(FORM, reports_from=-1, keeps_copy=False))
    assert said(run_steps(trainer, 0, 1, 2), StepReport) == []
    assert trainer.state.step == 3
    assert (trainer.state.digest, trainer.state.digest_step) == ("d", 2)
    (holding,) = said(trainer.handle(word(Regroup(Generation(2), "why")), NOW), Holding)
    assert isinstance(holding, Holding)
    assert (holding.state_step, holding.reports_from, holding.position) == (3, 0, 0)


def test_the_next_reporter_tells_what_the_journal_lacks_before_it_is_ready() -> None:
    trainer = in_group(replace(FORM, reports_from=-1))
    run_steps(trainer, 0, 1, 2)
    trainer.handle(word(Regroup(Generation(2), "the reporter died")), NOW)
    form = replace(
        FORM, generation=Generation(2), step=Step(3), origin="live", reports_from=Step(1)
    )
    trainer.handle(word(form), NOW)
    effects = trainer.handle(GroupJoined(Generation(2), Step(3)), NOW)
    told = said(effects, StepReport | GroupReady)
    assert [type(m).__name__ for m in told] == ["StepReport", "StepReport", "GroupReady"]
    assert [m.step for m in told if isinstance(m, StepReport)] == [1, 2]


def test_who_receives_its_state_can_report_nothing_before_it() -> None:
    trainer = in_group(replace(FORM, reports_from=-1))
    run_steps(trainer, 0, 1)
    trainer.handle(word(Regroup(Generation(2), "why")), NOW)
    form = replace(
        FORM, generation=Generation(2), step=Step(5), origin="live", transfer=True, receives=True
    )
    trainer.handle(word(form), NOW)
    trainer.handle(GroupJoined(Generation(2), Step(5)), NOW)
    (holding,) = said(trainer.handle(word(Regroup(Generation(3), "why")), NOW), Holding)
    assert isinstance(holding, Holding)
    assert (holding.state_step, holding.reports_from) == (5, 5)
    trainer.check()


def test_a_step_that_was_finished_while_joining_can_be_reported() -> None:
    trainer = in_group(replace(FORM, reports_from=-1))
    run_steps(trainer, 0)
    trainer.handle(word(Regroup(Generation(2), "why")), NOW)
    form = replace(FORM, generation=Generation(2), step=Step(2), origin="live", finish=True)
    (join,) = [e for e in trainer.handle(word(form), NOW) if isinstance(e, JoinGroup)]
    assert join.finish
    broken = EngineAborted(Generation(2), 2, reduced=False, reason="cut", finished=applied(1, 2))
    (told,) = said(trainer.handle(broken, NOW), GroupBroken)
    assert isinstance(told, GroupBroken)
    (holding,) = said(trainer.handle(word(Regroup(Generation(3), "why")), NOW), Holding)
    assert isinstance(holding, Holding)
    assert (holding.state_step, holding.reports_from) == (2, 0)


def test_a_step_told_again_with_its_digest_keeps_the_ones_before() -> None:
    trainer = in_group(replace(FORM, reports_from=-1))
    run_steps(trainer, 0, 1, 2)
    trainer.handle(word(Regroup(Generation(2), "a mate died")), NOW)
    form = replace(FORM, generation=Generation(2), step=Step(3), origin="live", reports_from=0)
    trainer.handle(word(form), NOW)
    again = GroupJoined(Generation(2), Step(3), finished=applied(2, digest="whole"))
    reports = said(trainer.handle(again, NOW), StepReport)
    told = [(r.step, r.weight_digest) for r in reports if isinstance(r, StepReport)]
    assert told == [(0, ""), (1, "d"), (2, "whole")]


def test_a_new_seat_is_held_only_once_its_part_has_arrived() -> None:
    trainer = in_group(replace(FORM, reports_from=-1))
    run_steps(trainer, 0)
    trainer.handle(word(Regroup(Generation(2), "why")), NOW)
    form = replace(
        FORM, generation=Generation(2), position=1, step=Step(1), origin="live", receives=True
    )
    trainer.handle(word(form), NOW)
    aborted = trainer.handle(word(Regroup(Generation(3), "again")), NOW)
    assert [type(e) for e in aborted] == [AbortEngine]
    cut = EngineAborted(Generation(2), 1, reduced=False, reason="cut", position=0)
    (holding,) = said(trainer.handle(cut, NOW), Holding)
    assert isinstance(holding, Holding)
    assert holding.position == 0


def test_a_block_that_one_memory_cannot_make_is_asked_of_others() -> None:
    trainer = in_group()
    asked = {key: home for key, (home, _) in trainer.prefetch.asked.items()}
    refusals: set[Rank] = set()
    home = asked[(Step(0), Lane(0))]
    for number in range(MOST_REFUSALS):
        assert home is not None
        assert home not in refusals
        refusals.add(home)
        failed = word(BlockFailed(Step(0), Lane(0), "bad disk"), Address(home, RoleName.MEMORY))
        effects = trainer.handle(failed, NOW)
        if number + 1 < MOST_REFUSALS:
            (again,) = effects
            assert isinstance(again, Send)
            assert again.message == BlockRequest(Step(0), Lane(0))
            home = again.to.rank
        else:
            assert said(effects, DataFault) == [DataFault("bad disk")]


def test_a_block_that_keeps_arriving_damaged_is_asked_of_others() -> None:
    trainer = in_group()
    key = (Step(0), Lane(0))
    first = home = trainer.prefetch.asked[key][0]
    for _ in range(MOST_DAMAGED):
        assert home == first
        damaged = BlockReply(*key, frame_digest(b"another block"))
        (again,) = trainer.handle(word(damaged, Address(home, RoleName.MEMORY)), NOW)
        assert isinstance(again, Send)
        assert again.message == BlockRequest(*key)
        home = again.to.rank
    assert home != first
    whole = BlockReply(*key, frame_digest(b"block"))
    trainer.handle(word(whole, Address(home, RoleName.MEMORY)), NOW)
    assert trainer.prefetch.held[key] == Block(whole.digest, b"block")
    assert not trainer.prefetch.damaged


def test_a_copy_that_ram_refuses_goes_to_disk_and_is_told_once() -> None:
    trainer = in_group()
    effects = run_steps(trainer, 0, 1, 2, 3)
    assert [e for e in effects if isinstance(e, TakeSnapshot)] == [
        TakeSnapshot(Step(4), to_disk=True)
    ]
    fact = SnapshotFact(Step(4), Digest("x"), "disk", "/disk/4")
    told = trainer.handle(SnapshotTaken(fact, Bytes(9), fault="no space left"), NOW)
    assert said(told, SnapshotFailed) == [SnapshotFailed(Step(4), "no space left", place="ram")]
    assert said(told, SnapshotHeld) == [SnapshotHeld((fact,))]
    assert not [e for e in told if isinstance(e, StoreSnapshot)]


def test_without_replicas_a_checkpoint_is_written_by_the_trainer() -> None:
    trainer = in_group()
    run_steps(trainer, 0, 1, 2, 3)
    fact = SnapshotFact(Step(4), Digest("x"), "ram", "/ram/4")
    told = trainer.handle(SnapshotTaken(fact, Bytes(9)), NOW)
    (store,) = [e for e in told if isinstance(e, StoreSnapshot)]
    assert (store.path, store.to_ram, store.to_disk) == ("/ram/4", False, True)
