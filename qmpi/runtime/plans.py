"""Open the plan that a work file describes: each rank of a farm does it by itself."""

from importlib import import_module
from pathlib import Path

from qmpi.errors import InvariantError
from qmpi.protocol.work_plan import WorkPlan
from qmpi.storage.work_file import WorkFile

PLANS = {
    "generate": "qmpi.corpora.generate_plan",
    "ingest": "qmpi.ingest.plan",
}
"""Module of each kind of work; its `open_plan(description: dict, work: Path)` makes a plan."""


def open_plan(work: WorkFile, directory: Path) -> WorkPlan:
    """Open the plan that a work file describes.

    Args:
        work: the description.
        directory: the work directory.

    Returns:
        The plan, on any rank the same.

    Raises:
        InvariantError: nobody knows such work.
    """
    if work.kind not in PLANS:
        raise InvariantError(f"no plan of kind {work.kind!r}")
    plan: WorkPlan = import_module(PLANS[work.kind]).open_plan(work.plan, directory)
    return plan
