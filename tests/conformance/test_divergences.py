"""The suites can fail: a port that breaks a promise, real or modelled, is caught by a check.

Each port here is the shipped one with one mistake, of the kind that slips in: success told too
early, a check left out, an order turned round.
"""

import time
from itertools import count
from pathlib import Path

import pytest
from conformance import (
    books_suite,
    clock_suite,
    copies_suite,
    data_suite,
    engine_breaks,
    engine_suite,
    processes_suite,
    units_suite,
)
from conformance import planted_processes as planted
from conformance.modelled import books as modelled_books
from conformance.modelled import copies as modelled_copies
from conformance.modelled import data as modelled_data
from conformance.modelled import engine as modelled_engine
from conformance.modelled import processes as modelled_processes
from conformance.modelled import units as modelled_units
from conformance.real import books as real_books
from conformance.real import clock as real_clock
from conformance.real import copies as real_copies
from conformance.real import data as real_data
from conformance.real import engine as real_engine
from conformance.real import processes as real_processes
from conformance.real import units as real_units
from msgspec.structs import replace

from qmpi.driver.tickets import never
from qmpi.ports.books import AppendJournal, WriteEnd
from qmpi.ports.copies import SnapshotStored, StoreSnapshot
from qmpi.ports.data import Block, BlockBroken, BlockBuilt
from qmpi.ports.engine import EngineAborted
from qmpi.ports.units import RunUnit, UnitDone
from qmpi.protocol.membership import SnapshotFact
from qmpi.protocol.work import UnitReport
from qmpi.runtime.books import DiskBooks
from qmpi.runtime.clock import Clock
from qmpi.runtime.copies import FileCopies
from qmpi.runtime.data import FileData
from qmpi.runtime.units import PlanUnits
from qmpi.simulator.ports.books import SimulatedBooks
from qmpi.simulator.ports.copies import SimulatedCopies
from qmpi.simulator.ports.data import SimulatedData
from qmpi.simulator.ports.engine import SimulatedEngine
from qmpi.simulator.ports.units import SimulatedUnits
from qmpi.units import Digest


class EndBeforeJournal:
    """Books that keep records back and write the end before them."""

    def write(self, entry):
        kept = self.__dict__.setdefault("kept", [])
        if isinstance(entry, AppendJournal):
            kept.append(entry)
            return None
        broken = super().write(entry)
        if isinstance(entry, WriteEnd):
            for older in kept:
                super().write(older)
        return broken


class RealEndFirst(EndBeforeJournal, DiskBooks):
    """The real ones."""


class ModelledEndFirst(EndBeforeJournal, SimulatedBooks):
    """The modelled ones."""


class RealHole(DiskBooks):
    """Forgets that a record is missing."""

    def write(self, entry):
        broken = super().write(entry)
        self._owed, self._fault = (), None
        return broken


class ModelledHole(SimulatedBooks):
    """Forgets that a record is missing."""

    def write(self, entry):
        broken = super().write(entry)
        self._owed = ()
        return broken


class ModelledDeaf(SimulatedBooks):
    """Keeps quiet about what it could not write."""

    def write(self, entry):
        super().write(entry)


class WallClock(Clock):
    """Reads the wall clock each time."""

    def now(self):
        return time.time()


class ToldBeforeWritten:
    """Copies that report success and then write."""

    def submit(self, work, reply):
        if isinstance(work, StoreSnapshot):
            fact = SnapshotFact(work.step, work.digest, "ram", "somewhere", work.position)
            reply(SnapshotStored((fact,)))
            super().submit(work, lambda _: None)
        else:
            super().submit(work, reply)


class RealToldEarly(ToldBeforeWritten, FileCopies):
    """The real ones."""


class ModelledToldEarly(ToldBeforeWritten, SimulatedCopies):
    """The modelled ones."""


class Trusting:
    """Copies that believe the digest they are given."""

    def _store(self, work):
        parts = b"".join(map(bytes, work.parts))
        if parts:
            digest = copies_suite.digest_of(parts)
            work = StoreSnapshot(
                work.step, digest, work.parts, "", work.to_ram, work.to_disk, work.position
            )
        return super()._store(work)


