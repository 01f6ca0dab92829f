"""What is known of the arms, window by window, and what the window after the next draws.

Theory of operation. Steps behind a warm-up are counted off in windows. When the last step of window
w is committed, the losses of all its steps are taken in, in order, and the weights of window w + 2
follow: of window w + 1 steps are granted, and blocks asked for, already. So nobody waits for a
decision, and it is a pure function of what the journal has of the steps that stand.

Some windows are probes: they draw what the job says. How far the loss of what the job asks for
falls within a probe, beside the windows before and behind it, tells whether the curriculum is worth
anything here. Where it does not beat the job's own weights, these stay for the rest of the run.
Each loss is one of fresh rows, weighed by the share that the job gives the arm: so both kinds of
windows are measured by the same.
"""

from collections.abc import Sequence
from hashlib import blake2b
from math import fsum, sqrt
from statistics import fmean

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.arms import pool_of
from qmpi.config.curriculum import STAGES, CurriculumSettings
from qmpi.config.data import ContentSource
from qmpi.config.settings import Settings
from qmpi.config.stages import stages_of
from qmpi.policy.curriculum.rule import Arm, Means, followed, weighed
from qmpi.policy.source_losses import summed
from qmpi.protocol.progress import LOSS_GRID, SourceLoss

PROBES = 8
"""One window in so many is a probe."""

LEAST_PROBES = 6
"""Probes that are compared before anything is decided by them."""

FAVOUR, WEAK = 2.0, 1.2
"""What named types are multiplied with; how far types are moved towards the weakest."""

SHIPPED = CurriculumSettings()

Step = tuple[SourceLoss, ...]
"""What a committed step tells; nothing if its update was skipped."""


class Fall(Struct, frozen=True):
    """How far the loss of what the job asks for fell within a window.

    Attributes:
        window: its number.
        is_static: it drew what the job says.
        nats: from its first half to its second, a token.
    """

    window: int
    is_static: bool
    nats: float


class Learned(Struct, frozen=True):
    """What is known behind a window.

    Attributes:
        windows: how many are taken in.
        means: by source.
        falls: of all windows of which one is known.
        off: in words, why the curriculum is over; "": it is not.
        stage: at which the run stands, as `Standing.stage` has it; it never falls.
    """

    windows: int = 0
    means: dict[int, Means] = {}
    falls: tuple[Fall, ...] = ()
    off: str = ""
    stage: int = 1


class Decision(Struct, frozen=True):
    """What a window draws.

    Attributes:
        window: its number.
        shares: of the arms, in the order of the sources.
        reason: in words.
        stage: whose settings hold in it, 1 to 100; 0: the job's.
    """

    window: int
    shares: tuple[float, ...]
    reason: str
    stage: int = 0


def begin_of(settings: Settings, window: int) -> int:
    """Return the first step of a window; they are counted from the end of a warm-up.

    Args:
        settings: the job.
        window: its number, >= 0.
    """
    return settings.curriculum.warmup_steps + window * settings.curriculum.every_steps


def arms_of(settings: Settings) -> tuple[Arm, ...]:
    """Return the arms of a job.

    Args:
        settings: the job, with its arms.

    Returns:
        One for each source, in their order.
    """
    total = fsum(source.weight for source in settings.data.sources)
    return tuple(
        Arm(number, pool_of(source), source.weight / total)
        for number, source in enumerate(settings.data.sources)
    )


def is_probe(seed: int, window: int) -> bool:
    """Return whether a window draws what the job says in any case.

    Args:
        seed: of the job.
        window: its number.
    """
    if window < 2:
        return True
    turn, place = divmod(window, PROBES)
    drawn = blake2b(f"probe {seed} {turn}".encode(), digest_size=8).digest()
    # Neither end of a turn, so that each probe has a window before and behind it.
    return place == 1 + int.from_bytes(drawn, "little") % (PROBES - 2)


