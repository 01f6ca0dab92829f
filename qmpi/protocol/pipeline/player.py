"""One stage at play: does its steps as far as it gets, and says what is wrong with them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product

from msgspec import Struct

from qmpi.protocol.pipeline.actions import Action, Chain, Pass, Value
from qmpi.protocol.pipeline.channels import Channel
from qmpi.protocol.pipeline.programs import Compute, Program, Receive, Send, Step

PARTS = (Pass.FORWARD, Pass.BACKWARD_INPUT, Pass.BACKWARD_WEIGHT)
"""What is done for each microbatch by each chunk; a whole backward pass is the last two."""


class Costs(Struct, frozen=True, kw_only=True):
    """Times of one chunk and one microbatch, all in one unit, each >= 0.

    Attributes:
        forward: of a forward pass.
        backward_input: of the gradient of the input.
        backward_weight: of the gradients of the weights; both together are a backward pass.
        transfer: from stage to stage.
    """

    forward: int = 1
    backward_input: int = 1
    backward_weight: int = 1
    transfer: int = 0

    def of(self, work: Pass) -> int:
        """Return the time of a pass."""
        return {
            Pass.FORWARD: self.forward,
            Pass.BACKWARD: self.backward_input + self.backward_weight,
            Pass.BACKWARD_INPUT: self.backward_input,
            Pass.BACKWARD_WEIGHT: self.backward_weight,
        }[work]


class Player:
    """One stage at play.

    Attributes:
        now: time at which it has done its steps so far.
        steps: number of these.
        busy: time that it computed.
        alive: most activations that it held at once, see `Rehearsal`.
        waited_for: most of these that a gradient was to come for.
    """

    def __init__(
        self,
        chain: Chain,
        stage: int,
        program: Program,
        costs: Costs,
        channels: Mapping[tuple[int, int], Channel],
    ) -> None:
        """Put a stage before its first step.

        Args:
            chain: of the pipeline.
            stage: which one.
            program: of the stage.
            costs: of passes.
            channels: by sender and receiver.
        """
        self._chain, self._stage, self._program = chain, stage, program
        self._costs, self._channels = costs, channels
        every = product(PARTS, range(chain.chunks), range(chain.microbatches))
        self._all = frozenset(Action(*which) for which in every)
        self._done: set[Action] = set()
        self._parts = Counter[Pass]()
        self._there: set[Value] = set()
        self._faults: list[str] = []
        self.now = self.steps = self.busy = self.alive = self.waited_for = 0

    def go_on(self) -> None:
        """Do steps until one has to wait, or something is wrong."""
        while self.steps < len(self._program) and not self._faults:
            if not self._do(self._program[self.steps]):
                return
            self.steps += 1

    def faults(self) -> list[str]:
        """Return what is wrong, once no stage gets on.

        Returns:
            One sentence each; empty if all was done that there is to do.
        """
        faults = self._faults
        if not faults and self.steps < len(self._program):
            faults = [f"waits for ever to {_told(self._program[self.steps])}"]
        if not faults:
            faults = [f"leaves out {action}" for action in sorted(self._all - self._done)]
        return [f"stage {self._stage} {fault}" for fault in faults]

    def _do(self, step: Step) -> bool:
        match step:
            case Compute(action):
                self._faults += self._faults_of(action)
                self._compute(action)
                return True
            case Send(peer, value):
                return self._send(peer, value)
            case Receive(peer, value):
                return self._receive(peer, value)

    def _send(self, peer: int, value: Value) -> bool:
        if value not in self._there:
            self._faults.append(f"sends what it has not: {value}")
            return False
        free = self._channels[self._stage, peer].send(value, self.now)
        if free is not None:
            self.now = free
        return free is not None

    def _receive(self, peer: int, value: Value) -> bool:
        received = self._channels[peer, self._stage].receive(self.now)
        if received is None:
            return False
        came, self.now = received
        self._there.add(came)
        if came != value:
            self._faults.append(f"expects {value} of stage {peer}, and gets {came}")
        return True

    def _compute(self, action: Action) -> None:
        made = self._chain.gives(self._stage, action)
        if made is not None:
            self._there.add(made)
        self._done.update(_parts(action))
        self._parts.update(part.work for part in _parts(action))
        cost = self._costs.of(action.work)
        self.now += cost
        self.busy += cost
        begun = self._parts[Pass.FORWARD]
        self.alive = max(self.alive, begun - self._parts[Pass.BACKWARD_WEIGHT])
        self.waited_for = max(self.waited_for, begun - self._parts[Pass.BACKWARD_INPUT])

    def _faults_of(self, action: Action) -> list[str]:
        parts = _parts(action)
        if not self._done.isdisjoint(parts):
            return [f"does twice: {action}"]
        if not self._all.issuperset(parts):
            return [f"has no {action}"]
        faults: list[str] = []
        needed = self._chain.needs(self._stage, action)
        if needed is not None and needed not in self._there:
            faults.append(f"lacks the {needed} in {action}")
        missing = [part for part in _before(parts[0], parts[-1]) if part not in self._done]
        return faults + [f"does {action} before {part}" for part in missing]


def _before(first: Action, last: Action) -> Iterator[Action]:
    """Yield what must be done before an action, given its first part and its last one."""
    if first.work != Pass.FORWARD:
        yield first._replace(work=PARTS[PARTS.index(first.work) - 1])
    # Gradients are summed as they come, and the order of a sum of floats is part of its bits.
    if last.work == Pass.BACKWARD_WEIGHT and last.microbatch:
        yield last._replace(microbatch=last.microbatch - 1)


def _parts(action: Action) -> tuple[Action, ...]:
    if action.work != Pass.BACKWARD:
        return (action,)
    return tuple(action._replace(work=part) for part in PARTS[1:])


def _told(step: Step) -> str:
    match step:
        case Compute(action):
            return f"do {action}"
        case Send(peer, value):
            return f"send stage {peer} the {value}"
        case Receive(peer, value):
            return f"receive from stage {peer} the {value}"
