"""Is a candidate better than what the job has? Asked on seeds that did not choose it.

Theory of operation. Who is best of many on one seed is best in part by luck. So the best is trained
anew on fresh seeds, and beside it what it shall replace, on the same ones: what a seed makes easy
or hard is then in both, and falls out of the difference. It is taken only if the mean difference is
above the standard error, against each of them. Equal scores differ by nothing and are never taken.
"""

from collections.abc import Mapping, Sequence
from math import fsum, sqrt
from statistics import fmean

from msgspec import Struct

from qmpi.policy.curriculum.rule import LEAST_ANSWERS
from qmpi.protocol.evaluation import Evaluation


class Gain(Struct, frozen=True):
    """By how much a candidate is better than another one.

    Attributes:
        against: name of the other one.
        nats: a token, mean over the seeds; below 0: it is worse. None: a score is not finite.
        error: standard error of that mean; None likewise.
    """

    against: str
    nats: float | None
    error: float | None

    @property
    def is_clear(self) -> bool:
        """Whether it is above the standard error."""
        return self.nats is not None and self.error is not None and self.nats > self.error

    def described(self) -> str:
        """Return the gain in words, behind "it is"."""
        if self.nats is None or self.error is None:
            return f"not to be held against {self.against}: a loss is not finite"
        which = "better" if self.nats > 0.0 else "worse"
        return (
            f"{abs(self.nats):.5f} nats a token {which} than {self.against} "
            f"(standard error {self.error:.5f})"
        )


class Verdict(Struct, frozen=True):
    """What follows from the held-out seeds.

    Attributes:
        accepted: the best candidate is better than all others.
        gains: against each of them.
    """

    accepted: bool
    gains: tuple[Gain, ...]


def judged(best: str, scores: Mapping[str, Sequence[float | None]]) -> Verdict:
    """Hold a candidate against others.

    Args:
        best: its name.
        scores: losses by name, of all on the same seeds in the same order, at least two.

    Returns:
        Whether it is taken.
    """
    own = scores[best]
    gains = tuple(_gain(name, own, told) for name, told in scores.items() if name != best)
    return Verdict(bool(gains) and all(gain.is_clear for gain in gains), gains)


def _gain(name: str, own: Sequence[float | None], other: Sequence[float | None]) -> Gain:
    pairs = zip(own, other, strict=True)
    apart = [b - a for a, b in pairs if a is not None and b is not None]
    if len(apart) < len(own):
        return Gain(name, None, None)
    mean = fmean(apart)
    spread = fsum((each - mean) ** 2 for each in apart) / (len(apart) - 1)
    return Gain(name, mean, sqrt(spread / len(apart)))


def losses_by_type(result: Evaluation) -> dict[str, float | None]:
    """Return what a tuning goes by: what each type costs on held-out text.

    Args:
        result: of an evaluation.

    Returns:
        Nats a token by type: of the answers alone where enough were measured, else of all its text;
        None: not finite.
    """
    told, many = result.answer_loss, result.answers
    answers = {} if told is None else told.type
    counts = {} if many is None else many.type
    return {
        name: answers[name] if (counts.get(name) or 0.0) >= LEAST_ANSWERS else loss
        for name, loss in result.loss.type.items()
    }


def mean_loss(losses: Mapping[str, float | None]) -> float | None:
    """Return the score of a proxy: each type counts as much as another.

    Args:
        losses: by type.

    Returns:
        Their mean; None: one is not finite, or there is none.
    """
    known = [loss for loss in losses.values() if loss is not None]
    return fmean(known) if known and len(known) == len(losses) else None
