"""Contradictions of [memory] with the rest of a job, and with the machine."""

from collections.abc import Iterator
from posixpath import normpath

from qmpi.config.data import CorpusSource
from qmpi.config.memory import CHUNK_TOKENS, LEVEL_KINDS, id_bytes, most_frame_bytes
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
    yield from _faults_of_levels(settings, reads=reads)


def _faults_of_levels(settings: Settings, *, reads: bool) -> Iterator[str]:
    levels, least = settings.memory.levels, most_frame_bytes(settings.model.vocab_size)
    kinds = [level.kind for level in levels]
    if kinds != [kind for kind in LEVEL_KINDS if kind in kinds]:
        yield (
            f"memory.levels is {', '.join(kinds)}: each kind may stand there once, in the order "
            f"{', '.join(LEVEL_KINDS)}, since chunks are looked for in the nearest first"
        )
    places = [normpath(level.place) for level in levels if level.place]
    if len(set(places)) < len(places):
        yield (
            f"memory.levels: both lie in {places[0]}, where one would delete what the other keeps: "
            "give each a directory of its own"
        )
    for number, level in enumerate(levels):
        name = f"memory.levels[{number}]"
        if reads and level.budget < least:
            yield (
                f"{name}.budget = {level.budget} bytes may be less than one compressed chunk of a "
                f"corpus takes, {least} at most: raise it, or leave the level out"
            )
        if not level.place:
            yield f"{name}.directory is missing: name a directory of a disk of each host"
        elif "\0" in level.place:
            yield f"{name}.directory holds a NUL character, which no path can"
        elif not level.place.startswith("/"):
            yield (
                f"{name}.directory = {level.directory!r} must be an absolute path: each host looks "
                "for it on its own"
            )


def host_bytes(settings: Settings) -> int:
    """Return what a memory rank keeps in the memory of its host beside its own.

    Args:
        settings: a job.

    Returns:
        Bytes at most.
    """
    return sum(level.budget for level in settings.memory.levels if level.kind == "host")


def memory_fault(settings: Settings, machine_bytes: int) -> str:
    """Say whether a machine is too small for what its memory ranks are to keep.

    Args:
        settings: a job.
        machine_bytes: what processes may have there, limits of a container counted in.

    Returns:
        A sentence; "" if nothing is wrong.
    """
    budget, host = settings.memory.budget, host_bytes(settings)
    if budget + host <= machine_bytes:
        return ""
    if host:
        return (
            f"memory.budget = {budget} bytes and {host} of the host level are more than this "
            f"machine has, {machine_bytes}: lower them, and leave room for the other ranks"
        )
    return (
        f"memory.budget = {budget} bytes is more than this machine has, {machine_bytes} (limits of "
        "a container counted in): lower it, and leave room for the other ranks"
    )
