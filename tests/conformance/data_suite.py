"""What all data must do: blocks are functions of addresses; damage is named, never trained on."""

import hashlib
from collections.abc import Callable
from typing import Protocol

from conformance.asking import Moving, all_outcomes, get
from msgspec.structs import replace

from qmpi.config.data import Source
from qmpi.ports.base import Frame
from qmpi.ports.data import (
    BlockBroken,
    BlockBuilt,
    BuildBlock,
    Data,
    MakeRows,
    OpenSources,
    RowsBroken,
    RowsMade,
    SourcesAway,
    SourcesOpened,
)
from qmpi.protocol.added import Proposal
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.recipe import RowAddress
from qmpi.units import Lane, Rank, Step

CORPUS, MADE, FURTHER = 0, 1, 2
"""Numbers of the sources that a world offers: a corpus, generated text, and the next one."""

WHO = Address(Rank(3), RoleName.MEMORY)
STEP, LANE = Step(4), Lane(2)


class World(Moving, Protocol):
    """Data of one rank.

    Attributes:
        data: its port.
        sound: rows of the corpus that `damage` leaves alone.
        doomed: rows of the corpus that it strikes.
        artefact: what `BlockBroken` must name then.
        further: a generated source that the job does not have, and can.
        absent: a corpus that it does not have, and that is not there once `lose` is called.
    """

    data: Data
    sound: tuple[int, ...]
    doomed: tuple[int, ...]
    artefact: str
    further: Source
    absent: Source

    def lose_absent(self) -> None:
        """Let the next try to open `absent` fail."""
        ...

    def damage(self) -> None:
        """Damage an artefact behind the `doomed` rows."""
        ...

    def remove(self) -> None:
        """Remove an artefact behind the `doomed` rows."""
        ...

    def mend(self) -> None:
        """Bring back what was there."""
        ...

    def lose(self) -> None:
        """Take all files of the corpus out of reach."""
        ...

    def find(self) -> None:
        """Bring them back within reach."""
        ...

    def another(self) -> Data:
        """Return the data of another rank, over the same sources."""
        ...


def corpus_rows(rows: tuple[int, ...]) -> tuple[RowAddress, ...]:
    return tuple(RowAddress(CORPUS, row) for row in rows)


def block(rows: tuple[RowAddress, ...], made: tuple[tuple[int, Frame], ...] = ()) -> BuildBlock:
    return BuildBlock(STEP, LANE, rows, made)


def built(world: World, work: BuildBlock, data: Data | None = None) -> BlockBuilt:
    found = get(world, (data or world.data).submit, work, BlockBuilt)
    return replace(found, levels=())  # what a cache was asked for is no part of a block


def made_rows(world: World, *rows: int, data: Data | None = None) -> bytes:
    name = source_name(world, MADE)
    work = MakeRows(WHO, STEP, LANE, name, rows)
    made = get(world, (data or world.data).submit, work, RowsMade)
    assert (made.requester, made.step, made.lane, made.source) == (WHO, STEP, LANE, name)
    return bytes(made.frame)


def source_name(world: World, number: int) -> str:
    return get(world, world.data.submit, OpenSources(), SourcesOpened).sources[number].name


def check_sources_are_opened_once_and_told_alike(world: World) -> None:
    first = get(world, world.data.submit, OpenSources(), SourcesOpened)
    assert first.sources[CORPUS].rows > max(world.sound + world.doomed)
    assert first.sources[MADE].rows == 0
    assert all(source.digest for source in first.sources)
    assert get(world, world.data.submit, OpenSources(), SourcesOpened) == first
    assert get(world, world.another().submit, OpenSources(), SourcesOpened) == first


def check_further_sources_lie_behind_those_of_the_job(world: World) -> None:
    first = get(world, world.data.submit, OpenSources(), SourcesOpened)
    proposal = Proposal("a", (world.further,))
    tried = get(world, world.data.submit, OpenSources((), proposal), SourcesOpened)
    assert (tried.sources[:-1], tried.request, tried.fault) == (first.sources, "a", "")
    assert tried.sources[-1].name == world.further.name
    added = OpenSources((world.further,))
    for data in (world.data, world.another()):
        assert get(world, data.submit, added, SourcesOpened).sources == tried.sources
        assert get(world, data.submit, added, SourcesOpened).sources == tried.sources
    work = MakeRows(WHO, STEP, LANE, world.further.name, (1, 0))
    frame = get(world, world.data.submit, work, RowsMade).frame
    rows = (RowAddress(FURTHER, 1), RowAddress(FURTHER, 0), RowAddress(CORPUS, world.sound[0]))
    assert built(world, block(rows, ((FURTHER, frame),)))


def check_a_further_source_that_cannot_be_opened_is_told_and_spoils_no_other(world: World) -> None:
    first = get(world, world.data.submit, OpenSources(), SourcesOpened)
    world.lose_absent()
    work = OpenSources((), Proposal("a", (world.absent,)))
    tried = get(world, world.data.submit, work, SourcesOpened)
    assert (tried.sources, tried.request) == (first.sources, "a")
    assert world.absent.name in tried.fault
    other = OpenSources((), Proposal("b", (world.further,)))
    assert get(world, world.data.submit, other, SourcesOpened).fault == ""
    assert get(world, world.data.submit, OpenSources(), SourcesOpened) == first
    rows = MakeRows(WHO, STEP, LANE, world.further.name, (1,))
    get(world, world.data.submit, rows, RowsBroken)
    built(world, block(corpus_rows(world.sound)))
    made_rows(world, 1)


