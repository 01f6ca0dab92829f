"""A memory rank: what it keeps of blocks, and what it tells of those to come."""

import pytest
from msgspec.structs import replace

from qmpi.config.data import CorpusSource, DataSettings
from qmpi.config.memory import MemorySettings
from qmpi.config.settings import Settings
from qmpi.policy.homes import home_of
from qmpi.policy.reads import place_of_block
from qmpi.policy.stream import first_recipe
from qmpi.ports.data import BlockBuilt, BuildBlock
from qmpi.ports.transport import Received, Send
from qmpi.protocol.blocks import BlockReply, BlockRequest
from qmpi.protocol.envelope import WIRE_VERSION, Address, Header, RoleName
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.pulse import Directory
from qmpi.roles.directory import DirectoryChanged
from qmpi.roles.facts import RankFacts
from qmpi.roles.memory import LEAST_BLOCKS, Memory

HERE, ASKING = Address(2, RoleName.MEMORY), Address(1, RoleName.TRAINER)
FACTS = RankFacts(2, "here", 104, Address(0, RoleName.COORDINATOR), (2,))
SOURCES = (SourceFact("words", 100_000, "d"),)
JOB = Settings(data=DataSettings(sources=(CorpusSource(name="words", path="/words"),)))
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


def asked(role, step, lane, block=-1):
    header = Header(
        version=WIRE_VERSION, source=ASKING, target=HERE, sequence=1, generation=1, cause="a test"
    )
    effects = role.handle(Received(header, BlockRequest(step, lane, block), ()), 0.0)
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


def test_nothing_is_told_to_other_policies_or_where_blocks_have_other_numbers():
    by_the_past = replace(JOB, memory=MemorySettings(policy="lru"))
    assert asked(memory(by_the_past), 5, 0)[0].coming is None
    role = memory(SMALL)
    assert asked(role, 5, 0, block=17)[0].coming is None
    assert asked(role, 5, 1, block=5 * 8 + 1)[0].coming is not None


def test_what_a_rank_warns_of_stays_in_what_it_is_doing():
    role = memory(JOB)
    asked(role, 0, 0)
    role.handle(BlockBuilt(0, 0, "0 0", b"ids", "takes too much"), 0.0)
    assert role.state.activity == "idle; takes too much"
    asked(role, 0, 1)
    role.handle(BlockBuilt(0, 1, "0 1", b"ids"), 0.0)
    assert role.state.activity == "idle; takes too much"


def test_the_blocks_that_were_used_last_are_kept_and_served_at_once():
    role = memory(JOB)
    count = max(LEAST_BLOCKS, 2 * 8 * (JOB.data.prefetch_steps + 1))
    for step in range(count // 8 + 1):
        for lane in range(8):
            asked(role, step, lane)
            role.handle(BlockBuilt(step, lane, f"{step} {lane}", b"ids"), 0.0)
            role.check()
            asked(role, 0, 0)
    assert len(role.held) == count
    (reply,) = asked(role, 0, 0)
    assert isinstance(reply, Send)
    assert reply.message == BlockReply(0, 0, "0 0")
    assert isinstance(asked(role, 0, 1)[0], BuildBlock)
