"""What a job needs of one host: copies in RAM, checkpoints, memory, open files, cores.

Theory of operation. Roles are dealt as the job would deal them; the fullest host counts. The first
trainer of a position and every replica keep copies in the RAM of their host. A writer drops all but
the newest before it writes, so at its peak it holds `keep` copies, but never fewer than two. What
a rank takes beside its state was measured.
"""

from collections import Counter
from collections.abc import Sequence
from math import ceil

from msgspec import Struct

from qmpi.config.compression_checks import kept_bytes
from qmpi.config.data import CorpusSource
from qmpi.config.memory_checks import host_bytes
from qmpi.config.settings import Settings
from qmpi.model.shape import parameter_count, state_bytes
from qmpi.policy.placement import place
from qmpi.protocol.envelope import RoleName

GRADIENT_BYTES = 4
"""A parameter in a trainer, beside its state."""

RANK_BYTES = 75 << 20
TRAINER_BYTES = 375 << 20
"""Resident memory of a light rank, and of a trainer beside its state."""

SEGMENT_BYTES = 16 << 20
"""What Open MPI asks of shared memory for a rank; it refuses a segment if less is free."""

TOUCHED_BYTES = 160 << 10
"""What of it a rank has written to when it has come up; messages in flight write to the rest."""

LAUNCHER_FILES, LAUNCHER_FILES_A_RANK = 40, 4
"""Open files of mpirun: 22 and 3 a rank of its host were seen, and more while it starts one."""

RANK_FILES, RANK_FILES_A_PEER = 64, 2
"""Open files of a rank: MPI's, torch's, a corpus; and sockets to ranks of other hosts."""


class Needs(Struct, frozen=True):
    """Needs of the fullest host.

    Attributes:
        host_ranks: ranks there.
        trainers: trainers there.
        snapshot: bytes of one snapshot.
        ram: bytes of the copies in RAM.
        chunks: bytes of compressed chunks that memory ranks keep in the host's memory.
        segments: bytes of MPI's shared memory, if messages fill it.
        least_segments: bytes that must be free for all ranks to come up.
        memory: bytes of the processes, without copies and compressed chunks.
        trainer: bytes of one trainer among them.
        checkpoints: bytes in the run directory.
        threads: threads that compute at once.
        open_files: open files of one process.
    """

    host_ranks: int
    trainers: int
    snapshot: int
    ram: int
    chunks: int
    segments: int
    least_segments: int
    memory: int
    trainer: int
    checkpoints: int
    threads: int
    open_files: int


def needs_of(job: Settings, ranks: int, hosts: int) -> Needs:
    """Work out what a job needs of its fullest host.

    Args:
        job: the job.
        ranks: of the job, >= 1.
        hosts: that they are spread over evenly, >= 1.

    Returns:
        The needs.
    """
    names = [str(rank * hosts // max(ranks, hosts)) for rank in range(ranks)]
    roles = place(names, job.roles, job.train.lanes, job.parallel.team_size).roles
    copies, trainers, seated = Counter[str](), Counter[str](), False
    memories = _most_memories(job, names, roles)
    for name, played in zip(names, roles, strict=True):
        trainers[name] += RoleName.TRAINER in played
        copies[name] += RoleName.REPLICA in played
        if RoleName.TRAINER in played and not seated:
            copies[name] += 1
            seated = True
    held = kept_bytes(job.train, parameter_count(job.model))
    state = state_bytes(job.model, job.optimizer.kind, job.train.masters)
    snapshot = state + job.train.lanes * held
    number, busiest = max(Counter(names).values()), max(trainers.values())
    trainer = TRAINER_BYTES + state + GRADIENT_BYTES * parameter_count(job.model)
    teams = max(1, sum(trainers.values()) // job.parallel.team_size)
    trainer += 2 * ceil(job.train.lanes / teams) * held
    kept = max(2, job.snapshot.keep)
    return Needs(
        host_ranks=number,
        trainers=busiest,
        snapshot=snapshot,
        ram=max(copies.values()) * kept * snapshot,
        chunks=memories * host_bytes(job),
        segments=number * SEGMENT_BYTES,
        least_segments=SEGMENT_BYTES + number * TOUCHED_BYTES,
        memory=number * RANK_BYTES + busiest * trainer + memories * job.memory.budget,
        trainer=trainer,
        checkpoints=(job.snapshot.keep + 1) * snapshot,
        threads=busiest * job.train.threads,
        open_files=max(
            LAUNCHER_FILES + LAUNCHER_FILES_A_RANK * number,
            RANK_FILES + RANK_FILES_A_PEER * (ranks - number),
        ),
    )


def _most_memories(job: Settings, names: Sequence[str], roles: Sequence[Sequence[RoleName]]) -> int:
    """Return the memory ranks of the host that has most of them, if they read a corpus."""
    if not any(isinstance(source, CorpusSource) for source in job.data.sources):
        return 0
    played = zip(names, roles, strict=True)
    return max(Counter(name for name, its in played if RoleName.MEMORY in its).values(), default=0)
