"""The schedule of a chain that turns back: ZB-V of Qi et al. 2023.

Theory of operation. The chain goes up the stages with chunk 0 and down again with chunk 1, so the
first stage has the last place too: it begins backward passes soon after forward ones have come
back, and no stage waits for the other end. While all are busy a stage does for one microbatch
forward and backward passes of both chunks, each with its gradients of weights. At the end these
wait, and fill the time in which the last gradients come down.

The table is that of 2S - 1 microbatches at least; those that there are not are left out.
"""

from collections import Counter
from collections.abc import Iterator

from qmpi.protocol.pipeline.actions import Action, Chain, Pass

UP, DOWN = 0, 1
"""Chunks of a stage."""

_Turn = tuple[Pass, int]

_FORWARD_UP = (Pass.FORWARD, UP)
_FORWARD_DOWN = (Pass.FORWARD, DOWN)
_INPUT_UP = (Pass.BACKWARD_INPUT, UP)
_INPUT_DOWN = (Pass.BACKWARD_INPUT, DOWN)
_WEIGHT_UP = (Pass.BACKWARD_WEIGHT, UP)
_WEIGHT_DOWN = (Pass.BACKWARD_WEIGHT, DOWN)


def turning(chain: Chain, stage: int) -> Iterator[Action]:
    """Yield the actions of a stage.

    Args:
        chain: that turns back.
        stage: which one.

    Yields:
        Its actions, in order.
    """
    done = Counter[_Turn]()
    for turn in _turns(chain, stage):
        if done[turn] < chain.microbatches:
            yield Action(*turn, done[turn])
        done[turn] += 1


def _turns(chain: Chain, stage: int) -> Iterator[_Turn]:
    """Yield what is done, each for the microbatch after that of the last time."""
    later = chain.stages - stage
    count = max(2 * chain.stages - 1, chain.microbatches)
    yield from [_FORWARD_UP] * (2 * later - 1)
    yield from [_FORWARD_DOWN, _FORWARD_UP] * stage
    yield from [_FORWARD_DOWN, _INPUT_DOWN, _WEIGHT_DOWN] * later
    both = [_INPUT_UP, _WEIGHT_UP, _FORWARD_DOWN, _INPUT_DOWN, _WEIGHT_DOWN]
    ahead = 2 * later - 1 + stage
    yield from [_FORWARD_UP, *both] * (count - ahead)
    # All have gone up; those between the two chunks still come down.
    yield from both * (ahead - stage - later)
    yield from [_INPUT_UP, _INPUT_DOWN] * stage
    yield from [_INPUT_UP, _WEIGHT_UP] * later
    yield from [_WEIGHT_DOWN] * stage
    yield from [_WEIGHT_UP] * stage
