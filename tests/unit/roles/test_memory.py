"""A memory rank: what it keeps of blocks, and what it tells of those to come."""

import pytest
from msgspec.structs import replace

from qmpi.config.data import ContentSource, CorpusSource, DataSettings
from qmpi.config.memory import MemorySettings
from qmpi.config.settings import Settings
from qmpi.policy.homes import home_of
from qmpi.policy.reads import place_of_block
from qmpi.policy.stream import first_recipe
from qmpi.ports.clock import Slept, TimerFired
from qmpi.ports.data import (
    Block,
    BlockBroken,
    BlockBuilt,
    BuildBlock,
    OpenSources,
    SourcesAway,
    SourcesOpened,
)
from qmpi.ports.processes import LeaveJob
from qmpi.ports.transport import Received, Send
from qmpi.protocol.blocks import BlockFailed, BlockReply, BlockRequest, RowsReply, frame_digest
from qmpi.protocol.envelope import WIRE_VERSION, Address, Header, RoleName
from qmpi.protocol.level_use import LevelUse
from qmpi.protocol.membership import Crashed, Hello, SourceFact
from qmpi.protocol.pulse import Directory
from qmpi.roles.directory import DirectoryChanged
from qmpi.roles.facts import RankFacts
from qmpi.roles.memory import LEAST_BLOCKS, Memory

HERE, ASKING = Address(2, RoleName.MEMORY), Address(1, RoleName.TRAINER)
FACTS = RankFacts(2, "here", 104, Address(0, RoleName.COORDINATOR), (2,))
SOURCES = (SourceFact("words", 100_000, "d"),)
JOB = Settings(data=DataSettings(sources=(CorpusSource(name="words", path="/words"),)))
DIGEST = frame_digest(b"ids")
OF_ROWS = (0, 0, 0, 0)
SMALL = replace(JOB, memory=MemorySettings(budget=1 << 20))


def memory(settings, memories=(2, 3)):
    role = Memory(settings, FACTS)
    known(role, 1, memories)
    return role


def known(role, revision, memories):
    directory = Directory(
        revision=revision, memories=memories, sources=SOURCES, recipes=(first_recipe([1.0], 0),)
    )
    role.handle(DirectoryChanged(directory), 0.0)


def asked(role, step, lane, block=-1, now=0.0, by=ASKING):
    header = Header(
        version=WIRE_VERSION, source=by, target=HERE, sequence=1, generation=1, cause="a test"
    )
    effects = role.handle(Received(header, BlockRequest(step, lane, block), ()), now)
    role.check()
    return effects


@pytest.mark.parametrize("settings", [SMALL, JOB])
def test_blocks_ahead_are_told_whether_or_not_all_corpora_fit(settings):
    (work,) = asked(memory(settings), 5, 0)
    assert isinstance(work, BuildBlock)
    homes = [(s, n) for s in range(5, 9) for n in range(8) if home_of(s, n, (2, 3)) == 2]
    assert [place for place, _ in work.coming.blocks] == [place_of_block(*at) for at in homes[:4]]
    rows = dict(work.coming.blocks).get(place_of_block(5, 0), work.rows)
    assert rows == work.rows


def test_all_is_told_anew_when_another_memory_rank_dies():
    role = memory(SMALL)
    told = [asked(role, 5, lane)[0].coming.is_anew for lane in (0, 1)]
    known(role, 2, (2,))
    told += [asked(role, 5, lane)[0].coming.is_anew for lane in (2, 3)]
    assert told == [True, False, True, False]


def test_nothing_is_told_to_other_policies():
    by_the_past = replace(JOB, memory=MemorySettings(policy="lru"))
    assert asked(memory(by_the_past), 5, 0)[0].coming is None


@pytest.mark.parametrize("block", [5 * 8, 17])
def test_where_blocks_have_other_numbers_those_are_told(block):
    role = memory(SMALL)
    (work,) = asked(role, 5, 0, block=block)
    coming = dict(work.coming.blocks)
    assert coming.get(place_of_block(5, 0), work.rows) == work.rows
    (later,) = asked(role, 5, 1, block=block + 1)
    assert not later.coming.is_anew
    coming.update(later.coming.blocks)
    works = {(5, 1): later, (6, 0): None, (6, 5): None}
    for (step, lane), work in works.items():
        number = block + 8 * (step - 5) + lane
        made = work or asked(role, step, lane, block=number)[0]
        assert coming.get(place_of_block(step, lane), made.rows) == made.rows
    assert len(set(coming) & {place_of_block(s, n) for s in (5, 6) for n in range(8)}) > 4


