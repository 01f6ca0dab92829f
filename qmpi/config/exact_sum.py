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
"""Bits of a chunk's largest element.

A token that one of 4,096 lanes shows has a row that is about zero in the others, where each rounds
by 0.29 of the grid's unit: 0.29 * 64 = 18.5 together. A row's largest element is some 3 to 4 times
its mean: with 13 bits it is 2**13 / 3.5 / 18.5 = 126 times the noise, or 42 dB.
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
