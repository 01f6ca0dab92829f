"""Which block comes where when a corpus of mixed content is made.

Theory of operation. A mix is a list of parts (a type, a span of levels, varieties, a weight). Block
g of the corpus is a pure function of the mix and g: within a period of 4096 blocks each part has
exactly its share, smoothly spread; the blocks of a part go round its streams (each level and
variety once a round) in strides of the golden section, so that a short corpus is spread over the
levels like a long one. A longer corpus begins with the blocks of a shorter one. Parts of one type
take the blocks of a stream in turn, so no block comes twice however parts overlap.
"""

from functools import lru_cache
from math import gcd

from msgspec import Struct

from qmpi.content.address import (
    ALL_TYPES,
    BLOCK_TOKENS,
    SHARES,
    TYPES,
    Stream,
    checked_stream,
    varieties_of,
)
from qmpi.content.level import LEVELS
from qmpi.errors import ConfigError
from qmpi.policy.mixture import Period, integer_weights, period_of
from qmpi.protocol.recipe import MIXTURE_PERIOD

GOLDEN = (618, 1000)
FEW_UNITS = 16
"""Shards that a small corpus is cut into at least, so that several ranks have work."""

SHARD_BLOCKS = 64
ASKED_SHARE = 10
"""Of a type without a usual share, beside others."""

MANY_SHARDS = 1 << 14
"""Shards of a corpus at most; a larger one has larger shards."""


class ContentMix(Struct, frozen=True):
    """One part of a mix.

    Attributes:
        type: content type.
        min_level: 1 to 100.
        max_level: `min_level` to 100.
        languages: codes; () for every language of the type.
        weight: share relative to the other parts, > 0.
        families: of drills; () for all.
    """

    type: str
    min_level: int = 1
    max_level: int = LEVELS
    languages: tuple[str, ...] = ()
    weight: float = 1.0
    families: tuple[str, ...] = ()


def default_mix(
    types: tuple[str, ...] = (), min_level: int = 1, max_level: int = LEVELS
) -> tuple[ContentMix, ...]:
    """Return the usual mix: types with their usual shares, levels evenly.

    Args:
        types: those wanted; () for all that have a usual share.
        min_level: 1 to 100.
        max_level: `min_level` to 100.

    Returns:
        One part a type, in the order of `ALL_TYPES`.

    Raises:
        InputError: one is no type.
    """
    for name in types:
        varieties_of(name)
    return tuple(
        ContentMix(name, min_level, max_level, (), SHARES.get(name, ASKED_SHARE))
        for name in ALL_TYPES
        if name in (types or TYPES)
    )


class BlockPlan:
    """Addresses of the blocks of a corpus, by number."""

    def __init__(self, mix: tuple[ContentMix, ...]) -> None:
        """Lay out a mix.

        Args:
            mix: the parts.

        Raises:
            ConfigError: a part names no level, or a weight is no positive number.
        """
        self._weights = integer_weights([part.weight for part in mix])
        self._streams = [streams_of(part) for part in mix]
        types = [part.type for part in mix]
        self._turns = [(types[:k].count(name), types.count(name)) for k, name in enumerate(types)]

    def address(self, number: int) -> tuple[Stream, int]:
        """Return where a block comes from.

        Args:
            number: of the block in the corpus, >= 0.

        Returns:
            Stream, and number of the block in it.
        """
        period, slot = divmod(number, MIXTURE_PERIOD)
        layout = _layout(self._weights)
        part = layout.sources[slot]
        streams = self._streams[part]
        count = period * self._weights[part] + layout.ranks[slot]
        round_number, place = divmod(count, len(streams))
        turn, turns = self._turns[part]
        return streams[
            place * coprime_stride(len(streams)) % len(streams)
        ], round_number * turns + turn


def streams_of(part: ContentMix) -> tuple[Stream, ...]:
    """Return the streams of a part, by level and variety.

    Args:
        part: of a mix.

    Returns:
        At least one.

    Raises:
        ConfigError: it spans no level.
    """
    if not 1 <= part.min_level <= part.max_level <= LEVELS:
        raise ConfigError(
            f"levels {part.min_level} to {part.max_level} of {part.type}: give levels between 1 "
            f"and {LEVELS}, the lower one first"
        )
    varieties = part.languages or part.families or varieties_of(part.type)
    return tuple(
        checked_stream(part.type, level, variety)
        for level in range(part.min_level, part.max_level + 1)
        for variety in varieties
    )


def blocks_of(tokens: int) -> int:
    """Return the blocks that hold so many tokens.

    Args:
        tokens: >= 1.

    Returns:
        The last one is whole, too.
    """
    return -(-tokens // BLOCK_TOKENS)


def shard_blocks(blocks: int) -> int:
    """Return the blocks of a shard, a power of two that depends on the size of the corpus alone.

    Args:
        blocks: of the corpus, >= 1.

    Returns:
        1 to 64; more if there were too many shards else.
    """
    size = 1
    while size < SHARD_BLOCKS and 2 * size * FEW_UNITS <= blocks:
        size *= 2
    while size * MANY_SHARDS < blocks:
        size *= 2
    return size


def coprime_stride(count: int) -> int:
    """Return a stride near the golden section, which goes round all places and spreads the first.

    Args:
        count: places, >= 1.

    Returns:
        A stride without a divisor in common with `count`.
    """
    stride = max(1, count * GOLDEN[0] // GOLDEN[1])
    while gcd(stride, count) != 1:
        stride += 1
    return stride


@lru_cache(maxsize=8)
def _layout(weights: tuple[int, ...]) -> Period:
    return period_of(weights)
