"""What of a job waits in the host's memory, and on which devices; memory that a GPU can reach.

Memory of the state is pinned where it stands. torch's own pinned memory is rounded up to a power of
two, which for the moments of a large model may be as much again.

Source: torch/cuda/_pin_memory_utils.py and aten/src/ATen/core/CachingHostAllocator.h of torch 2.13.
"""

import logging
import weakref
from typing import Any

import torch
from torch import Tensor

from qmpi.config.train import TrainSettings
from qmpi.errors import MachineError

logger = logging.getLogger(__name__)

DEVICES = frozenset({"cuda"})
"""Kinds of devices that have a memory of their own. The tests add one that has not."""

PORTABLE = 1
"""Pinned for all contexts: cudaHostRegisterPortable."""


def offloads_moments(train: TrainSettings, device: torch.device) -> bool:
    """Return whether moments live in the host's memory; a setting without effect is told.

    Args:
        train: `offload`.
        device: where the job computes.
    """
    if train.offload != "none" and device.type not in DEVICES:
        logger.warning(
            'train.offload = "%s" has no effect on a CPU, whose memory is the host\'s',
            train.offload,
        )
    return train.offload in {"optimizer", "all"} and device.type in DEVICES


def offloads_activations(train: TrainSettings, device: torch.device) -> bool:
    """Return whether what layers keep for their backward pass waits in the host's memory.

    Args:
        train: `offload`.
        device: where the job computes.
    """
    return train.offload in {"activations", "all"} and device.type in DEVICES


def needs_pinning(device: torch.device) -> bool:
    """Return whether the host's memory must be pinned for a device to reach it.

    Args:
        device: where a job computes.
    """
    return device.type != "cpu"


def pin(owner: object, memory: Tensor) -> None:
    """Let GPUs read and write a tensor of the host directly, as long as somebody needs it.

    Args:
        owner: while it lives the memory is pinned.
        memory: contiguous, on the CPU, not empty.

    Raises:
        MachineError: the system refuses.
    """
    address, size = memory.data_ptr(), memory.nbytes
    refused = int(_runtime().cudaHostRegister(address, size, PORTABLE))
    if refused:
        raise MachineError(
            f"{size:,} bytes of the host's memory cannot be pinned for the moments (CUDA error "
            f'{refused}): resume with train.offload = "none" or "activations" (the weights are '
            "the same bits), or with fewer ranks on a host"
        )
    # When the process ends, CUDA may be gone before this.
    weakref.finalize(owner, _unpin, address).atexit = False


def _unpin(address: int) -> None:
    _runtime().cudaHostUnregister(address)


def _runtime() -> Any:  # noqa: ANN401
    # torch's stubs say that there may be none.
    return torch.cuda.cudart()
