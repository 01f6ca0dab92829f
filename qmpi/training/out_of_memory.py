"""What torch says when memory is refused, as an error that says whose fault it is and what helps.

Theory of operation. torch tells of it by a RuntimeError, whose text alone says that it is this: the
allocator of CPUs has no class of its own for it. Python and numpy raise `MemoryError`. The kernel's
own way, to kill a process, gives nobody a chance to speak; its peers hear of it as of any death.

Source: c10/core/impl/alloc_cpu.cpp and c10/cuda/CUDACachingAllocator.cpp of torch 2.13.
"""

import ctypes
import re
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from qmpi.config.train import TrainSettings
from qmpi.errors import OutOfMemory
from qmpi.planning.wording import size_text

Made = TypeVar("Made")

UNITS = {"": 1, "bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}

_WANTED = re.compile(r"[Tt]ried to allocate ([0-9.]+) ?([KMGT]iB|bytes|)")
_REFUSED = re.compile(
    r"DefaultCPUAllocator: |not enough memory: |out of memory|"
    r"could not (create|execute) a primitive"
)
"""The last is all that oneDNN says where memory for its code or its scratch is refused. It has a
primitive for each product of the step, so it means nothing else here."""


def refused_bytes(error: BaseException) -> int | None:
    """Return how much memory an error is about.

    Args:
        error: anything that was raised.

    Returns:
        Bytes that were asked for; 0: it does not say; None: the error is about something else.
    """
    if isinstance(error, MemoryError):
        found = re.search(r"[Uu]nable to allocate ([0-9.]+) ?([KMGT]iB|bytes|)", str(error))
    elif isinstance(error, RuntimeError) and _REFUSED.search(str(error)):
        found = _WANTED.search(str(error))
    else:
        return None
    return round(float(found[1]) * UNITS[found[2]]) if found else 0


def with_memory_told(train: TrainSettings, what: str, work: Callable[[], Made]) -> Made:
    """Do some work; a refusal of memory becomes `OutOfMemory`, all else passes.

    Args:
        train: how large a microbatch is.
        what: the work, such as "step 3".
        work: does it.

    Returns:
        What came of it.

    Raises:
        OutOfMemory: memory was refused. It has no cause or context: their frames would keep the
            tensors of the work alive.
        MemoryError: never; it is one of those that become `OutOfMemory`.
        RuntimeError: the work raises one that is about something else.
    """
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        wanted = refused_bytes(error)
        if wanted is None:
            raise
    give_back()
    asked = f"{size_text(wanted)} more" if wanted else "more"
    raise OutOfMemory(f"{what}: there is no memory for {asked}. {remedy(train)}", wanted)


def give_back() -> None:
    """Return to the machine what is free in the heap; nothing where the C library is another.

    A trainer keeps what it frees. After a refusal that is memory which smaller work, and what does
    not come from the heap, cannot have.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def remedy(train: TrainSettings) -> str:
    """Return what makes a trainer smaller, the cheapest first.

    Args:
        train: how large a microbatch is, and what its layers keep.

    Returns:
        Sentences for people.
    """
    batch = f"its microbatch is {train.sequences} x {train.sequence_tokens} tokens"
    less = (
        "halve train.sequences and double train.microbatches in a new run"
        if train.sequences > 1
        else "shorten train.sequence_tokens in a new run"
    )
    same = "What helps: "
    if train.checkpointing != "full" or train.checkpoint_every > 1:
        same = 'Resume with train.checkpointing = "full" (the weights are the same bits); or: '
    elif train.offload != "all":
        same = 'What helps: on a GPU, train.offload = "all" (the weights are the same bits); '
    return f"{same}{batch}, {less}; a smaller model; fewer ranks on a host"
