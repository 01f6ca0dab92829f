"""What is half-written goes when a command is told to end.

Theory of operation. SIGTERM and SIGHUP would end Python on the spot: no `finally` runs, and a file
of hundreds of megabytes stays under a hidden name. So they unwind the command as an exception does,
and then end the process as they would have: whoever waits for it sees the signal.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP)


class _ToldToEndError(BaseException):
    """Unwinds the command; not an `Exception`, so that nobody takes it for a failure of his own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def cleared_away() -> Iterator[None]:
    """Let a signal that ends the process run the `finally` clauses of the body first.

    A signal that is ignored, as SIGHUP under `nohup`, stays ignored.

    Yields:
        Nothing.
    """
    taken = [number for number in ENDING if signal.getsignal(number) is signal.SIG_DFL]

    def unwind(number: int, frame: FrameType | None) -> None:
        del frame
        for each in taken:  # another one in the midst of clearing away would stop that
            signal.signal(each, signal.SIG_IGN)
        raise _ToldToEndError(number)

    try:
        for number in taken:
            signal.signal(number, unwind)
        yield
    except _ToldToEndError as told:
        signal.signal(told.number, signal.SIG_DFL)
        os.kill(os.getpid(), told.number)
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
