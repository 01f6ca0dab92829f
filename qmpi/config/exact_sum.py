"""Bits of the exact sum: what lanes leave of an integer, for the check of a job and for the sum.

Theory of operation. A lane's gradient becomes integers of `lane_bits` bits, few enough that the sum
over all lanes stays within `SUM_BITS`. The scale is set before the gradient is known, so between
the largest element of a chunk and the largest that fits lie some bits to spare. What a chunk must
have to itself is `KEPT_BITS`; what is left may be spare. The more lanes, the fewer are left, and
with too few a gradient outgrows its scale again and again.
"""

SUM_BITS = 30
"""Bits of a 32-bit sum that lane gradients may fill; sign and one bit of rounding stay free."""

ROUNDED_BITS = 22
"""Most bits of a lane's integers: adding 1.5 * 2**23 in float32 rounds just these to integers."""

KEPT_BITS = 13
"""Bits of the largest element of a chunk of a matrix.

It is some 2**5 times the chunk's mean. Every lane has its share in a matrix, so the sum grows at
least as rounding does, as the root of the lanes: 2**13 / 2**5 / 0.29 units is 59 dB.
"""

ROW_KEPT_BITS = 15
"""Bits of the largest element of a row of a table, at least."""

ROW_CLEAR_BITS = 10
"""Bits of a row's largest element above the noise of all lanes, at least.

A token that one lane shows has a row that is small in all others, where rounding with noise errs by
up to half a unit: by half the root of the lanes together, 32 units for 4,096. The largest element
is some 3 to 16 times the mean of the row (measured, `tests/benchmarks/bench_exact_sum.py`):
2 * 2**10 / 16 is 128 times the noise, or 42 dB.
"""

LEAST_SPARE = 5
"""With fewer to spare a chunk's growth from step to step redoes passes (decision 0030)."""


def lane_bits(lanes: int) -> int:
    """Return the bits of a lane's integers, such that a sum over all lanes fits.

    Args:
        lanes: of the global batch, >= 1.

    Returns:
        Bits without sign; at most `ROUNDED_BITS`.
    """
    return min(ROUNDED_BITS, SUM_BITS - (lanes - 1).bit_length())


def spare_bits(lanes: int) -> int:
    """Return how many bits may lie between a chunk's largest element and the largest that fits.

    Args:
        lanes: of the global batch, >= 1.

    Returns:
        At most 9; less than `LEAST_SPARE` for more lanes than an exact sum carries.
    """
    return lane_bits(lanes) - KEPT_BITS


def row_depth(lanes: int) -> int:
    """Return how many bits lie between the two grids of a row.

    Args:
        lanes: of the global batch, >= 1; no more than an exact sum carries.

    Returns:
        2 to 7.
    """
    of_noise = -(-(lanes - 1).bit_length() // 2)
    return lane_bits(lanes) - max(ROW_KEPT_BITS, ROW_CLEAR_BITS + of_noise)