def test_what_a_rank_warns_of_stays_in_what_it_is_doing():
    role = memory(JOB)
    asked(role, 0, 0)
    role.handle(BlockBuilt(0, 0, Block("0 0", b"ids"), "takes too much"), 0.0)
    assert role.state.activity == "idle; takes too much"
    asked(role, 0, 1)
    role.handle(BlockBuilt(0, 1, Block("0 1", b"ids")), 0.0)
    assert role.state.activity == "idle; takes too much"


def test_the_blocks_that_were_used_last_are_kept_and_served_at_once():
    role = memory(JOB)
    count = max(LEAST_BLOCKS, 2 * 8 * (JOB.data.prefetch_steps + 1))
    for step in range(count // 8 + 1):
        for lane in range(8):
            asked(role, step, lane)
            role.handle(BlockBuilt(step, lane, Block(DIGEST, b"ids")), 0.0)
            role.check()
            asked(role, 0, 0)
    assert len(role.held) == count
    (reply,) = asked(role, 0, 0)
    assert isinstance(reply, Send)
    assert reply.message == BlockReply(0, 0, DIGEST, sources=OF_ROWS)
    assert isinstance(asked(role, 0, 1)[0], BuildBlock)


def later(role, end, now=0.0):
    """Time passes, second by second, until the role wants something: what, and when."""
    while now < end:
        now += 1.0
        effects = role.handle(TimerFired("retry"), now)
        role.check()
        wanted = [one for one in effects if isinstance(one, BuildBlock | Send)]
        if wanted:
            return [(now, one) for one in wanted]
    return []


def away(role, step, lane, now):
    effects = role.handle(BlockBroken(step, lane, "stale", is_away=True), now)
    role.check()
    return effects


def test_a_block_out_of_reach_is_built_again_and_its_asker_hears_nothing_until_it_is_there():
    role = memory(SMALL)
    (work,) = asked(role, 5, 0)
    assert work.coming is not None
    now, tries = 0.0, 0
    while now < 100.0:
        assert away(role, 5, 0, now) == []
        assert "stale" in role.state.activity
        assert asked(role, 5, 0, now=now) == []
        ((now, again),) = later(role, now + 16.0, now)
        assert (again.rows, again.made, again.coming) == (work.rows, work.made, None)
        tries += 1
    assert 7 < tries < 15
    (reply,) = role.handle(BlockBuilt(5, 0, Block(DIGEST, b"ids")), now)
    assert reply.message == BlockReply(5, 0, DIGEST, sources=OF_ROWS)
    assert not role.put_off
    assert not role.outage.reads


def test_once_patience_is_over_the_asker_is_told_who_is_at_fault():
    role, now = memory(JOB), 0.0
    asked(role, 5, 0)
    refused = away(role, 5, 0, now)
    while not refused:
        ((now, _),) = later(role, now + 16.0, now)
        refused = away(role, 5, 0, now)
    assert JOB.memory.patience_seconds <= now < JOB.memory.patience_seconds + 16
    why = "rank 2 on here: out of reach for 300 s: stale"
    assert [one.message for one in refused] == [BlockFailed(5, 0, why, is_away=True)]
    assert not role.numbers
    # The next block gets one try.
    asked(role, 5, 1, now=now)
    assert [type(one.message) for one in away(role, 5, 1, now)] == [BlockFailed]


def test_damage_is_told_at_once():
    role = memory(JOB)
    asked(role, 5, 0)
    (refused,) = role.handle(BlockBroken(5, 0, "shard 3 is damaged"), 1.0)
    assert refused.message == BlockFailed(5, 0, "shard 3 is damaged")
    assert not role.numbers


def test_a_read_that_hangs_is_given_up_and_taken_when_it_comes_all_the_same():
    role = memory(JOB)
    asked(role, 5, 0)
    assert later(role, 299.0) == []
    assert "takes long" in role.state.activity
    ((_, refused),) = later(role, 310.0, 299.0)
    assert refused.message.is_away
    assert "hangs" in refused.message.reason
    # While it hangs nothing is queued behind it.
    for lane in range(4):
        (refused,) = asked(role, 5, lane, now=311.0)
        assert refused.message.is_away
    assert list(role.building) == [(5, 0)]
    assert role.handle(BlockBuilt(5, 0, Block(DIGEST, b"ids")), 312.0) == []
    (reply,) = asked(role, 5, 0, now=313.0)
    assert reply.message == BlockReply(5, 0, DIGEST, sources=OF_ROWS)
    assert isinstance(asked(role, 5, 1, now=313.0)[0], BuildBlock)


def test_a_rank_that_did_not_run_itself_takes_no_read_for_one_that_hangs():
    role = memory(JOB)
    asked(role, 5, 0)
    role.handle(Slept(1000.0), 1000.0)
    assert later(role, 1299.0, 1000.0) == []
    ((_, refused),) = later(role, 1310.0, 1299.0)
    assert "hangs" in refused.message.reason


def test_a_block_that_was_damaged_in_memory_is_built_again():
    role = memory(JOB)
    asked(role, 5, 0)
    role.handle(BlockBuilt(5, 0, Block(DIGEST, b"idz")), 0.0)
    assert isinstance(asked(role, 5, 0)[0], BuildBlock)
    (reply,) = role.handle(BlockBuilt(5, 0, Block(DIGEST, b"ids")), 0.0)
    assert reply.frames == (b"ids",)
    assert isinstance(asked(role, 5, 0)[0], Send)


def test_a_held_block_is_hashed_for_those_alone_who_ask_again(monkeypatch):
    hashed = []
    monkeypatch.setattr(
        "qmpi.roles.memory.frame_digest", lambda ids: (hashed.append(ids), frame_digest(ids))[1]
    )
    role = memory(JOB)
    asked(role, 5, 0)
    role.handle(BlockBuilt(5, 0, Block(DIGEST, b"ids")), 0.0)
    for rank in (7, 8, 9):
        (reply,) = asked(role, 5, 0, by=Address(rank, RoleName.TRAINER))
        assert reply.frames == (b"ids",)
    assert hashed == []
    for rank in (8, 1):
        assert isinstance(asked(role, 5, 0, by=Address(rank, RoleName.TRAINER))[0], Send)
    assert len(hashed) == 2


def test_a_block_that_fell_over_in_memory_is_built_again_once_somebody_asks_again():
    role, other = memory(JOB), Address(7, RoleName.TRAINER)
    asked(role, 5, 0)
    role.handle(BlockBuilt(5, 0, Block(DIGEST, b"ids")), 0.0)
    role.held._items[(5, 0)].value = Block(DIGEST, b"idz")
    assert asked(role, 5, 0, by=other)[0].frames == (b"idz",)
    assert isinstance(asked(role, 5, 0, by=other)[0], BuildBlock)


def test_what_the_levels_were_asked_for_is_told_with_what_it_is_doing():
    role = memory(JOB)
    assert role.state.levels == ()
    told = (LevelUse("memory", 3, 1, 300, 0.5), LevelUse("shards", 1, 0, 70, 0.25))
    for lane, levels in enumerate((told, ())):
        asked(role, 0, lane)
        role.handle(BlockBuilt(0, lane, Block("0 0", b"ids"), levels=levels), 0.0)
        assert role.state.levels == told


def test_rows_that_were_damaged_on_their_way_are_asked_for_again():
    content = ContentSource(name="words", type="code")
    role = Memory(replace(JOB, data=DataSettings(sources=(content,))), FACTS)
    directory = Directory(
        revision=1, generators=(4,), memories=(2,), sources=(SourceFact("words", 0, "d"),),
        recipes=(first_recipe([1.0], 0),),
    )  # fmt: skip
    role.handle(DirectoryChanged(directory), 0.0)
    (request,) = asked(role, 5, 0)
    header = Header(
        version=WIRE_VERSION, source=request.to, target=HERE, sequence=1, generation=1, cause="test"
    )
    reply = RowsReply(5, 0, "words", frame_digest(b"rows"))
    assert role.handle(Received(header, reply, (b"rowz",)), 1.0) == []
    again = [one for _, one in later(role, 10.0)]
    assert again
    assert again[0].message == request.message
    (work,) = role.handle(Received(header, reply, (b"rows",)), 11.0)
    assert work.made == ((0, b"rows"),)


def test_sources_out_of_reach_are_opened_later():
    role = Memory(JOB, FACTS)
    assert OpenSources() in role.on_start(0.0)
    assert role.handle(SourcesAway("stale"), 0.0) == []
    assert "stale" in role.state.activity
    assert [type(one) for one in role.handle(TimerFired("retry"), 1.0)][-1] is OpenSources
    (hello,) = role.handle(SourcesOpened(SOURCES), 2.0)
    assert isinstance(hello.message, Hello)


def test_who_cannot_open_the_sources_at_all_leaves():
    for comes in (SourcesAway("stale"), None):
        role = Memory(JOB, FACTS)
        role.on_start(0.0)
        wanted, now = [], 0.0
        while now < 320.0 and not wanted:
            wanted = [*(role.handle(comes, now) if comes else ()), *role.on_retry(now)]
            wanted = [one for one in wanted if not isinstance(one, OpenSources)]
            now += 20.0
        told, leave = wanted
        assert isinstance(told.message, Crashed)
        assert isinstance(leave, LeaveJob)
        assert "out of reach for 300 s" in leave.reason
