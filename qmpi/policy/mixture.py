"""Mixture of sources: integer weights, and the smooth order in which one period draws from them.

Theory of operation. A recipe's weights are integers that sum to `MIXTURE_PERIOD`, so one period of
sequences holds each source exactly as often as its weight says; there is no rounding that could
drift over 10**15 steps. Within a period the source that lags its share most comes next (smooth
weighted round robin), so that every stretch of the stream, and thus every block, is mixed like the
whole. A random draw per sequence was rejected: its shares hold on average only, and rows used so
far could not be counted without a replay.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import isfinite

from msgspec import Struct

from qmpi.errors import ConfigError, InvariantError
from qmpi.protocol.recipe import MIXTURE_PERIOD


class Period(Struct, frozen=True):
    """Order of the sources within one period.

    Attributes:
        sources: source of each slot, `MIXTURE_PERIOD` entries.
        ranks: how many earlier slots of the period have the same source, for each slot.
        slots: slots of each source, ascending; the inverse of the two above.
    """

    sources: tuple[int, ...]
    ranks: tuple[int, ...]
    slots: tuple[tuple[int, ...], ...]


def integer_weights(weights: Sequence[float]) -> tuple[int, ...]:
    """Round weights to integers that sum to `MIXTURE_PERIOD`, by largest remainder.

    Args:
        weights: relative shares, finite and >= 0, one a source; at most `MIXTURE_PERIOD` of them.

    Returns:
        Sequences of each source in one period: at least 1, but for those of weight 0.

    Raises:
        ConfigError: there are no sources, too many, or none with a weight; or a weight is not a
            finite number >= 0.
    """
    if not 1 <= len(weights) <= MIXTURE_PERIOD:
        raise ConfigError(
            f"{len(weights)} data sources; give between 1 and {MIXTURE_PERIOD} of them"
        )
    for number, weight in enumerate(weights):
        if not (isfinite(weight) and weight >= 0):
            raise ConfigError(f"weight of data source {number} is {weight}; give a number >= 0")
    if not any(weights):
        raise ConfigError("every data source has weight 0; give one of them more")
    # Exact fractions: a float sum would make the weights depend on the order of addition.
    shares = [Fraction(weight) for weight in weights]
    total = sum(shares, Fraction(0))
    quotas = [share * MIXTURE_PERIOD / total for share in shares]
    counts = [max(1, int(quota)) if quota else 0 for quota in quotas]
    everyone = range(len(counts))
    while sum(counts) < MIXTURE_PERIOD:
        counts[max(everyone, key=lambda k: (quotas[k] - counts[k], -k))] += 1
    while sum(counts) > MIXTURE_PERIOD:
        rich = [k for k in everyone if counts[k] > 1]
        counts[max(rich, key=lambda k: (counts[k] - quotas[k], k))] -= 1
    return tuple(counts)


@lru_cache(maxsize=64)
def period_of(weights: tuple[int, ...]) -> Period:
    """Lay out one period: each slot goes to the source that lags its share most (lower on ties).

    Args:
        weights: sequences of each source in one period; >= 0, sum `MIXTURE_PERIOD`.

    Returns:
        The layout; source k has exactly `weights[k]` slots.

    Raises:
        InvariantError: the weights are not those of a recipe.
    """
    if sum(weights) != MIXTURE_PERIOD or min(weights) < 0:
        raise InvariantError(f"weights {weights} are not >= 0 with sum {MIXTURE_PERIOD}")
    everyone = range(len(weights))
    owed = [0] * len(weights)
    slots: list[list[int]] = [[] for _ in everyone]
    sources: list[int] = []
    ranks: list[int] = []
    for slot in range(MIXTURE_PERIOD):
        for k in everyone:
            owed[k] += weights[k]
        chosen = owed.index(max(owed))
        owed[chosen] -= MIXTURE_PERIOD
        sources.append(chosen)
        ranks.append(len(slots[chosen]))
        slots[chosen].append(slot)
    return Period(tuple(sources), tuple(ranks), tuple(map(tuple, slots)))
