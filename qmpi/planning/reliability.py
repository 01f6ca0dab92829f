"""Failures, and the share of the time that training gets: what is lost, and what copies cost.

Theory of operation. A rank that dies alone is healed inside the job, in seconds. A node that is
lost takes the MPI job with it: the supervisor starts it again on the nodes that live, the ranks
read the newest copy from RAM, and the steps since that copy are done again. So each loss costs the
relaunch, the reading, and half of what lies between two copies. Only losses of nodes are counted:
no machine file says how often a rank dies alone.
"""

from msgspec import Struct

from qmpi.planning.workload import GLOO_BYTES, Workload

RELAUNCH_SECONDS = 20.0
"""From the loss to the first step, reading apart: 10 to 20 s for small jobs (docs/recovery.md)."""

START_SECONDS_A_RANK = 0.002
"""What a start takes longer with each rank. A guess: beyond 128 real ranks nobody has measured."""

DAY = 86_400.0


class Reliability(Struct, frozen=True, kw_only=True):
    """What failures cost.

    Attributes:
        per_day: losses of a node a day; None: the machine file does not say.
        seconds_each: lost with each.
        share: of the time that training gets; None likewise.
    """

    per_day: float | None
    seconds_each: float
    share: float | None


def reliability(job: Workload, step_seconds: float) -> Reliability:
    """Return what failures cost a job.

    Args:
        job: the job.
        step_seconds: of a step.

    Returns:
        The cost. A single node that fails loses its copies in RAM: the steps since the newest
        checkpoint are done again.
    """
    snapshot, nodes = job.settings.snapshot, job.nodes
    between = snapshot.every_steps if nodes > 1 else snapshot.disk_every_steps
    read = job.copy_bytes / GLOO_BYTES
    start = RELAUNCH_SECONDS + START_SECONDS_A_RANK * job.counts.ranks
    each = start + read + between * step_seconds / 2
    if not job.node_days:
        return Reliability(per_day=None, seconds_each=each, share=None)
    rate = nodes / job.node_days
    # A failure may also strike while the last one is being mended, so work and mending share time.
    return Reliability(per_day=rate, seconds_each=each, share=1 / (1 + rate * each / DAY))
