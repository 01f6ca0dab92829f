"""The order of reads by arithmetic, and how a memory rank comes to know it."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.batch import BatchSettings
from qmpi.config.curriculum import CurriculumSettings, StageSettings
from qmpi.config.data import ContentSource, CorpusSource, DataSettings
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
    assert is_worth_it(replace(JOB, batch=BatchSettings(first_lanes=1)), FACTS)


GROWING = [
    BatchSettings(first_lanes=2),
    BatchSettings(first_lanes=1, grow="linear", grow_steps=17),
    BatchSettings(first_lanes=1, grow="doubling", grow_steps=11),
]


def follow(job, batches, first=0):
    """Build all blocks of the only rank as `batches` number them; return what was told of each."""
    seer, told, right = Foresight(job, 4), {}, {}
    for step in range(first, STEPS):
        batch = next(b for b in reversed(batches) if b is None or b.since <= step)
        for block in coming_blocks(batch, LANES, [step], [4]):
            begins = block.number - block.lane
            coming = seer.look(block.step, [4], RECIPES, FACTS, begins)
            told = dict(coming.blocks) if coming.is_anew else {**told, **dict(coming.blocks)}
            rows = dict(coming_rows([block], RECIPES, FACTS, ROWS))[block]
            right[block.place] = told.get(block.place) == rows
    return right


@given(st.sampled_from(GROWING), st.integers(0, STEPS - 1))
@settings(max_examples=25, deadline=None)
def test_lanes_that_grow_by_the_job_file_are_known_whenever_a_rank_begins(batch, first):
    job = replace(JOB, batch=batch)
    assert all(follow(job, [begun_batch(job, 0, 0)], first).values())


@given(st.integers(1, STEPS - 2), st.integers(0, 50), st.integers(0, STEPS - 1))
@settings(max_examples=25, deadline=None)
def test_data_that_were_passed_over_are_not_told(step, passed, first):
    later = begun_batch(JOB, step, step * LANES + passed)
    assert all(follow(JOB, [None, later], first).values())


@given(st.integers(2, 20), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_lanes_that_doubled_since_noise_said_so_are_known_a_step_later(step, passed):
    job = replace(JOB, batch=BatchSettings(first_lanes=1, grow="noise", grow_steps=9))
    begun = begun_batch(job, 0, 0)
    block = first_block(begun, step, LANES) + passed
    right = follow(job, [begun, replace(begun, since=step, block=block, lanes=2)])
    wrong = [place for place, is_right in right.items() if not is_right]
    assert set(wrong) <= {place_of_block(s, lane) for s in (step, step + 1) for lane in (0, 1)}


STAGED = CurriculumSettings(
    kind="adaptive", sets=("batch",), stages=(StageSettings(batch_factor=0.34),)
)
GENERATED = (ContentSource(name="sums", type="mathematics"),)


@given(st.integers(2, 20))
@settings(max_examples=25, deadline=None)
def test_lanes_that_a_stage_has_set_are_known_a_step_later(step):
    job = replace(JOB, data=DataSettings(sources=GENERATED), curriculum=STAGED)
    begun = begun_batch(job, 0, 0)
    assert begun.lanes == 1
    block = first_block(begun, step, LANES)
    right = follow(job, [begun, replace(begun, since=step, block=block, lanes=3)])
    wrong = [place for place, is_right in right.items() if not is_right]
    assert set(wrong) <= {place_of_block(s, lane) for s in (step, step + 1) for lane in range(3)}


def test_of_lanes_that_grow_by_an_unknown_rule_nothing_is_told():
    job = replace(JOB, batch=GROWING[1])
    seer = Foresight(job, 4)
    assert seer.look(9, [4], RECIPES, FACTS, 500).blocks == ()
    fits = first_block(begun_batch(job, 0, 0), 10, LANES)
    assert seer.look(10, [4], RECIPES, FACTS, fits).blocks


def test_requests_of_a_window_that_overtake_one_another_change_nothing():
    job = replace(JOB, batch=BatchSettings(first_lanes=1, grow="noise", grow_steps=9))
    seer = Foresight(job, 4)
    asked = [(4, 4), (5, 5), (6, 7), (5, 5), (7, 9), (6, 7), (8, 11), (7, 9)]
    told = [seer.look(step, [4], RECIPES, FACTS, first).is_anew for step, first in asked]
    assert told == [True, False, True, False, False, False, False, False]


def test_among_very_many_ranks_nothing_is_foreseen():
    few, many = tuple(range(foresight.MOST_MEMORIES)), tuple(range(foresight.MOST_MEMORIES + 1))
    own = Foresight(JOB, 3)
    told = [own.look(step, few, RECIPES, FACTS) for step in range(4)]
    assert told[0].is_anew
    assert any(each.blocks for each in told)
    none = own.look(4, many, RECIPES, FACTS)
    assert (none.is_anew, none.blocks) == (True, ())
    assert own.look(5, few, RECIPES, FACTS).is_anew
