"""Where the time of a step goes: laps, each counted for the part of the step that it ends.

Theory of operation. The engine calls `lap` where one part of a step ends and the next begins; the
time since the lap before counts for the part that is named. So the parts never overlap, and leave
nothing out between the first lap and the last. The sweep runs inside backward, in its hooks: a lap
before it and one after take it out.

What goes on behind the parts, sums over the members that have begun, is counted by itself: the time
from one `behind` to the next, if something was under way at the first.

On a CPU a lap is one look at a clock. A GPU works behind the host, so there a lap is an event in
its queue: the time between two events is what the work between them took, waits of the queue
included. They are read once, when the step is done and the host has waited for its results anyway.
"""

from collections.abc import Callable
from typing import Literal, Protocol

import torch

from qmpi.protocol.progress import StepTimes

Part = Literal["forward", "backward", "sweep", "communication", "optimizer", "digest"]
"""The parts that an engine sees; fields of `StepTimes`."""


class Stopwatch(Protocol):
    """Measures one step at a time."""

    def begin(self) -> None:
        """Begin a step; what was measured before is dropped."""
        ...

    def resume(self) -> None:
        """Go on with the step; the time since the last lap counts for nothing."""
        ...

    def lap(self, part: Part) -> None:
        """Count the time since the last lap.

        Args:
            part: what it was spent on.
        """
        ...

    def behind(self, *, under_way: bool) -> None:
        """Count the time since the last call as hidden, if it said that something was under way.

        Args:
            under_way: something is, and something else is computed meanwhile.
        """
        ...

    def times(self) -> StepTimes:
        """Return the seconds of the step so far, by part."""
        ...


class HostStopwatch:
    """Measures by a clock: for work that is done when its call returns."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Measure nothing yet.

        Args:
            clock: seconds, monotonic.
        """
        self._clock = clock
        self._seconds: dict[Part, float] = {}
        self._last = self._hidden = 0.0
        self._since: float | None = None

    def begin(self) -> None:
        """Begin a step; what was measured before is dropped."""
        self._seconds, self._hidden, self._since = {}, 0.0, None
        self._last = self._clock()

    def resume(self) -> None:
        """Go on with the step; the time since the last lap counts for nothing."""
        self._last = self._clock()

    def lap(self, part: Part) -> None:
        """Count the time since the last lap.

        Args:
            part: what it was spent on.
        """
        now = self._clock()
        self._seconds[part] = self._seconds.get(part, 0.0) + now - self._last
        self._last = now

    def behind(self, *, under_way: bool) -> None:
        """Count the time since the last call as hidden, if it said that something was under way.

        Args:
            under_way: something is, and something else is computed meanwhile.
        """
        if self._since is None and not under_way:
            return
        now = self._clock()
        if self._since is not None:
            self._hidden += now - self._since
        self._since = now if under_way else None

    def times(self) -> StepTimes:
        """Return the seconds of the step so far, by part."""
        return StepTimes(**self._seconds, hidden=self._hidden)


class DeviceStopwatch:
    """Measures by events in a CUDA device's queue. Not run on a GPU yet."""

    def __init__(self, device: torch.device) -> None:
        """Measure nothing yet.

        Args:
            device: whose queue.
        """
        self._device = device
        self._laps: list[tuple[Part | None, torch.cuda.Event]] = []

    def begin(self) -> None:
        """Begin a step; what was measured before is dropped."""
        self._laps = []
        self._mark(None)

    def resume(self) -> None:
        """Go on with the step; the time since the last lap counts for nothing."""
        self._mark(None)

    def lap(self, part: Part) -> None:
        """Count the time since the last lap.

        Args:
            part: what it was spent on.
        """
        self._mark(part)

    def behind(self, *, under_way: bool) -> None:
        """Do nothing: the host, which asks, is ahead of what the device computes.

        Args:
            under_way: not used.
        """

    def times(self) -> StepTimes:
        """Return the seconds of the step so far, by part; waits until its work is done."""
        seconds: dict[Part, float] = {}
        if self._laps:
            self._laps[-1][1].synchronize()
        for (_, before), (part, after) in zip(self._laps, self._laps[1:], strict=False):
            if part is not None:
                seconds[part] = seconds.get(part, 0.0) + before.elapsed_time(after) / 1000.0
        return StepTimes(**seconds)

    def _mark(self, part: Part | None) -> None:
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        self._laps.append((part, event))


def make_stopwatch(device: torch.device, clock: Callable[[], float]) -> Stopwatch:
    """Make the stopwatch of a device.

    Args:
        device: that computes.
        clock: seconds, monotonic; used where the device has no queue of its own.

    Returns:
        The stopwatch.
    """
    return DeviceStopwatch(device) if device.type == "cuda" else HostStopwatch(clock)
