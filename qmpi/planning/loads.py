"""What a job asks of network, file system, coordinator and generators, in figures a second.

Figures of the coordinator are those of docs/benchmarks/scale_epyc-2core_2026-11-28.md: 5,200
trainers on 1,000 hosts, a step and a beat a second, 1,007 messages and 478 kB a step, 2.4 % of a
core. They grow with the hosts (beats) and the lanes (losses and digests of a report).
"""

from math import ceil

from msgspec import Struct

from qmpi.planning.sent_less import sum_bytes
from qmpi.planning.team import largest_part, team_state_bytes
from qmpi.planning.workload import Workload

COORDINATOR_SECONDS = 24e-6
"""Of a core, for each message that it receives, what it sends in answer included."""

LANE_REPORT_BYTES = 92
"""A lane's loss and digest in the report of a step."""

BEAT_BYTES = 60
"""A host's beat, roughly."""

GENERATOR_TOKENS = 560_000
"""Tokens a second that one generator writes, all types in turn (docs/benchmarks/content_*)."""

FILES_A_RANK = 900
"""Files opened at start; torch adds more (hpc/)."""

SHARD_BYTES_A_TOKEN = 2
"""Before compression, with a vocabulary of at most 65,536."""

SHARD_TOKENS = 1 << 28
"""Most tokens of a shard, as `qmpi ingest` makes them."""


class Loads(Struct, frozen=True, kw_only=True):
    """Loads of a running job.

    Attributes:
        reduce_bytes: that a trainer sends a step to sum gradients over the teams.
        block_bytes_a_second: of token blocks, all trainers together.
        coordinator_messages: that the coordinator receives a second.
        coordinator_bytes: likewise, bytes.
        coordinator_core: share of a core that it needs.
        generated_tokens: a second, that the generated sources must give.
        generator_room: tokens a second that the generators can write.
        corpus_bytes: of the corpus that one pass over the tokens would be, not compressed; 0: all
            is generated.
        corpus_shards: that it would be in, at least.
        snapshot_bytes: of one copy of the state.
        snapshot_every: seconds between two copies in RAM.
        checkpoint_every: seconds between two on disk.
        checkpoint_seconds: to write one; None: the file system's speed is not known.
        opens: files opened at a start, all ranks.
        opening_seconds: that takes; None: the file system's speed is not known.
    """

    reduce_bytes: float
    block_bytes_a_second: float
    coordinator_messages: float
    coordinator_bytes: float
    coordinator_core: float
    generated_tokens: float
    generator_room: float
    corpus_bytes: float
    corpus_shards: int
    snapshot_bytes: int
    snapshot_every: float
    checkpoint_every: float
    checkpoint_seconds: float | None
    opens: int
    opening_seconds: float | None


def loads(job: Workload, step_seconds: float) -> Loads:
    """Return the loads of a job.

    Args:
        job: the job.
        step_seconds: of a step.

    Returns:
        The loads.
    """
    settings, count = job.settings, largest_part(job)
    lanes = settings.train.lanes
    hosts = max(1, job.nodes if job.on_gpus else ceil(job.counts.ranks / job.machine.node.cores))
    steps = 1 / step_seconds
    messages = hosts / settings.failure.heartbeat_seconds + 2 * steps
    token = SHARD_BYTES_A_TOKEN * (1 if job.shape.vocab_size <= 65_536 else 2)
    made = generated_share(job)
    read = (1 - made) * job.tokens
    write = job.machine.files.write_gbytes * 1e9
    state = team_state_bytes(job)
    opens, speed = job.counts.ranks * FILES_A_RANK, job.machine.files.opens_per_second
    return Loads(
        reduce_bytes=sum_bytes(job, count),
        block_bytes_a_second=job.step_tokens * token * steps,
        coordinator_messages=messages,
        coordinator_bytes=lanes * LANE_REPORT_BYTES * steps + messages * BEAT_BYTES,
        coordinator_core=messages * COORDINATOR_SECONDS,
        generated_tokens=made * job.step_tokens * steps,
        generator_room=job.counts.generators * GENERATOR_TOKENS,
        corpus_bytes=read * token,
        corpus_shards=ceil(read / SHARD_TOKENS),
        snapshot_bytes=state,
        snapshot_every=settings.snapshot.every_steps * step_seconds,
        checkpoint_every=settings.snapshot.disk_every_steps * step_seconds,
        checkpoint_seconds=state / write if write else None,
        opens=opens,
        opening_seconds=opens / speed if speed else None,
    )


def generated_share(job: Workload) -> float:
    """Return the share of the sequences that generators write."""
    sources = job.settings.data.sources
    made = sum(s.weight for s in sources if s.__struct_config__.tag == "content")
    return made / sum(s.weight for s in sources)
