"""Gap times progress: which arms are worth more of a window's tokens.

Theory of operation. An arm is a source: of a curriculum, documents of one type and one band of
levels. Two means of its loss are kept, a fast one and a slow one. The gap is what is left to learn,
the fast mean less a floor: 0 where answers are told, since a problem has one. Progress is how far
both lie apart: an arm that is known, and one that cannot be learnt yet, have little. An arm is
weighed by the square roots of both, so that neither alone decides.

Arms are weighed against those of their pool, the sources of one type; the pool keeps the share that
the job gives it. A part of each pool, the placebo, is drawn as the job says whatever was measured:
so each arm is measured as long as the run lasts. What an arm gets is bounded by a multiple of what
the job gives it, and by the same part of it.

Only products, square roots and exact sums are taken: IEEE 754 fixes the bits of all of them, so
whoever reads the journal comes to the same weights.

Sources: Graves et al. 2017 (progress), Schaul et al. 2015 and later (gap); that the product beats
each alone was measured (see `docs/decisions/0076-curriculum.md`).
"""

from collections.abc import Collection, Mapping, Sequence
from math import fsum, sqrt

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.curriculum import FAST, SLOW, CurriculumSettings
from qmpi.protocol.progress import LOSS_GRID, SourceLoss

LEAST_ANSWERS = 64
"""Answer tokens of an arm from which on their loss stands for it."""

LEAST_PROBLEMS = 64
"""Problems of an arm from which on it is known which share of them is solved."""

NEWEST = 0.02
"""What one problem moves the share solved by: it is that of the newest hundred or so."""


class Arm(Struct, frozen=True):
    """A source that a curriculum weighs.

    Attributes:
        source: its number.
        pool: arms of one pool share what the job gives all of them.
        share: of all sequences, that the job gives it; >= 0.
    """

    source: int
    pool: str
    share: float


class Means(Struct, frozen=True):
    """What is known of an arm.

    Attributes:
        fast: mean loss of the newest sequences, nats a token.
        slow: likewise, of more of them.
        answers: answer tokens so far.
        answer_fast, answer_slow: as `fast` and `slow`, of the answers alone.
        problems: so far.
        solved: share of the newest of them, 0 to 1.
    """

    fast: float
    slow: float
    answers: int = 0
    answer_fast: float = 0.0
    answer_slow: float = 0.0
    problems: int = 0
    solved: float = 0.0

    @property
    def answer_loss(self) -> float | None:
        """Mean loss of the newest answers, nats a token; None: too few were seen."""
        return self.answer_fast if self.answers >= LEAST_ANSWERS else None

    @property
    def share_solved(self) -> float | None:
        """Share of the newest problems that is solved; None: too few were seen."""
        return self.solved if self.problems >= LEAST_PROBLEMS else None

    def gap_and_progress(self, *, by_answers: bool) -> tuple[float, float]:
        """Return what is left to learn and how fast it is learnt, in nats a token.

        Args:
            by_answers: the loss of answers says it.
        """
        fast, slow = (self.answer_fast, self.answer_slow) if by_answers else (self.fast, self.slow)
        return max(0.0, fast), abs(slow - fast)


def followed(
    means: Means | None,
    told: SourceLoss,
    sequences: int,
    fast: float = FAST,
    slow: float = SLOW,
) -> Means:
    """Take in what a step tells of an arm.

    Args:
        means: so far; None: nothing is known.
        told: of it in the step.
        sequences: of it in the step, >= 1.
        fast: what one sequence moves the fast means by, above 0 to 1.
        slow: likewise the slow ones.

    Returns:
        What is known now.
    """
    loss = told.loss / (LOSS_GRID * told.tokens)
    fast, slow = _moved_by(fast, sequences), _moved_by(slow, sequences)
    known = means or Means(loss, loss)
    known = replace(
        known,
        fast=known.fast + fast * (loss - known.fast),
        slow=known.slow + slow * (loss - known.slow),
    )
    if told.answers:
        answer = told.answer_loss / (LOSS_GRID * told.answers)
        begun = known if known.answers else replace(known, answer_fast=answer, answer_slow=answer)
        known = replace(
            known,
            answers=known.answers + told.answers,
            answer_fast=begun.answer_fast + fast * (answer - begun.answer_fast),
            answer_slow=begun.answer_slow + slow * (answer - begun.answer_slow),
        )
    if told.problems:
        share = told.solved / told.problems
        before = known.solved if known.problems else share
        moved = before + _moved_by(NEWEST, told.problems) * (share - before)
        known = replace(known, problems=known.problems + told.problems, solved=moved)
    return known


