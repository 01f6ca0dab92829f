"""The weights in a snapshot, one parameter at a time, without room for the moments."""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from qmpi.config.settings import Settings
from qmpi.errors import CorruptData
from qmpi.training.flat_state import FlatState, host_view, state_layout, weight_digest
from qmpi.units import Digest


class SnapshotWeights:
    """Weights of a snapshot; its bytes are read when they are asked for."""

    def __init__(self, settings: Settings, payload: memoryview) -> None:
        """Find them.

        Args:
            settings: the job that made the snapshot.
            payload: the snapshot's.

        Raises:
            CorruptData: the snapshot is of another model.
        """
        self._layout = state_layout(settings)
        # On this device there are places, and no memory.
        state = FlatState(self._layout, torch.device("meta"))
        if payload.nbytes != state.total_bytes:
            raise CorruptData(
                f"a snapshot of {payload.nbytes} bytes does not fit this model, whose state takes "
                f"{state.total_bytes} bytes; it belongs to a run with another [model] section"
            )
        self._kind = state.params.dtype
        start = state.params.storage_offset() * self._kind.itemsize
        self._bytes = payload[start : start + state.params.numel() * self._kind.itemsize]
        self._slots = {slot.name: slot for slot in self._layout.slots}

    def digest(self, step: int) -> Digest:
        """Return the digest of the weights, as the journal has it.

        Args:
            step: of the snapshot.
        """
        return weight_digest(self._bytes, step)

    def parameter(self, name: str) -> Tensor:
        """Return a copy of a parameter.

        Args:
            name: of the parameter.

        Returns:
            float32, on the CPU.
        """
        slot = self._slots[name]
        start, size = slot.start * self._kind.itemsize, slot.size * self._kind.itemsize
        raw = bytearray(self._bytes[start : start + size])
        return torch.frombuffer(raw, dtype=self._kind).view(slot.shape).to(torch.float32)

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
        """Yield each parameter with its name, in the order of the snapshot."""
        for name in self._slots:
            yield name, self.parameter(name)
