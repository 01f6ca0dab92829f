"""Schedules of a pipeline: in which order each stage does its passes.

Theory of operation. With S stages and M microbatches a stage waits while the pipeline fills and
drains. "gpipe" (Huang et al. 2019) does all forward passes, then all backward passes, and holds M
activations. "1f1b" (Narayanan et al. 2019) begins a backward pass as soon as it can: it waits as
long, and holds S activations at most. "interleaved" (Narayanan et al. 2021) gives each stage C
chunks that lie apart in the chain: filling takes 1/C of the time. "zero_bubble" (Qi et al. 2023)
splits backward passes, and gradients of weights fill most of the waiting, in the memory of "1f1b":
a third of it is left (their ZB-H1), a sixth with two chunks in a chain that turns back (ZB-V).

Every schedule completes the gradients of a chunk in the order of microbatches. So they are summed
in one order whatever the schedule, and the sum is the same bits.
"""

from collections.abc import Callable, Iterator

from qmpi.config.parallel import PipelineSchedule
from qmpi.errors import InvariantError
from qmpi.protocol.pipeline.actions import Action, Chain, Pass, Table
from qmpi.protocol.pipeline.turning import turning


def table_of(schedule: PipelineSchedule, stages: int, chunks: int, microbatches: int) -> Table:
    """Write a schedule down.

    Args:
        schedule: as `parallel.schedule` names it.
        stages: ranks along the pipeline axis, >= 1.
        chunks: of each stage, >= 1; 1 with "gpipe" and "1f1b", 1 or 2 with "zero_bubble".
        microbatches: of a lane, >= 1; whole rounds of the stages with "interleaved".

    Returns:
        The table.

    Raises:
        InvariantError: the schedule has no table for such a pipeline.
    """
    chain = Chain(stages, chunks, microbatches)
    order: Callable[[Chain, int], Iterator[Action]]
    match schedule, chunks:
        case "gpipe", 1:
            order = _gpipe
        case "1f1b", 1:
            order = _one_by_one
        case "zero_bubble", 1:
            order = _zero_bubble
        case "zero_bubble", 2:
            chain, order = Chain(stages, chunks, microbatches, turns_back=True), turning
        case "interleaved", _ if microbatches % stages == 0:
            order = _one_by_one
        case _:
            raise InvariantError(
                f"{schedule} has no table for {microbatches} microbatches and {stages} stages of "
                f"{chunks} chunks"
            )
    return Table(chain, tuple(tuple(order(chain, stage)) for stage in range(stages)))


def forward_table(stages: int, chunks: int, microbatches: int) -> Table:
    """Write down forward passes alone: rounds of the stages pass one chunk after the other.

    Args:
        stages: ranks along the pipeline axis, >= 1.
        chunks: of each stage, >= 1; in a chain that does not turn back.
        microbatches: that pass the pipeline, >= 0.

    Returns:
        The table.
    """
    actions = tuple(
        Action(Pass.FORWARD, chunk, microbatch)
        for first in range(0, microbatches, stages)
        for chunk in range(chunks)
        for microbatch in range(first, min(first + stages, microbatches))
    )
    return Table(Chain(stages, chunks, microbatches), (actions,) * stages)


def _gpipe(chain: Chain, _stage: int) -> Iterator[Action]:
    for work in (Pass.FORWARD, Pass.BACKWARD):
        for microbatch in range(chain.microbatches):
            yield Action(work, 0, microbatch)


def _one_by_one(chain: Chain, stage: int) -> Iterator[Action]:
    """Yield 1F1B; with several chunks rounds of S microbatches pass one chunk after the other."""
    count, ahead = _count(chain), _ahead(chain, stage)
    for number in range(count + ahead):
        if number < count:
            yield _forward(chain, number)
        if number >= ahead:
            yield _backward(chain, number - ahead)


def _zero_bubble(chain: Chain, stage: int) -> Iterator[Action]:
    """Yield ZB-H1: as 1F1B, with gradients of weights `stage` backward passes behind.

    The later a stage, the fewer forward passes it is ahead, and the more inputs it can keep for
    the weights: S activations in all. They fill the time in which the pipeline drains.
    """
    count, ahead = chain.microbatches, _ahead(chain, stage)
    for number in range(count + ahead):
        if number < count:
            yield Action(Pass.FORWARD, 0, number)
        if number >= ahead:
            yield Action(Pass.BACKWARD_INPUT, 0, number - ahead)
        if number >= ahead + stage:
            yield Action(Pass.BACKWARD_WEIGHT, 0, number - ahead - stage)
    for microbatch in range(max(0, count - stage), count):
        yield Action(Pass.BACKWARD_WEIGHT, 0, microbatch)


def _count(chain: Chain) -> int:
    """Return the forward passes of a stage."""
    return chain.microbatches * chain.chunks


def _ahead(chain: Chain, stage: int) -> int:
    """Return the forward passes that a stage does before it does one of each in turn."""
    later = chain.stages - stage - 1
    # With chunks a backward pass waits for its round to have passed all of them; and while a
    # gradient comes down from the last stage, that one goes on forward with a chunk that this
    # stage has to have fed: two steps ahead for each stage between.
    ahead = later if chain.chunks == 1 else 2 * later + (chain.chunks - 1) * chain.stages
    return min(ahead, _count(chain))


def _forward(chain: Chain, number: int) -> Action:
    """Return the n-th forward pass of a stage."""
    in_rounds, place = divmod(number, chain.stages)
    whole, chunk = divmod(in_rounds, chain.chunks)
    return Action(Pass.FORWARD, chunk, whole * chain.stages + place)


def _backward(chain: Chain, number: int) -> Action:
    """Return the n-th backward pass of a stage: chunks in the opposite order."""
    _, chunk, microbatch = _forward(chain, number)
    return Action(Pass.BACKWARD, chain.chunks - 1 - chunk, microbatch)
