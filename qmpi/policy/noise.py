"""The noise of the gradient, and the batch at which noise and gradient weigh alike.

Theory of operation. The gradient of a lane is that of all data plus noise; over n lanes the noise
of the mean is a n-th as large. So the mean square of the lanes' gradients and the square of their
mean, which are both known after a step, tell the two apart (McCandlish and others, An empirical
model of large-batch training, arXiv 1812.06162). With tr(S) the variance of a lane's gradient and
|G|^2 the square of the true one, tr(S) / |G|^2 is the "simple" noise scale, here in lanes: below
it a larger batch saves steps, far above it only costs. One step says little; both are averaged over
steps before they are divided, since a quotient of averages is far less biased than an average of
quotients.

It is an estimate and may come out negative, or without bound, where noise hides the gradient.
"""

from collections.abc import Iterable

from msgspec import Struct

from qmpi.protocol.progress import is_skipped

SMOOTHED_STEPS = 64
"""Steps that an estimate reaches back."""


class Noise(Struct, frozen=True):
    """What a step tells of noise; unbiased, so either may be negative.

    Attributes:
        step: which.
        variance: of the gradient of a lane, summed over all parameters: tr(S).
        square: of the true gradient: |G|^2.
    """

    step: int
    variance: float
    square: float


def noise_of(step: int, lane_square: float, norm: float, lanes: int) -> Noise | None:
    """Return what a step tells of noise.

    Args:
        step: which.
        lane_square: mean over the lanes of the squared norm of each one's gradient; negative: not
            measured.
        norm: of the mean gradient, before clipping; negative: not finite.
        lanes: of the step.

    Returns:
        None where nothing was measured, or there is one lane only.
    """
    if lane_square < 0.0 or is_skipped(norm) or lanes < 2:
        return None
    variance = (lane_square - norm * norm) * lanes / (lanes - 1)
    return Noise(step, variance, norm * norm - variance / lanes)


def noise_scale(told: Iterable[Noise]) -> float | None:
    """Return the noise scale of some steps.

    Args:
        told: of neighbouring steps, in order.

    Returns:
        Lanes, >= 0; None if nothing was measured, or noise hides the gradient.
    """
    variance = square = 0.0
    for noise in told:
        variance += noise.variance
        square += noise.square
    return max(0.0, variance) / square if square > 0.0 else None
