"""What each stage of a pipeline does, with whom it exchanges what, step by step.

Theory of operation. Between two stages values travel in the order in which they are sent, and are
told apart by it alone: no tags. A stage sends what it makes at once. Before an action it receives
from the peer that makes its input until the input is there; what comes before that, and is needed
later, it keeps. So both sides agree on the order by construction, whatever the schedule.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from qmpi.protocol.pipeline.actions import Action, Table, Value


class Receive(NamedTuple):
    """Wait for the next value from a peer, and keep it.

    Attributes:
        peer: stage that sends it.
        value: what it is.
    """

    peer: int
    value: Value


class Compute(NamedTuple):
    """Do an action.

    Attributes:
        action: the action.
    """

    action: Action


class Send(NamedTuple):
    """Send a value to a peer.

    Attributes:
        peer: stage that receives it.
        value: what it is.
    """

    peer: int
    value: Value


Step = Receive | Compute | Send

Program = tuple[Step, ...]
"""All steps of one stage for one lane, in order."""


def programs_of(table: Table) -> tuple[Program, ...]:
    """Return the programs of all stages.

    Args:
        table: a schedule written down.

    Returns:
        One program a stage.
    """
    chain, stages = table.chain, range(table.chain.stages)
    queues = {(sender, peer): deque[Value]() for sender in stages for peer in stages}
    for stage in stages:
        for step in _sends(table, stage):
            queues[stage, step.peer].append(step.value)
    return tuple(
        tuple(_steps(table, stage, {peer: queues[peer, stage] for peer in range(chain.stages)}))
        for stage in stages
    )


def _sends(table: Table, stage: int) -> Iterator[Send]:
    for action in table.actions[stage]:
        yield from _sent_after(table, stage, action)


def _sent_after(table: Table, stage: int, action: Action) -> Iterator[Send]:
    value = table.chain.gives(stage, action)
    if value is not None and table.chain.stage(value.place) != stage:
        yield Send(table.chain.stage(value.place), value)


def _steps(table: Table, stage: int, coming: dict[int, deque[Value]]) -> Iterator[Step]:
    received: set[Value] = set()
    for action in table.actions[stage]:
        yield from _received_before(table, stage, action, coming, received)
        yield Compute(action)
        yield from _sent_after(table, stage, action)


def _received_before(
    table: Table,
    stage: int,
    action: Action,
    coming: dict[int, deque[Value]],
    received: set[Value],
) -> Iterator[Receive]:
    value = table.chain.needs(stage, action)
    if value is None:
        return
    maker = value.place + 1 if value.is_gradient else value.place - 1
    peer = table.chain.stage(maker)
    while peer != stage and value not in received and coming[peer]:
        next_one = coming[peer].popleft()
        received.add(next_one)
        yield Receive(peer, next_one)
