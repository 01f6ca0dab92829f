"""Operations that have begun: waiting for them, leaving them, and what is left behind.

Theory of operation. No call frees a gloo wait from outside, and a rank may wait for a live peer
that has itself left for the next generation. So each wait is cut into slices; between them the wait
looks at `aborted`, which the control thread sets. An operation that is left behind goes on by
itself and may still touch its tensors: they are kept here, and the caller must not use them again.
A group with such an operation joins its threads when dropped, which blocks; so `stuck` lines are
kept until their operations have ended (the owner's graveyard).
"""

from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple

from torch import Tensor

from qmpi.errors import PeerLost
from qmpi.training.comm.backend import Backend
from qmpi.training.comm.group import Work
from qmpi.training.comm.waits import (
    FIRST_SLICE,
    Aborted,
    first_line,
    leave_if_told,
    next_slice,
)


class Operation(NamedTuple):
    """One call of the library that is under way.

    Attributes:
        backend: that carries it.
        work: to wait for.
        tensors: that it reads or writes.
    """

    backend: Backend
    work: Work
    tensors: tuple[Tensor, ...]


Begun = Generator[Sequence[Operation], None, Tensor]
"""The stages of a line's operation, each of one call or more; then what it comes to."""


class UnderWay:
    """The calls of one line that have begun and of which it is not known that they ended."""

    def __init__(self, aborted: Aborted) -> None:
        """Begin without any.

        Args:
            aborted: says why the work in hand shall end, or None.
        """
        self._aborted = aborted
        self._operations: dict[int, Operation] = {}

    @property
    def stuck(self) -> bool:
        """Whether calls go on that nobody waits for any more."""
        self._operations = {
            key: operation
            for key, operation in self._operations.items()
            if not operation.work.is_completed()
        }
        return bool(self._operations)

    def begin(self, backend: Backend, start: Callable[[], Work], *tensors: Tensor) -> Operation:
        """Begin a call.

        Args:
            backend: that carries it.
            start: makes the call.
            tensors: that it reads or writes.

        Returns:
            The call under way.

        Raises:
            PeerLost: a member is gone, or this one is told to leave.
        """
        leave_if_told(self._aborted)
        try:
            operation = Operation(backend, start(), tensors)
        except RuntimeError as error:
            raise PeerLost(first_line(error)) from None
        self._operations[id(operation)] = operation
        return operation

    def end(self, operation: Operation) -> None:
        """Wait for a call.

        Args:
            operation: as begun.

        Raises:
            PeerLost: a member is gone, or this one is told to leave; it is left behind.
        """
        try:
            self._wait(operation)
        except PeerLost:
            operation.backend.abandon()
            raise
        self._operations.pop(id(operation), None)

    def _wait(self, operation: Operation) -> None:
        seconds = FIRST_SLICE
        while True:
            try:
                if operation.backend.ended(operation.work, seconds):
                    return
            except RuntimeError as error:
                raise PeerLost(first_line(error)) from None
            seconds = next_slice(seconds)
            leave_if_told(self._aborted)


class Pending:
    """An operation of a line that has begun; whoever began it waits for it once."""

    def __init__(self, begun: Begun, under_way: UnderWay) -> None:
        """Begin its first stage.

        Args:
            begun: its stages.
            under_way: the line's calls.

        Raises:
            PeerLost: a member is gone, or this one is told to leave.
        """
        self._stages, self._under_way = begun, under_way
        self._calls: Sequence[Operation] | None = None
        self._result: Tensor | None = None
        self._go_on()

    @property
    def calls_ended(self) -> bool:
        """Whether the calls that it has begun so far have ended, well or badly; waits for none."""
        return all(call.work.is_completed() for call in self._calls or ())

    def wait(self) -> Tensor:
        """Wait for the operation.

        Returns:
            What it comes to; of operations in place the tensor itself.

        Raises:
            PeerLost: a member is gone, or this one is told to leave. The operation's tensors must
                not be used any more.
        """
        while self._result is None:
            for call in self._calls or ():
                self._under_way.end(call)
            self._go_on()
        return self._result

    def _go_on(self) -> None:
        try:
            self._calls = next(self._stages)
        except StopIteration as end:
            self._result = end.value
