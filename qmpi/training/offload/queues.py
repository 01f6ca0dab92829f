"""Three queues of work: what computes, what comes from the host, what goes to it.

Theory of operation. A GPU has engines that copy while it computes. Work of one queue is done in
order; between queues there is no order but that of marks: a mark is passed when all that was in its
queue before it is done. The host only puts work in; it waits where it asks to.

On a CPU there is one queue, and what is put in is done at once.
"""

from enum import Enum, auto
from typing import Protocol

import torch
from torch import Tensor

Mark = object
"""A place in a queue."""


class Queue(Enum):
    """Which of the three."""

    COMPUTE = auto()
    INCOMING = auto()
    OUTGOING = auto()


COMPUTE, INCOMING, OUTGOING = Queue.COMPUTE, Queue.INCOMING, Queue.OUTGOING


class Queues(Protocol):
    """The queues of one device."""

    def copy(self, queue: Queue, target: Tensor, source: Tensor) -> None:
        """Put a copy in; the device's memory is kept until it is done, the host's is not."""
        ...

    def mark(self, queue: Queue) -> Mark:
        """Mark the end of a queue as it is now."""
        ...

    def wait(self, queue: Queue, mark: Mark) -> None:
        """Let what is put in from now on wait for a mark of another queue."""
        ...

    def finish(self, mark: Mark) -> None:
        """Return when a mark is passed."""
        ...


class AtOnce:
    """Queues of a device that does what it is told before it returns."""

    def copy(self, queue: Queue, target: Tensor, source: Tensor) -> None:  # noqa: ARG002
        """Copy."""
        target.copy_(source)

    def mark(self, queue: Queue) -> Mark:  # noqa: ARG002
        """Return a mark that is passed."""
        return None

    def wait(self, queue: Queue, mark: Mark) -> None:
        """Do nothing."""

    def finish(self, mark: Mark) -> None:
        """Do nothing."""


class Streams:
    """Queues of a GPU: the stream that is current, and two beside it."""

    def __init__(self, device: torch.device) -> None:
        """Make the two.

        Args:
            device: a GPU.
        """
        self._device = device
        self._beside = {queue: torch.cuda.Stream(device) for queue in (INCOMING, OUTGOING)}

    def copy(self, queue: Queue, target: Tensor, source: Tensor) -> None:
        """Put a copy in; the host's memory must be pinned and stay."""
        stream = self._of(queue)
        with torch.cuda.stream(stream):
            target.copy_(source, non_blocking=True)
        for tensor in (target, source):
            if tensor.is_cuda:
                tensor.record_stream(stream)

    def mark(self, queue: Queue) -> Mark:
        """Return an event, recorded at the end of the stream."""
        return self._of(queue).record_event()

    def wait(self, queue: Queue, mark: Mark) -> None:
        """Let the stream wait for the event."""
        if isinstance(mark, torch.cuda.Event):
            self._of(queue).wait_event(mark)

    def finish(self, mark: Mark) -> None:
        """Wait for the event."""
        if isinstance(mark, torch.cuda.Event):
            mark.synchronize()

    def _of(self, queue: Queue) -> torch.cuda.Stream:
        return self._beside.get(queue) or torch.cuda.current_stream(self._device)


def queues_of(device: torch.device) -> Queues:
    """Return the queues of a device.

    Args:
        device: where a job computes.
    """
    return Streams(device) if device.type == "cuda" else AtOnce()
