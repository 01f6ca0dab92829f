"""Whether a replay came to what the run came to: step by step, in the order of causes.

Theory of operation. Blocks decide losses and gradients, these the norm, these the update, that the
weights. So the first thing that differs is told, of the first step that has one. All is compared as
it stands in the journals, to the last bit. What only one of two journals tells is passed over: a
digest of the weights is taken every few steps and at the end, noise where it is asked for.
"""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from qmpi.protocol.journal import GenerationOpened, JournalRecord, StepCommitted
from qmpi.protocol.progress import ExpertLoads
from qmpi.units import Step


class Difference(Struct, frozen=True):
    """The first thing in which a replay differs.

    Attributes:
        step: which.
        what: of it, such as "losses of lanes".
        run: what the run's journal says.
        replay: what the replay's says.
    """

    step: Step
    what: str
    run: str
    replay: str


class Likeness(Struct, frozen=True):
    """How far two journals tell the same story.

    Attributes:
        steps: compared, from 0 on, up to and with the one that differs.
        digests: digests of weights among them that both journals name.
        digest: the last of these; "" if there is none.
        digest_step: number of steps that it covers.
        difference: the first; None: all are the same bits.
    """

    steps: int = 0
    digests: int = 0
    digest: str = ""
    digest_step: int = 0
    difference: Difference | None = None


Value = str | float | ExpertLoads | tuple[str | float, ...] | None
Fact = Callable[[StepCommitted], Value]

_FACTS: tuple[tuple[str, Fact], ...] = (
    ("digests of blocks", lambda step: step.block_digests),
    ("losses of lanes", lambda step: step.lane_losses),
    ("squares of lanes' gradients", lambda step: _told(step.lane_square)),
    ("scale of the loss", lambda step: step.loss_scale),
    ("norm of the gradient", lambda step: step.gradient_norm),
    ("spike", lambda step: step.spike),
    ("learning rate", lambda step: step.learning_rate),
    ("number of updates", lambda step: _told(step.updates)),
    ("loads of experts", lambda step: step.experts),
    ("digest of the weights", lambda step: step.weight_digest or None),
)
"""What a step came to; None: the journal does not tell."""


def likeness(
    run: Mapping[int, StepCommitted], replay: Mapping[int, StepCommitted], steps: int
) -> Likeness:
    """Compare two runs.

    Args:
        run: steps that stand, from 0 on.
        replay: the same of the other.
        steps: compared at most.

    Returns:
        How far they agree.
    """
    found = Likeness()
    for number in range(min(steps, len(run), len(replay))):
        before, after = run[number], replay[number]
        difference = _first_difference(before, after)
        named = bool(before.weight_digest and after.weight_digest)
        found = Likeness(
            number + 1,
            found.digests + named,
            before.weight_digest if named else found.digest,
            number + 1 if named else found.digest_step,
            difference,
        )
        if difference is not None:
            break
    return found


def teams_of(
    records: Iterable[JournalRecord], standing: Mapping[int, StepCommitted], steps: int
) -> tuple[int, ...]:
    """Return how many teams the steps of a run were shared out to: what a float sum depends on.

    Args:
        records: the run's journal.
        standing: steps that stand, from 0 on.
        steps: how many of them count.

    Returns:
        Numbers of teams, each once, in the order of the steps; none if no group is told of.
    """
    groups = {r.generation: len(r.lanes) for r in records if isinstance(r, GenerationOpened)}
    numbers = (standing[number].generation for number in range(min(steps, len(standing))))
    return tuple(dict.fromkeys(groups[number] for number in numbers if number in groups))


def _first_difference(run: StepCommitted, replay: StepCommitted) -> Difference | None:
    for what, fact in _FACTS:
        before, after = fact(run), fact(replay)
        if before != after and before is not None and after is not None:
            return Difference(run.step, what, *_shown(before, after))
    return None


def _shown(before: Value, after: Value) -> tuple[str, str]:
    """Return two unlike values for people: of one value a lane the first that differs."""
    if isinstance(before, tuple) and isinstance(after, tuple):
        return _of_lane(before, after)
    return str(before) or "none", str(after) or "none"


def _of_lane(before: tuple[str | float, ...], after: tuple[str | float, ...]) -> tuple[str, str]:
    if len(before) != len(after):
        return f"{len(before)} of them", f"{len(after)} of them"
    lane = next(lane for lane, value in enumerate(before) if value != after[lane])
    return f"{before[lane]} of lane {lane}", f"{after[lane]} of lane {lane}"


def _told(value: float) -> float | None:
    return None if value < 0 else value
