"""The weights in a checkpoint, one parameter at a time, without room for the moments."""

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor

from qmpi.config.settings import Settings
from qmpi.training.flat_state import host_view
from qmpi.training.state_part import WEIGHTS
from qmpi.training.whole_state import WholeState
from qmpi.units import Digest


class SnapshotWeights:
    """Weights of a checkpoint; its bytes are read when they are asked for."""

    def __init__(self, settings: Settings, payloads: Sequence[memoryview]) -> None:
        """Find them.

        Args:
            settings: the job that made the checkpoint.
            payloads: of the snapshot of each position of a team, in order of position.

        Raises:
            CorruptData: the checkpoint is of another model, or its parts do not belong together.
        """
        self._state = WholeState(settings, payloads)

    def digest(self, step: int) -> Digest:
        """Return the digest of the weights, as the journal has it.

        Args:
            step: of the checkpoint.
        """
        return self._state.weight_digest(step)

    def parameter(self, name: str) -> Tensor:
        """Return a copy of a parameter, whole.

        Args:
            name: of the parameter.

        Returns:
            float32, on the CPU.

        Raises:
            CorruptData: positions hold different copies of it.
        """
        return self._state.read(name, (WEIGHTS,))[WEIGHTS].to(torch.float32)

    def encoded(self, name: str, dtype: Literal["float32", "bfloat16"]) -> memoryview:
        """Return a copy of a parameter as bytes.

        Args:
            name: of the parameter.
            dtype: of the bytes; bfloat16 is rounded to nearest, ties to even.

        Returns:
            Little-endian numbers.
        """
        values = self.parameter(name)
        if dtype == "bfloat16":
            values = values.to(torch.bfloat16)
        return host_view(values.flatten().view(torch.uint8))

    def __iter__(self) -> Iterator[tuple[str, Tensor]]:
        """Yield each parameter with its name, in the order of the model."""
        for name in self._state.names:
            yield name, self.parameter(name)
