"""Trainers that share out moments take part in copies, once a step, and end them on leaving."""

from msgspec.structs import replace
from unit.roles.test_trainer import CHIEF, FORM, ME, NOW, SETTINGS, run_steps, said, word

from qmpi.config.parallel import ParallelSettings
from qmpi.ports.base import Started
from qmpi.ports.engine import (
    AbortEngine,
    CopyCutOff,
    EngineAborted,
    EngineReady,
    GiveMoments,
    GroupJoined,
    TakeSnapshot,
)
from qmpi.protocol.membership import GroupBroken, Holding, Regroup
from qmpi.protocol.portions import Portions, runs_of
from qmpi.protocol.progress import Grant
from qmpi.protocol.pulse import Directory
from qmpi.roles.directory import DirectoryChanged
from qmpi.roles.facts import RankFacts
from qmpi.roles.trainer.machine import Trainer
from qmpi.units import Generation, Rank, Step

SHARED = replace(SETTINGS, parallel=ParallelSettings(shard="optimizer"))
FOUR = replace(FORM, team=1, teams=4)


def trainer_of(form, settings=SHARED, kept=()) -> Trainer:
    trainer = Trainer(settings, RankFacts(ME, "h", 33, CHIEF, (ME,)))
    trainer.handle(Started(), NOW)
    trainer.handle(EngineReady("id", "h:1", ()), NOW)
    memories = tuple(map(Rank, range(10, 16)))
    trainer.handle(DirectoryChanged(Directory(1, (), memories, ())), NOW)
    trainer.handle(word(form), NOW)
    portions = Portions(form.team, form.teams)
    joined = GroupJoined(form.generation, form.step, portions=portions, kept=kept)
    trainer.handle(joined, NOW)
    return trainer


def granted(trainer: Trainer, *steps: int):
    return trainer.handle(word(Grant(Generation(1), Step(8), steps, ())), NOW)


def copies(effects):
    return [e for e in effects if isinstance(e, TakeSnapshot | GiveMoments)]


def test_one_keeps_and_the_others_give_once_a_step():
    keeper, giver = (trainer_of(replace(FOUR, keeps_copy=keeps)) for keeps in (True, False))
    for trainer in (keeper, giver):
        granted(trainer, 2)
    assert copies(run_steps(keeper, 0, 1)) == [TakeSnapshot(Step(2), False, 0, Generation(1))]
    assert copies(run_steps(giver, 0, 1)) == [GiveMoments(Generation(1), Step(2))]
    # A later grant names the step again: nobody is asked twice.
    assert copies(granted(giver, 2)) == copies(granted(keeper, 2)) == []


def test_who_leaves_ends_a_copy_under_way_and_says_which_portions_it_holds():
    trainer = trainer_of(FOUR)
    effects = trainer.handle(word(Regroup(Generation(2), "a death")), NOW)
    assert [type(e) for e in effects if isinstance(e, AbortEngine)] == [AbortEngine]
    (holding,) = said(effects, Holding)
    assert holding.portions == Portions(1, 4)


def test_a_copy_that_is_cut_off_breaks_the_group_it_belongs_to():
    trainer = trainer_of(FOUR)
    late = trainer.handle(CopyCutOff(Generation(7), Step(0), "gone"), NOW)
    assert said(late, GroupBroken) == []
    effects = trainer.handle(CopyCutOff(Generation(1), Step(0), "gone"), NOW)
    assert said(effects, GroupBroken) == [GroupBroken(Generation(1), "gone")]


def test_a_join_that_is_cut_off_says_what_is_held_now():
    trainer = trainer_of(FOUR)
    trainer.handle(word(Regroup(Generation(2), "a death")), NOW)
    trainer.handle(word(replace(FOUR, generation=Generation(2), teams=3)), NOW)
    cut = EngineAborted(Generation(2), 0, True, "cut", portions=Portions(1, 3))
    trainer.handle(cut, NOW)
    (holding,) = said(trainer.handle(word(Regroup(Generation(3), "again")), NOW), Holding)
    assert (holding.portions, holding.reduced) == (Portions(1, 3), True)


def test_who_holds_what_lanes_keep_gives_it_and_says_so():
    keeping = replace(SETTINGS, train=replace(SETTINGS.train, reduction_bits=16))
    trainer = trainer_of(replace(FOUR, keeps_copy=False), keeping, kept=((0, 4),))
    granted(trainer, 2)
    assert copies(run_steps(trainer, 0, 1)) == [GiveMoments(Generation(1), Step(2))]
    (holding,) = said(trainer.handle(word(Regroup(Generation(2), "a death")), NOW), Holding)
    # Of what it held as it joined the steps have left the lanes that it computes.
    assert holding.kept == runs_of(FOUR.lanes)
    trainer.handle(word(replace(FOUR, generation=Generation(2), teams=3)), NOW)
    cut = EngineAborted(Generation(2), 2, False, "cut", kept=((1, 4),))
    trainer.handle(cut, NOW)
    (holding,) = said(trainer.handle(word(Regroup(Generation(3), "again")), NOW), Holding)
    assert holding.kept == ((1, 4),)
