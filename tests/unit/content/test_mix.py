"""Mix arithmetic: exact shares, no block twice, a longer corpus begins with a shorter one."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.content.address import ALL_TYPES, BLOCK_TOKENS, SHARES, TYPES
from qmpi.content.mix import (
    MANY_SHARDS,
    BlockPlan,
    ContentMix,
    blocks_of,
    default_mix,
    shard_blocks,
    streams_of,
)
from qmpi.errors import ConfigError, InputError

parts = st.builds(
    lambda name, a, b, weight: ContentMix(name, min(a, b), max(a, b), (), weight),
    st.sampled_from(ALL_TYPES),
    st.integers(1, 100),
    st.integers(1, 100),
    st.floats(0.01, 100.0),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(parts, min_size=1, max_size=5).map(tuple), st.integers(0, 10**12))
def test_no_block_comes_twice_and_levels_are_kept(mix: tuple[ContentMix, ...], far: int) -> None:
    plan = BlockPlan(mix)
    begin = [plan.address(number) for number in range(3000)]
    assert len(set(begin)) == len(begin)
    allowed = {stream for part in mix for stream in streams_of(part)}
    assert {stream for stream, _ in begin} <= allowed
    away = [plan.address(number) for number in range(far, far + 300)]
    assert len(set(away)) == len(away)
    if far >= 3000:
        assert not set(away) & set(begin)


def test_the_usual_mix_has_the_usual_shares_from_the_start() -> None:
    plan = BlockPlan(default_mix())
    for blocks in (100, 1000, 8192):
        count = Counter(plan.address(number)[0].type for number in range(blocks))
        for name, share in SHARES.items():
            assert abs(count[name] - blocks * share / 100) <= 2


def test_a_short_corpus_is_spread_over_the_levels() -> None:
    plan = BlockPlan(default_mix(("code",)))
    levels = sorted(plan.address(number)[0].level for number in range(20))
    assert max(b - a for a, b in pairwise(levels)) <= 10
    assert len(set(levels)) == 20


def test_every_stream_comes_once_a_round() -> None:
    plan = BlockPlan((ContentMix("multilingual", 3, 7),))
    round_of = [plan.address(number) for number in range(2 * 5 * 12)]
    assert Counter(block for _, block in round_of) == {0: 60, 1: 60}


def test_overlapping_parts_take_turns() -> None:
    plan = BlockPlan((ContentMix("code", 5, 5), ContentMix("code", 5, 6)))
    seen = [plan.address(number) for number in range(4096)]
    assert len(set(seen)) == 4096


@given(st.integers(1, 10**18))
def test_shards_are_neither_too_many_nor_too_few(tokens: int) -> None:
    blocks = blocks_of(tokens)
    assert (blocks - 1) * BLOCK_TOKENS < tokens <= blocks * BLOCK_TOKENS
    size = shard_blocks(blocks)
    shards = -(-blocks // size)
    assert shards <= MANY_SHARDS
    assert shards >= min(blocks, 16)


def test_drills_come_where_they_are_asked_for() -> None:
    assert {part.type for part in default_mix()} == set(TYPES)
    asked = default_mix(("drills", "code"))
    assert [(part.type, part.weight) for part in asked] == [("code", 15), ("drills", 10)]
    part = ContentMix("drills", 3, 4, families=("sort", "copy"))
    assert [str(stream) for stream in streams_of(part)] == [
        "drills/3/sort",
        "drills/3/copy",
        "drills/4/sort",
        "drills/4/copy",
    ]


def test_nonsense_is_refused() -> None:
    with pytest.raises(ConfigError):
        BlockPlan((ContentMix("code", 9, 3),))
    with pytest.raises(ConfigError):
        BlockPlan(())
    with pytest.raises(ConfigError):
        BlockPlan((ContentMix("code", weight=0.0),))
    with pytest.raises(InputError):
        default_mix(("poetry",))
    with pytest.raises(InputError):
        BlockPlan((ContentMix("code", languages=("de",)),))
    with pytest.raises(InputError):
        BlockPlan((ContentMix("code", families=("sort",)),))