def check_a_block_is_a_function_of_its_addresses(world: World) -> None:
    work = block(corpus_rows(world.sound))
    first = built(world, work)
    assert (first.step, first.lane) == (STEP, LANE)
    assert built(world, work) == first
    assert built(world, work, world.another()) == first
    other = built(world, BuildBlock(Step(9), Lane(0), work.rows, ()))
    assert other.block == first.block


def check_other_rows_or_another_order_make_another_block(world: World) -> None:
    rows = corpus_rows(world.sound)
    digests = {built(world, block(some)).block.digest for some in (rows, rows[::-1], rows[:-1])}
    assert len(digests) == 3


def check_the_digest_is_that_of_the_frame(world: World) -> None:
    found = built(world, block(corpus_rows(world.sound))).block
    assert found.digest == hashlib.blake2b(found.frame, digest_size=16).hexdigest()


def check_rows_are_a_function_of_their_numbers(world: World) -> None:
    first = made_rows(world, 0, 5, 2)
    assert made_rows(world, 0, 5, 2) == first
    assert made_rows(world, 0, 5, 2, data=world.another()) == first
    assert made_rows(world, 0, 2, 5) != first


def check_generated_rows_enter_the_block(world: World) -> None:
    rows = (RowAddress(CORPUS, world.sound[0]), RowAddress(MADE, 0), RowAddress(MADE, 5))
    frame, other = made_rows(world, 0, 5), made_rows(world, 0, 6)
    first = built(world, block(rows, ((MADE, frame),)))
    assert built(world, block(rows, ((MADE, frame),))) == first
    assert built(world, block(rows, ((MADE, memoryview(bytearray(frame))),))) == first
    assert built(world, block(rows, ((MADE, other),))).block.digest != first.block.digest


def check_rows_of_no_source_are_refused(world: World) -> None:
    work = MakeRows(WHO, STEP, LANE, "there is no such source", (1,))
    broken = get(world, world.data.submit, work, RowsBroken)
    assert (broken.requester, broken.step, broken.lane) == (WHO, STEP, LANE)
    assert "there is no such source" in broken.reason
    made_rows(world, 1)


def check_made_rows_that_do_not_fit_are_refused(world: World) -> None:
    rows = (RowAddress(MADE, 0), RowAddress(MADE, 5))
    frame = made_rows(world, 0, 5)
    for bad in (frame[:-1], b"", frame + frame):
        broken = get(world, world.data.submit, block(rows, ((MADE, bad),)), BlockBroken)
        assert (broken.step, broken.lane) == (STEP, LANE)
        assert broken.reason
    built(world, block(rows, ((MADE, frame),)))


def _broken_and_mended(world: World, harm: Callable[[], None]) -> None:
    before = built(world, block(corpus_rows(world.doomed)), world.another())
    harm()
    broken = get(world, world.data.submit, block(corpus_rows(world.doomed)), BlockBroken)
    assert (broken.step, broken.lane) == (STEP, LANE)
    assert world.artefact in broken.reason
    assert not broken.is_away
    built(world, block(corpus_rows(world.sound)))
    made_rows(world, 3)
    world.mend()
    assert built(world, block(corpus_rows(world.doomed))) == before


def check_damage_is_named_and_harms_no_other_block(world: World) -> None:
    _broken_and_mended(world, world.damage)


def check_what_is_missing_is_named_and_harms_no_other_block(world: World) -> None:
    _broken_and_mended(world, world.remove)


def check_what_is_out_of_reach_is_told_apart_and_comes_back(world: World) -> None:
    work, fresh = block(corpus_rows(world.doomed)), world.another()
    before = built(world, work, world.another())
    built(world, block(corpus_rows(world.sound)))
    world.lose()
    broken = get(world, world.data.submit, work, BlockBroken)
    assert (broken.step, broken.lane, broken.is_away) == (STEP, LANE, True)
    assert get(world, fresh.submit, OpenSources(), SourcesAway).reason
    world.find()
    assert built(world, work) == before
    get(world, fresh.submit, OpenSources(), SourcesOpened)
    assert built(world, work, fresh) == before


def check_work_is_done_in_the_order_asked(world: World) -> None:
    name = source_name(world, MADE)
    works = [
        block(corpus_rows(world.sound)), MakeRows(WHO, STEP, LANE, name, (1,)),
        MakeRows(WHO, STEP, LANE, "none", (1,)), block(corpus_rows(world.sound[:1])),
    ]  # fmt: skip
    events = all_outcomes(world, world.data.submit, works)
    assert [number for number, _ in events] == [0, 1, 2, 3]
    kinds = [type(event) for _, event in events]
    assert kinds == [BlockBuilt, RowsMade, RowsBroken, BlockBuilt]


Check = Callable[[World], None]
CHECKS: tuple[Check, ...] = (
    check_sources_are_opened_once_and_told_alike,
    check_further_sources_lie_behind_those_of_the_job,
    check_a_further_source_that_cannot_be_opened_is_told_and_spoils_no_other,
    check_a_block_is_a_function_of_its_addresses,
    check_other_rows_or_another_order_make_another_block,
    check_the_digest_is_that_of_the_frame,
    check_rows_are_a_function_of_their_numbers,
    check_generated_rows_enter_the_block,
    check_rows_of_no_source_are_refused,
    check_made_rows_that_do_not_fit_are_refused,
    check_damage_is_named_and_harms_no_other_block,
    check_what_is_missing_is_named_and_harms_no_other_block,
    check_what_is_out_of_reach_is_told_apart_and_comes_back,
    check_work_is_done_in_the_order_asked,
)