class RealTrusting(Trusting, FileCopies):
    """The real ones."""


class RealAllOrNothing(FileCopies):
    """Gives up the disk when the RAM refuses."""

    def _store(self, work):
        stored = super()._store(work)
        broken = copies_suite.SnapshotBroken(work.step, "no RAM", work.position)
        return broken if isinstance(stored, SnapshotStored) and stored.fault else stored


class RealBlind(FileData):
    """Builds a block of something when its rows cannot be read."""

    def _build(self, work):
        built = super()._build(work)
        if isinstance(built, BlockBroken):
            return BlockBuilt(work.step, work.lane, Block(Digest("0" * 32), b"\0" * 64))
        return built


class ModelledBlind(SimulatedData):
    """Hands out a block whatever is wrong with it."""

    def _build(self, work):
        self._around.troubles.expect("block", self._rank, 0)
        return super()._build(work)


class RealHasty(real_engine.GatedEngine):
    """Applies when it has voted, whoever else has."""

    def votes(self, vote):
        del vote
        return lambda: None


class ModelledHasty(SimulatedEngine):
    """Applies when it has voted, whoever else has."""

    def _vote(self, work):
        self._voted(work)


class Stubborn:
    """An engine that does not look whether its work is condemned before it begins."""

    def submit(self, work, condemned, reply):
        begun = count()
        super().submit(work, lambda: condemned() if next(begun) else None, reply)


class ModelledStubborn(Stubborn, SimulatedEngine):
    """The modelled one."""


class RealStubborn(Stubborn, real_engine.GatedEngine):
    """The real one."""


class ModelledDeafToAborts(SimulatedEngine):
    """Waits on when it is told to stop."""

    def submit(self, work, condemned, reply):
        del condemned
        super().submit(work, never, reply)


class Forgetful:
    """An engine that does not say that it holds the reduced gradient."""

    def submit(self, work, condemned, reply):
        def forget(event):
            if isinstance(event, EngineAborted):
                event = EngineAborted(event.generation, event.state_step, False, event.reason)
            reply(event)

        super().submit(work, condemned, forget)


class RealForgetful(Forgetful, real_engine.GatedEngine):
    """The real one."""


class ModelledTalkative(SimulatedEngine):
    """Tells everything twice."""

    def submit(self, work, condemned, reply):
        def twice(event):
            reply(event)
            reply(event)

        super().submit(work, condemned, twice)


class ModelledHurried(SimulatedEngine):
    """Says that a profile is written before its steps are done."""

    def _record(self, work, reply):
        super()._record(work, reply)
        self._end_profile("")


class ModelledReticent(SimulatedEngine):
    """Does not say that it had no memory."""

    def _give_up(self, reason, *, out_of_memory=False, own_fault=False):
        del out_of_memory
        super()._give_up(reason, own_fault=own_fault)


class RealReticent(real_engine.GatedEngine):
    """Dies where it could say that it had no memory."""

    def _run(self, work):
        event = super()._run(work)
        if getattr(event, "out_of_memory", False):
            raise MemoryError
        return event


class ModelledBlaming(SimulatedEngine):
    """Takes its own machine's refusal for a peer's fault."""

    def _give_up(self, reason, *, out_of_memory=False, own_fault=False):
        del own_fault
        super()._give_up(reason, out_of_memory=out_of_memory)


class RealBlaming(real_engine.GatedEngine):
    """Takes its own machine's refusal for a peer's fault."""

    def _join(self, work):
        event = super()._join(work)
        return replace(event, own_fault=False) if isinstance(event, EngineAborted) else event


class UnitsToldEarly:
    """Units that report success and then write."""

    def submit(self, work, reply):
        if isinstance(work, RunUnit):
            reply(UnitDone(work.stage, work.unit, UnitReport()))
            super().submit(work, lambda _: None)
        else:
            super().submit(work, reply)


class RealUnitsToldEarly(UnitsToldEarly, PlanUnits):
    """The real ones."""


class ModelledUnitsToldEarly(UnitsToldEarly, SimulatedUnits):
    """The modelled ones."""


