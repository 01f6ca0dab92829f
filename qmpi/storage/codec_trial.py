"""Try codecs on a sample: ratio, and bytes a second of one core.

Theory of operation: time is that of the thread's own processor, so other work on the machine does
not count; the least of several runs is taken, since everything that disturbs makes a run longer.
"""

import time  # noqa: TID251 - the speed of this processor is what a trial is after
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from qmpi.storage.codec_names import Codec
from qmpi.storage.codecs import Array, compress, decompress

_LEAST_SECONDS = 0.02
_MOST_RUNS = 50


class Tried(NamedTuple):
    """What a codec came to; rates are in decoded bytes a second.

    Attributes:
        name: of the codec, with its level.
        ratio: decoded bytes to compressed ones.
        compress_rate: of one core.
        decode_rate: of one core.
    """

    name: str
    ratio: float
    compress_rate: float
    decode_rate: float


def cut(sample: Array, items: int) -> list[Array]:
    """Cut a sample into chunks.

    Args:
        sample: 1-D, not empty.
        items: of a chunk, >= 1.

    Returns:
        Whole chunks; of a shorter sample the one there is.
    """
    items = min(items, sample.size)
    last = sample.size - items
    return [np.ascontiguousarray(sample[at : at + items]) for at in range(0, last + 1, items)]


def tried(codec: Codec, chunks: Sequence[Array]) -> Tried:
    """Try a codec.

    Args:
        codec: which.
        chunks: of one size and type, not empty.

    Returns:
        What it came to.
    """
    size = sum(chunk.nbytes for chunk in chunks)
    compress(codec, chunks[0][:1])  # libraries are loaded on first use, which is not its speed
    begun = time.thread_time()
    frames = [compress(codec, chunk) for chunk in chunks]
    packing = time.thread_time() - begun
    out = np.empty_like(chunks[0])

    def decode_all() -> None:
        for frame in frames:
            decompress(codec, frame, out)

    return Tried(
        str(codec),
        size / sum(map(len, frames)),
        size / max(packing, 1e-9),
        size / _least_seconds(decode_all),
    )


def _least_seconds(work: Callable[[], None]) -> float:
    least, spent = float("inf"), 0.0
    for _ in range(_MOST_RUNS):
        begun = time.thread_time()
        work()
        once = time.thread_time() - begun
        least, spent = min(least, once), spent + once
        if spent >= _LEAST_SECONDS:
            break
    return max(least, 1e-9)
