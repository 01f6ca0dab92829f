"""The real clock, on a machine whose wall clock can be set."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qmpi.runtime.clock import Clock

_TIME = time.time


class RealWorld:
    """A clock and real time."""

    def __init__(self, kind: type[Clock] = Clock) -> None:
        self.clock = kind()

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)

    def set_back(self, seconds: float) -> None:
        time.time = lambda: _TIME() - seconds


@contextmanager
def real_world(folder: Path, kind: type[Clock] = Clock) -> Iterator[RealWorld]:
    """Offer a clock; the wall clock is as it was afterwards."""
    del folder
    try:
        yield RealWorld(kind)
    finally:
        time.time = _TIME
