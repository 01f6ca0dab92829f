"""This machine as a node: what a job is laid out for when no machine is named."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from qmpi.config.machine import GpuShape, Machine, NodeShape

DEVICES = Path("/dev")
GIB = 1 << 30

_GPU = re.compile(r"nvidia\d+")


def as_found(
    devices: Iterable[str] | None = None,
    cores: Callable[[], int | None] = os.cpu_count,
    ask: Callable[[str], int] = os.sysconf,
) -> Machine:
    """Look at this machine.

    Args:
        devices: names of device files; None: those that there are.
        cores: tells the number of cores.
        ask: tells pages and their size, as `os.sysconf`.

    Returns:
        Cores, memory and GPUs; what cannot be seen from here, such as a GPU's speed, is not known.
    """
    names = (entry.name for entry in DEVICES.iterdir()) if devices is None else devices
    gpus = sum(bool(_GPU.fullmatch(name)) for name in names)
    memory = ask("SC_PHYS_PAGES") * ask("SC_PAGE_SIZE") / GIB
    node = NodeShape(cores=cores() or 1, memory_gib=memory, gpus=min(gpus, 64))
    return Machine(node=node, gpu=GpuShape(name="a GPU") if gpus else GpuShape())
