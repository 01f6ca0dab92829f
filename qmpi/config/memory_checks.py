"""Contradictions of [memory] with the rest of a job, and with the machine."""

from collections.abc import Iterator

from qmpi.config.data import CorpusSource
from qmpi.config.memory import CHUNK_TOKENS, id_bytes
from qmpi.config.settings import Settings


def memory_contradictions(settings: Settings) -> Iterator[str]:
    """Check section [memory].

    Args:
        settings: a job.

    Yields:
        One sentence each.
    """
    chunk = CHUNK_TOKENS * id_bytes(settings.model.vocab_size)
    budget = settings.memory.budget
    reads = any(isinstance(source, CorpusSource) for source in settings.data.sources)
    if reads and budget < chunk:
        yield (
            f"memory.budget = {budget} bytes is less than one chunk of a corpus takes, {chunk}: "
            "each row would be decoded anew; raise it, or leave it out"
        )


def memory_fault(settings: Settings, machine_bytes: int) -> str:
    """Say whether a machine is too small for what its memory ranks are to keep.

    Args:
        settings: a job.
        machine_bytes: what processes may have there, limits of a container counted in.

    Returns:
        A sentence; "" if nothing is wrong.
    """
    budget = settings.memory.budget
    if budget <= machine_bytes:
        return ""
    return (
        f"memory.budget = {budget} bytes is more than this machine has, {machine_bytes} (limits of "
        "a container counted in): lower it, and leave room for the other ranks"
    )
