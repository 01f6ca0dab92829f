"""The order of reads by arithmetic, and how a memory rank comes to know it."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.batch import BatchSettings
from qmpi.config.data import CorpusSource, DataSettings
from qmpi.config.memory import MemorySettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.policy import foresight
from qmpi.policy.foresight import Foresight, is_worth_it
from qmpi.policy.homes import home_of
from qmpi.policy.reads import coming_blocks, coming_rows, place_of_block
from qmpi.policy.stream import first_recipe, next_recipe, rows_of_block
from qmpi.protocol.batch import begun_batch, first_block
from qmpi.protocol.membership import SourceFact

LANES, ROWS, STEPS = 3, 2, 40
FACTS = (SourceFact("a", 50, "d"), SourceFact("b", 0, "d"))
RECIPES = (first_recipe([2.0, 1.0], 5),)
JOB = Settings(
    train=TrainSettings(
        steps=STEPS, lanes=LANES, microbatches=1, sequences=ROWS, sequence_tokens=128
    ),
    data=DataSettings(
        sources=(CorpusSource(name="a", path="/a"), CorpusSource(name="b", path="/b"))
    ),
    memory=MemorySettings(budget=1000),
)
RANKS = st.lists(st.integers(0, 60), min_size=1, max_size=5, unique=True)


@given(RANKS, st.integers(0, STEPS - 4))
@settings(max_examples=25, deadline=None)
def test_all_blocks_come_in_order_each_at_its_home_with_its_rows(ranks, first):
    blocks = coming_blocks(None, LANES, range(first, first + 4), ranks)
    found = list(coming_rows(blocks, RECIPES, FACTS, ROWS))
    assert [(b.step, b.lane) for b, _ in found] == [
        (step, lane) for step in range(first, first + 4) for lane in range(LANES)
    ]
    for block, rows in found:
        assert block.home == home_of(block.step, block.lane, ranks)
        expected = rows_of_block(
            RECIPES, FACTS, block.step, block.lane, lanes=LANES, rows_per_block=ROWS
        )
        assert rows == expected


def test_growing_lanes_take_the_next_blocks():
    job = replace(JOB, batch=BatchSettings(first_lanes=1, grow="linear", grow_steps=6))
    batch = begun_batch(job, 0, 0)
    blocks = list(coming_blocks(batch, LANES, range(9), [7]))
    assert [block.number for block in blocks] == list(range(first_block(batch, 9, LANES)))
    assert [block.place for block in blocks] == sorted(block.place for block in blocks)


@given(RANKS, st.integers(0, 2**20), st.integers(1, 60))
@settings(max_examples=25, deadline=None)
def test_each_block_is_told_once_and_before_it_is_built(ranks, start, most):
    mine, told = ranks[0], []
    first = start % (STEPS - 10)
    seer = Foresight(JOB, mine)
    seer._most = most
    own = [b for b in coming_blocks(None, LANES, range(first, STEPS), ranks) if b.home == mine]
    for number, block in enumerate(own):
        coming = seer.look(block.step, ranks, RECIPES, FACTS)
        assert coming.is_anew is (number == 0)
        told += [place for place, _ in coming.blocks]
        assert block.place in told
        assert coming.passed <= block.place
    assert told == [block.place for block in own][: len(told)]


def test_only_so_many_rows_are_known_ahead():
    seer = Foresight(JOB, 4)
    seer._most = 6
    told = [place for _ in range(50) for place, _ in seer.look(0, [4], RECIPES, FACTS).blocks]
    assert max(told) < place_of_block(6 // LANES + 1 + foresight.BLOCKS_A_BUILD, 0)


def test_all_is_told_anew_when_homes_change_or_the_run_goes_back():
    seer = Foresight(JOB, 4)
    assert seer.look(9, [4, 5], RECIPES, FACTS).is_anew
    assert not seer.look(8, [4, 5], RECIPES, FACTS).is_anew
    assert seer.look(10, [4], RECIPES, FACTS).is_anew
    back = seer.look(2, [4], RECIPES, FACTS)
    assert back.is_anew
    assert back.blocks[0][0] == place_of_block(2, 0)
    assert back.passed == 0
    assert seer.look(3, [5], RECIPES, FACTS).blocks == ()
    assert seer.look(3, [4], RECIPES, FACTS).is_anew
    changed = (*RECIPES, next_recipe(RECIPES[0], 20, 20 * LANES * ROWS, [1.0, 3.0]))
    after = seer.look(3, [4], changed, FACTS)
    assert after.is_anew
    assert after.blocks
    assert not seer.look(3, [4], changed, FACTS).is_anew


def test_it_is_worth_it_where_corpora_are_read_and_lanes_are_known():
    for budget in (1, 1 << 40):
        assert is_worth_it(replace(JOB, memory=MemorySettings(budget=budget)), FACTS)
    assert not is_worth_it(JOB, [SourceFact("a", 0, "d"), SourceFact("b", 0, "d")])
    assert not is_worth_it(replace(JOB, memory=MemorySettings(policy="lru", budget=1)), FACTS)
    assert not is_worth_it(replace(JOB, batch=BatchSettings(first_lanes=1)), FACTS)
