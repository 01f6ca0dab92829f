"""What a pipeline waits and keeps, in closed form; a test holds it to the tables played.

Theory of operation. The slowest stage works without a pause once the pipeline is full; until then,
and while it drains, it waits for one pass of each other stage: of one of its chunks, where stages
have several. `qmpi.protocol.pipeline.rehearsal` gives the same for any table, in time that grows
with the microbatches, of which a step may have thousands.
"""

from collections.abc import Sequence

from qmpi.config.parallel import ParallelSettings

SPLIT_WAIT = {1: 1 / 3, 2: 1 / 6}
"""What zero bubble waits, by chunks, as a share of what 1F1B does."""


def waiting_seconds(
    parallel: ParallelSettings, stage_seconds: Sequence[float], microbatches: int
) -> float:
    """Return what the slowest stage waits in a step while the pipeline fills and drains.

    Args:
        parallel: schedule and chunks.
        stage_seconds: that each stage computes and sends in a step, one of each.
        microbatches: of a step that pass the pipeline.
    """
    others = (sum(stage_seconds) - max(stage_seconds)) / microbatches
    if parallel.schedule == "zero_bubble":
        return others * SPLIT_WAIT[min(2, parallel.chunks)]
    return others / parallel.chunks


def kept_chunks(parallel: ParallelSettings, stage: int, microbatches: int) -> int:
    """Return how many passes of a chunk a stage keeps for backward at most.

    Args:
        parallel: stages, schedule and chunks.
        stage: 0 <= stage < parallel.pipeline.
        microbatches: of a step that pass the pipeline.
    """
    stages, chunks, all_of = parallel.pipeline, parallel.chunks, microbatches * parallel.chunks
    if stages == 1:
        return 1
    later = stages - stage - 1
    match parallel.schedule:
        case "gpipe":
            return microbatches
        case "1f1b":
            return min(later + 1, microbatches)
        case "interleaved":
            return min(2 * later + (chunks - 1) * stages + 1, all_of)
        case "zero_bubble":
            return min(stages * chunks, all_of)
