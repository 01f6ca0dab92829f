"""The signals by which a command that waits for ranks is asked to stop.

Theory of operation. All of them ask for the same: finish or save what is under way, then leave with
exit code 75, "to be queued again". A command that dies of a signal instead would leave its ranks
without anybody to start them again.

    SIGINT, SIGTERM, SIGQUIT   a person or a scheduler; the second of these ends the command at once
    SIGHUP                     the terminal is gone, as when a connection breaks
    SIGUSR1, SIGUSR2, SIGXCPU  a scheduler's warning before its limit; SIGTERM may follow

The warnings and SIGHUP never count as the second: a closed terminal sends SIGHUP twice, and what a
scheduler warns of, it sends later. Nor does a SIGTERM that comes soon after the first: `scancel`
sends it to every process of a job, and the script that started this one passes its own on. Under
`nohup` SIGHUP stays ignored.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INSISTENT = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
ECHO_SECONDS = 5.0
"""How long after the first SIGTERM another one tells of the same order."""

WARNING = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)


class StopRequest:
    """What the signals of this process ask for."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Nothing is asked yet.

        Args:
            now: clock, in seconds.
        """
        self.asked = False
        self._now = now
        self._insisted = False
        self._echo_until = float("-inf")
        self._terminals = [number for number in (0, 1, 2) if os.isatty(number)]

    def __call__(self) -> bool:
        """Return whether the run shall stop."""
        return self.asked

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Note a signal.

        Args:
            number: which signal.
            frame: where it struck; not used.

        Raises:
            KeyboardInterrupt: it insists, and is not the first that does.
        """
        del frame
        self.asked = True
        if number == signal.SIGHUP:
            self._leave_terminal()
        if number in INSISTENT:
            self._insist(number)

    def _insist(self, number: int) -> None:
        is_term = number == signal.SIGTERM
        if is_term and self._now() < self._echo_until:
            return
        if self._insisted:
            raise KeyboardInterrupt
        self._insisted = True
        if is_term:
            self._echo_until = self._now() + ECHO_SECONDS

    @contextmanager
    def heard(self, numbers: tuple[signal.Signals, ...] = (*INSISTENT, *WARNING)) -> Iterator[None]:
        """Take signals in the body.

        Args:
            numbers: which.

        Yields:
            Nothing.
        """
        taken = [
            number
            for number in numbers
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
        ]
        before = {number: signal.signal(number, self.on_signal) for number in taken}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _leave_terminal(self) -> None:
        # Writing to a terminal that is gone fails, and a view that fails must not end the run.
        while self._terminals:
            sink = os.open(os.devnull, os.O_RDWR)
            os.dup2(sink, self._terminals.pop())
            os.close(sink)