def _moved_by(one: float, many: int) -> float:
    """Return what several values move a mean by of which one moves it so: 1 - (1 - one) ** many."""
    kept, power, left = 1.0, 1.0 - one, many
    # By squaring: the library's power is not the same on all machines.
    while left:
        if left & 1:
            kept *= power
        power *= power
        left >>= 1
    return 1.0 - kept


def weighed(
    arms: Sequence[Arm],
    known: Mapping[int, Means],
    rules: CurriculumSettings,
    *,
    pools: Mapping[str, float] | None = None,
    gated: Collection[int] = (),
) -> tuple[float, ...]:
    """Return the shares of the next window.

    Args:
        arms: all sources.
        known: means by source; an arm without any keeps what the job gives it.
        rules: constants of the curriculum.
        pools: what each pool's share is multiplied with; None: nothing.
        gated: sources that get the least share; what they leave goes to the rest of their pool, or,
            where there is none, to all.

    Returns:
        Shares of the arms, which sum to 1 but for rounding.
    """
    shares = [0.0] * len(arms)
    placebo, most = rules.placebo_share, rules.most
    for pool in dict.fromkeys(arm.pool for arm in arms):
        own = [place for place, arm in enumerate(arms) if arm.pool == pool]
        factor = 1.0 if pools is None else pools.get(pool, 1.0)
        whole = fsum(arms[place].share for place in own)
        drawn = _drawn([arms[place] for place in own], known, rules.least_progress)
        for place, worth in zip(own, drawn, strict=True):
            target = arms[place].share
            mixed = placebo * target + (1.0 - placebo) * worth * whole
            least = target / most
            is_gated = arms[place].source in gated
            shares[place] = factor * (least if is_gated else min(most * target, max(least, mixed)))
        free = [place for place in own if arms[place].source not in gated]
        left = factor * whole - fsum(shares[place] for place in set(own).difference(free))
        held = fsum(shares[place] for place in free)
        for place in free:
            # Bounds may have moved the pool off its share. The quotient comes first: of shares that
            # are next to nothing the other way round is not finite.
            shares[place] = shares[place] / held * left if held > 0.0 else 0.0
    total = fsum(shares)
    return tuple(share / total for share in shares) if total > 0.0 else tuple(shares)


def _drawn(arms: Sequence[Arm], known: Mapping[int, Means], least_progress: float) -> list[float]:
    """Return what part of its pool each arm is worth; the parts sum to 1 but for rounding."""
    told = [known.get(arm.source) for arm in arms]
    whole = fsum(arm.share for arm in arms)
    usual = [arm.share / whole if whole > 0.0 else 0.0 for arm in arms]
    means = [each for each in told if each is not None]
    if len(means) < len(arms):
        return usual
    by_answers = all(each.answers >= LEAST_ANSWERS for each in means)
    worth: list[float] = []
    for arm, each in zip(arms, means, strict=True):
        gap, progress = each.gap_and_progress(by_answers=by_answers)
        worth.append(sqrt(gap) * sqrt(progress + least_progress) if arm.share > 0.0 else 0.0)
    total = fsum(worth)
    return [each / total for each in worth] if total > 0.0 else usual