def taken_in(
    learned: Learned,
    arms: Sequence[Arm],
    steps: Sequence[Step],
    tokens: int,
    rules: CurriculumSettings = SHIPPED,
    *,
    is_static: bool,
) -> Learned:
    """Take in a window.

    Args:
        learned: behind the one before.
        arms: of the job.
        steps: all of the window, in order.
        tokens: of a sequence.
        rules: constants of the rule.
        is_static: the window drew what the job says.

    Returns:
        What is known behind it.
    """
    means = dict(learned.means)
    for told in (each for step in steps for each in step if each.source < len(arms)):
        sequences = max(1, told.tokens // tokens)
        before = means.get(told.source)
        means[told.source] = followed(before, told, sequences, rules.fast, rules.slow)
    nats = _fall(arms, steps)
    falls = learned.falls
    if nats is not None:
        falls = (*falls, Fall(learned.windows, is_static, nats))
    known = Learned(learned.windows + 1, means, falls, learned.off, learned.stage)
    return known if known.off else replace(known, off=_verdict(falls))


def decided(learned: Learned, arms: Sequence[Arm], settings: Settings) -> Decision:
    """Decide what the window after the next draws.

    Args:
        learned: behind the last window whose steps are all committed.
        arms: of the job.
        settings: the job, with its arms.

    Returns:
        The decision; what the job says in a probe, and once the curriculum is over.
    """
    window = learned.windows + 1
    usual = tuple(arm.share for arm in arms)
    if learned.off:
        return Decision(window, usual, learned.off)
    stage = min(learned.stage, STAGES)
    if is_probe(settings.job.seed, window):
        return Decision(window, usual, f"window {window} is a probe: what the job says", stage)
    rules = settings.curriculum
    shares = weighed(
        arms,
        learned.means,
        rules,
        pools=_pools(learned, arms, settings),
        gated=_gated(settings, stage) if "gate" in rules.sets else (),
    )
    return Decision(window, shares, _reason(window, arms, shares, settings), stage)


def _gated(settings: Settings, stage: int) -> tuple[int, ...]:
    """Return the sources that have harder levels alone than a stage has."""
    hardest = stages_of(settings)[stage - 1].levels[1]
    return tuple(
        number
        for number, source in enumerate(settings.data.sources)
        if isinstance(source, ContentSource) and source.min_level > hardest
    )


def _pools(learned: Learned, arms: Sequence[Arm], settings: Settings) -> dict[str, float]:
    """Return what the share of each pool is multiplied with, before all are made to add up."""
    rules, pools = settings.curriculum, dict.fromkeys(arm.pool for arm in arms)
    if rules.focus == "specialise":
        return {pool: FAVOUR if pool in rules.specialise else 1.0 for pool in pools}
    if rules.focus == "balance":
        return dict.fromkeys(pools, 1.0)
    losses = {pool: _mean_loss(learned, arms, pool) for pool in pools}
    known = [loss for loss in losses.values() if loss is not None]
    middle = fmean(known) if known else 0.0
    return {
        pool: 1.0 if loss is None or middle <= 0.0 else min(WEAK, max(1.0 / WEAK, loss / middle))
        for pool, loss in losses.items()
    }


def _mean_loss(learned: Learned, arms: Sequence[Arm], pool: str) -> float | None:
    told = [
        (arm.share, learned.means[arm.source].fast)
        for arm in arms
        if arm.pool == pool and arm.source in learned.means
    ]
    whole = fsum(share for share, _ in told)
    return fsum(share * loss for share, loss in told) / whole if whole > 0.0 else None


def _fall(arms: Sequence[Arm], steps: Sequence[Step]) -> float | None:
    """Return how far the loss fell from the first half of some steps to the second."""
    half = len(steps) // 2
    first, second = (
        {told.source: told.loss / (told.tokens * LOSS_GRID) for told in summed(part)}
        for part in (steps[:half], steps[half:])
    )
    both = [arm for arm in arms if arm.source in first and arm.source in second]
    whole = fsum(arm.share for arm in both)
    if whole <= 0.0:
        return None
    return fsum(arm.share * (first[arm.source] - second[arm.source]) for arm in both) / whole


def advantages(falls: Sequence[Fall]) -> list[float]:
    """Return of each probe by how much the windows beside it fell further.

    Losses fall fast at first and then slower. With a window on either side that cancels but for the
    curve; with one it would not.

    Args:
        falls: of windows, in order.

    Returns:
        Nats a token; one for each probe that lies between two windows of the curriculum.
    """
    by_number = {fall.window: fall for fall in falls}
    told: list[float] = []
    for fall in falls:
        beside = (by_number.get(fall.window + step) for step in (-1, 1))
        others = [other.nats for other in beside if other is not None and not other.is_static]
        if fall.is_static and len(others) == 2:
            told.append(fmean(others) - fall.nats)
    return told


def _verdict(falls: Sequence[Fall]) -> str:
    told = advantages(falls)
    if len(told) < LEAST_PROBES:
        return ""
    mean = fmean(told)
    spread = sqrt(fsum((each - mean) ** 2 for each in told) / (len(told) - 1) / len(told))
    if mean + spread > 0.0:
        return ""
    return (
        f"the curriculum does not beat what the job says: beside {len(told)} probes the loss fell "
        f"by {mean:+.5f} nats a token more a window (standard error {spread:.5f}); it is over"
    )


def _reason(window: int, arms: Sequence[Arm], shares: Sequence[float], settings: Settings) -> str:
    names = [source.name for source in settings.data.sources]
    ratios = [
        (share / arm.share, name)
        for arm, share, name in zip(arms, shares, names, strict=True)
        if arm.share > 0.0
    ]
    low, high = min(ratios), max(ratios)
    return (
        f"window {window}: most of {high[1]}, {high[0]:.2f} times what the job says, least of "
        f"{low[1]}, {low[0]:.2f} times"
    )