CAUGHT = [
    (real_books, RealEndFirst, books_suite.check_records_are_written_when_the_call_returns),
    (modelled_books, ModelledEndFirst, books_suite.check_no_end_stands_over_a_hole),
    (real_books, RealHole, books_suite.check_no_end_stands_over_a_hole),
    (modelled_books, ModelledHole, books_suite.check_a_hole_in_the_journal_is_never_written_over),
    (modelled_books, ModelledDeaf, books_suite.check_a_full_disk_writes_no_end),
    (real_clock, WallClock, clock_suite.check_a_wall_clock_that_is_set_back_moves_it_not),
    (real_copies, RealToldEarly, copies_suite.check_a_copy_stands_when_it_is_reported),
    (modelled_copies, ModelledToldEarly, copies_suite.check_a_copy_stands_when_it_is_reported),
    (real_copies, RealTrusting, copies_suite.check_damaged_parts_are_never_stored),
    (
        real_copies, RealAllOrNothing,
        copies_suite.check_a_full_ram_does_not_keep_the_disk_from_its_copy,
    ),
    (real_data, RealBlind, data_suite.check_damage_is_named_and_harms_no_other_block),
    (modelled_data, ModelledBlind, data_suite.check_damage_is_named_and_harms_no_other_block),
    (real_engine, RealHasty, engine_breaks.check_nobody_applies_before_all_have_voted),
    (modelled_engine, ModelledHasty, engine_breaks.check_nobody_applies_before_all_have_voted),
    (
        modelled_engine, ModelledStubborn,
        engine_breaks.check_work_that_is_condemned_before_it_is_begun_changes_nothing,
    ),
    (
        real_engine, RealStubborn,
        engine_breaks.check_work_that_is_condemned_before_it_is_begun_changes_nothing,
    ),
    (modelled_engine, ModelledDeafToAborts, engine_breaks.check_an_abort_ends_a_join),
    (real_engine, RealForgetful, engine_breaks.check_a_step_that_both_hold_is_finished_by_a_join),
    (modelled_engine, ModelledTalkative, engine_suite.check_a_step_says_what_it_did),
    (
        modelled_engine, ModelledHurried,
        engine_suite.check_a_profile_ends_after_its_steps_and_changes_no_weights,
    ),
    (
        modelled_engine, ModelledReticent,
        engine_suite.check_a_step_without_memory_leaves_all_as_it_was,
    ),
    (real_engine, RealReticent, engine_suite.check_a_step_without_memory_leaves_all_as_it_was),
    (
        modelled_engine, ModelledBlaming,
        engine_suite.check_a_member_without_room_for_a_connection_says_so,
    ),
    (real_engine, RealBlaming, engine_suite.check_a_member_without_room_for_a_connection_says_so),
    (real_processes, planted.RealRuthless, processes_suite.check_a_stranger_is_never_fenced),
    (
        real_processes, planted.RealRuthless,
        processes_suite.check_the_number_of_a_far_rank_names_nobody_here,
    ),
    (real_processes, planted.RealRepeating, processes_suite.check_a_request_to_stop_is_told_once),
    (
        modelled_processes, planted.ModelledRepeating,
        processes_suite.check_a_request_to_stop_is_told_once,
    ),
    (
        real_processes, planted.RealOblivious,
        processes_suite.check_that_a_request_for_weights_is_taken_back_is_told_once,
    ),
    (
        modelled_processes, planted.ModelledOblivious,
        processes_suite.check_that_a_request_for_weights_is_taken_back_is_told_once,
    ),
    (real_units, RealUnitsToldEarly, units_suite.check_a_unit_ends_in_its_file),
    (modelled_units, ModelledUnitsToldEarly, units_suite.check_a_unit_ends_in_its_file),
]  # fmt: skip


def _world(module, folder: Path, kind):
    name = module.__name__.split(".")[-2]
    return getattr(module, f"{name}_world")(folder, kind)


@pytest.mark.parametrize(("module", "kind", "check"), CAUGHT, ids=lambda part: part.__name__)
def test_a_port_that_breaks_a_promise_is_caught(tmp_path, module, kind, check):
    with pytest.raises(AssertionError), _world(module, tmp_path, kind) as world:
        check(world)
