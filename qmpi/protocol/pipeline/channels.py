"""Ways between stages, as a rehearsal models them: values in order, with room for so many."""

from qmpi.protocol.pipeline.actions import Value


class Channel:
    """One direction between two stages.

    A send returns at once while fewer than `room` values wait to be received, else once one has
    been. With room 0 sender and receiver meet: both go on when the value is over.
    """

    def __init__(self, cost: int, room: int | None) -> None:
        """Open it.

        Args:
            cost: time that a value travels.
            room: values that may wait; None: any number.
        """
        self._cost, self._room = cost, room
        self._sent: list[tuple[Value, int]] = []
        self._received: list[int] = []
        self._is_offered = False

    @property
    def sent(self) -> int:
        """Number of values sent, or offered."""
        return len(self._sent)

    @property
    def waiting(self) -> tuple[Value, ...]:
        """Values sent, and not received."""
        return tuple(value for value, _ in self._sent[len(self._received) :])

    def send(self, value: Value, now: int) -> int | None:
        """Send a value.

        Args:
            value: what.
            now: time of the sender.

        Returns:
            Time at which the sender goes on; None: not yet, ask again.
        """
        if self._room == 0:
            return self._meet(value, now)
        if self._room is not None and len(self._sent) >= self._room:
            freed = len(self._sent) - self._room
            if freed >= len(self._received):
                return None
            now = max(now, self._received[freed])
        self._sent.append((value, now))
        return now

    def receive(self, now: int) -> tuple[Value, int] | None:
        """Receive the next value.

        Args:
            now: time of the receiver.

        Returns:
            The value and the time at which it is there; None: not yet, ask again.
        """
        if not self.waiting:
            return None
        value, sent = self._sent[len(self._received)]
        there = max(now, sent) + self._cost if self._room == 0 else max(now, sent + self._cost)
        self._received.append(there)
        return value, there

    def _meet(self, value: Value, now: int) -> int | None:
        if not self._is_offered:
            self._sent.append((value, now))
            self._is_offered = True
        if self.waiting:
            return None
        self._is_offered = False
        return self._received[-1]
