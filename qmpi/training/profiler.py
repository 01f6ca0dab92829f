"""A torch profiler around the steps of one engine; results as a Chrome trace, which Perfetto opens.

Theory of operation. Torch records the operations of the thread that starts it, those that autograd
starts for it, and on a GPU the kernels. It reads clocks only, so the bits of a step are those of
one that nobody looks at. Start and stop belong to the engine's thread; what was recorded may be
written by another, while the next step runs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from qmpi.errors import MachineError


class Profiler:
    """One recording."""

    def __init__(self, device: torch.device) -> None:
        """Record nothing yet.

        Args:
            device: that computes; on a GPU its kernels are recorded too (not run on one yet).
        """
        kinds = [ProfilerActivity.CPU]
        if device.type == "cuda":
            kinds.append(ProfilerActivity.CUDA)
        self._profile = profile(activities=kinds)

    def start(self) -> None:
        """Begin to record; takes a second or two the first time in a process.

        Raises:
            MachineError: torch cannot, as when another profiler runs in this process.
        """
        try:
            self._profile.start()
        except RuntimeError as error:
            raise MachineError(f"torch cannot profile here: {error}") from error

    def stop(self) -> None:
        """Record no more.

        Raises:
            MachineError: torch cannot say what it recorded.
        """
        try:
            self._profile.stop()
        except RuntimeError as error:
            raise MachineError(f"torch lost what it recorded: {error}") from error

    @contextmanager
    def step(self, number: int) -> Iterator[None]:
        """Name what is recorded in the body.

        Args:
            number: of the step.

        Yields:
            Nothing.
        """
        with record_function(f"step {number}"):
            yield

    def write(self, path: Path) -> None:
        """Write what was recorded.

        Args:
            path: of a JSON file; replaced if it exists.

        Raises:
            MachineError: torch cannot say what it recorded, or cannot write it.
        """
        try:
            self._profile.export_chrome_trace(str(path))
        except RuntimeError as error:
            raise MachineError(f"torch cannot write {path}: {error}") from error
