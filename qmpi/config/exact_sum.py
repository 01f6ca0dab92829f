"""Bits of the exact sum: what lanes leave of an integer, for the check of a job and for the sum.

Theory of operation. A lane's gradient becomes integers of `lane_bits` bits, few enough that the sum
over all lanes stays within `SUM_BITS`. The scale is set before the gradient is known, so between
the largest element of a chunk and the largest that fits lie some bits to spare. What a chunk must
have to itself is `KEPT_BITS`; what is left may be spare. The more lanes, the fewer are left, and
with too few a gradient outgrows its scale again and again.
"""

SUM_BITS = 30
"""Bits of a 32-bit sum that lane gradients may fill; sign and one bit of rounding stay free."""

NARROW_SUM_BITS = 15
"""Bits of a 16-bit sum beside its sign: lanes' integers are below the largest that would fit."""

LEAST_NARROW_BITS = 4
"""With fewer bits a lane's small elements would wait for dozens of steps until they are sent."""

ROUNDED_BITS = 22
"""Most bits of a lane's integers: adding 1.5 * 2**23 in float32 rounds just these to integers."""

KEPT_BITS = 13
"""Bits of the largest element of a chunk of a matrix.

It is some 2**5 times the chunk's mean. Every lane has its share in a matrix, so the sum grows at
least as rounding does, as the root of the lanes: 2**13 / 2**5 / 0.29 units is 59 dB.
"""

ROW_KEPT_BITS = 15
"""Bits of the largest element of a row of a table.

A token that one of 4,096 lanes shows has a row that is small in all others, where rounding with
noise errs by up to half a unit: 32 together. The largest element is some 3 to 6 times the mean of
the row: 2**15 / 6 / 32 is 170 times the noise, or 45 dB.
"""

DEEP_ROWS = 7
"""Bits between the two grids of a row that was lifted: whose exponent rose, and has not fallen yet.

Its token is there in some lane. If it is gone in the next step the row shrinks by 2**8 to 2**10 in
all lanes (measured): the finer grid has to be where the row will be then.
"""

CROWDED_LANES = 1024
"""With more lanes a lifted row has one bit spare instead of two: bits are few, and the largest of
so many lanes changes little from step to step."""

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


def narrow_bits(lanes: int) -> int:
    """Return the bits of a lane's integers, such that a sum over all lanes fits 16 bits.

    Args:
        lanes: of the global batch, >= 1.

    Returns:
        Bits without sign, at most 15; integers are below two to this power.
    """
    return NARROW_SUM_BITS - (lanes - 1).bit_length()


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
        3 to 7.
    """
    return lane_bits(lanes) - ROW_KEPT_BITS


def row_spare(lanes: int) -> int:
    """Return how many bits are spare when the exponent of a row is set anew.

    Args:
        lanes: of the global batch, >= 1.
    """
    return 1 if lanes > CROWDED_LANES else 2
