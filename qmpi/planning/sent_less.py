"""Bytes that trainers send to sum gradients, of which lanes may send less than they have.

An all-reduce in a ring sends each element twice less what a member has itself. The largest elements
travel in a gather: each member passes on those of all others, so they grow with the members.
"""

from qmpi.config.compression_checks import sends_less
from qmpi.planning.shape import matrix_counts
from qmpi.planning.workload import Workload

ELEMENT = 4
"""Bytes of an element of a sum."""

LARGEST = 1.6
"""Bytes of one of the largest elements with its place, of noise, which takes the most: of one lane
2.2 with 1 %, 1.6 with 4.5 %; of three lanes added up 1.8 and 1.3."""


def sends_whole(job: Workload) -> bool:
    """Return whether lanes send all that they have, in 32 bits."""
    return not sends_less(job.settings.train)


def sum_bytes(job: Workload, parameters: int) -> float:
    """Return what a trainer sends a step to sum gradients, after the warm-up of the largest.

    Args:
        job: the job, or a position of its teams.
        parameters: that the trainer sums.
    """
    teams, train = job.teams, job.settings.train
    around = 2 * ELEMENT * (teams - 1) / teams
    if train.compression == "topk":
        chosen = min(1.0, train.compression_share * job.team_lanes) * parameters
        return LARGEST * chosen * (teams - 1)
    if train.compression == "powersgd":
        return around * min(parameters, _narrow_elements(job, parameters))
    return around * parameters * train.reduction_bits / 32


def _narrow_elements(job: Workload, parameters: int) -> int:
    """Return the elements of all narrow matrices; of a matrix itself where these are not fewer.

    Of vectors there are too few to count.
    """
    whole, rank = job.uncut or job.shape, job.settings.train.compression_rank
    sides = matrix_counts(whole)
    sides[whole.vocab_size, whole.width] += whole.tables
    narrow = sum(
        many * min(rows * cols, rank * (rows + cols)) for (rows, cols), many in sides.items()
    )
    return narrow * parameters // job.parameters
