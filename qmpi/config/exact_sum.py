"""Bits of the exact sum: what lanes leave of an integer, for the check of a job and for the sum.

Theory of operation. A lane's gradient becomes integers of `lane_bits` bits, few enough that the sum
over all lanes stays within `SUM_BITS`. The largest element of a chunk does not fill them: between
it and the largest that fits lie up to `MOST_SPARE` bits, since the scale is set before the gradient
is known. What is left, `kept_bits`, is what a chunk's largest element has to itself.
"""

SUM_BITS = 30
"""Bits of a 32-bit sum that lane gradients may fill; sign and one bit of rounding stay free."""

ROUNDED_BITS = 22
"""Most bits of a lane's integers: adding 1.5 * 2**23 in float32 rounds just these to integers."""

MOST_SPARE = 7
"""Bits between the largest element seen and the largest that fits; with more the scale falls."""

LEAST_KEPT = 9
"""A chunk's largest element is some 2**4 times its mean: with fewer bits, noise would pass 1 %."""


def lane_bits(lanes: int) -> int:
    """Return the bits of a lane's integers, such that a sum over all lanes fits.

    Args:
        lanes: of the global batch, >= 1.

    Returns:
        Bits without sign; at most `ROUNDED_BITS`.
    """
    return min(ROUNDED_BITS, SUM_BITS - (lanes - 1).bit_length())


def kept_bits(lanes: int) -> int:
    """Return the bits that the largest element of a chunk keeps in the worst case.

    Args:
        lanes: of the global batch, >= 1.
    """
    return lane_bits(lanes) - MOST_SPARE
