"""Which codec data should lie in, from trials on a sample and the speed of the way they go.

Theory of operation. A byte of data takes 1 / (ratio x rate of the way) seconds to come and
1 / rate of decoding to be decoded; one after the other, which is the worst case. Where it is
compressed each time it goes, 1 / rate of compressing is added; what is kept and read for ever is
not charged for that, but codecs that compress too slowly for whoever writes are left out. Of those
that come within TIE of the least time the smallest is taken: times are measured and scatter, bytes
do not, and room is what files cost when nobody reads them.
"""

from collections.abc import Sequence

from msgspec import Struct

from qmpi.errors import InvariantError

TIE = 0.05
"""Times that differ by less are taken for equal."""


class CodecTrial(Struct, frozen=True):
    """What a codec came to on a sample; rates are of one core, in decoded bytes a second.

    Attributes:
        name: of the codec, with its level.
        ratio: decoded bytes to compressed ones, > 0.
        compress_rate: > 0.
        decode_rate: > 0.
    """

    name: str
    ratio: float
    compress_rate: float
    decode_rate: float


class Way(Struct, frozen=True, kw_only=True):
    """What data go over, from where they are kept to who uses them.

    Attributes:
        rate: compressed bytes a second that one reader gets, > 0.
        compressions: how often they are compressed for each time they are decoded: 0 for what is
            kept, 1 for what is sent once.
        least_compress_rate: decoded bytes a second; what compresses more slowly is left out.
    """

    rate: float
    compressions: float = 0.0
    least_compress_rate: float = 0.0


class CodecChoice(Struct, frozen=True):
    """The outcome.

    Attributes:
        name: of the codec, with its level.
        reason: in words, with the figures that decided.
    """

    name: str
    reason: str


def seconds_a_byte(trial: CodecTrial, way: Way) -> float:
    """Return the time of a decoded byte: to come, to be decoded, to be compressed.

    Args:
        trial: of a codec.
        way: what it goes over.
    """
    coming = 1 / (trial.ratio * way.rate)
    return coming + 1 / trial.decode_rate + way.compressions / trial.compress_rate


def choose_codec(trials: Sequence[CodecTrial], way: Way) -> CodecChoice:
    """Choose a codec.

    Args:
        trials: of all codecs that may be chosen, at least one; the first of equals is taken.
        way: what the data go over.

    Returns:
        The choice, and why.

    Raises:
        InvariantError: there are no trials.
    """
    if not trials:
        raise InvariantError("no codec was tried")
    quick = [trial for trial in trials if trial.compress_rate >= way.least_compress_rate]
    quickest = max(trial.compress_rate for trial in trials)
    able = quick or [trial for trial in trials if trial.compress_rate == quickest]
    least = min(seconds_a_byte(trial, way) for trial in able)
    tied = [trial for trial in able if seconds_a_byte(trial, way) <= (1 + TIE) * least]
    chosen = max(tied, key=lambda trial: trial.ratio)
    return CodecChoice(chosen.name, _reason(chosen, trials, tied, way))


def _reason(
    chosen: CodecTrial, trials: Sequence[CodecTrial], tied: Sequence[CodecTrial], way: Way
) -> str:
    said = (
        f"at {_mega(way.rate)} MB/s a GB takes {seconds_a_byte(chosen, way) * 1e9:.2f} s: ratio "
        f"{chosen.ratio:.2f}, decoded at {_mega(chosen.decode_rate)} MB/s"
    )
    others = sorted(
        (trial for trial in trials if trial not in tied), key=lambda t: seconds_a_byte(t, way)
    )
    if len(tied) > 1:
        said += f"; the smallest of {len(tied)} within {TIE:.0%} of the least time"
    slow = [trial for trial in trials if trial.compress_rate < way.least_compress_rate]
    if slow and chosen not in slow:
        said += f"; {len(slow)} of {len(trials)} tried compress too slowly"
    beside = next((trial for trial in others if trial not in slow), None)
    if beside is not None:
        said += f"; next {beside.name} with {seconds_a_byte(beside, way) * 1e9:.2f} s"
    return said


def _mega(rate: float) -> str:
    return f"{rate / 1e6:,.0f}" if rate >= 1e7 else f"{rate / 1e6:.1f}"
