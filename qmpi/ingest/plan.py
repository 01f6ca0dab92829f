"""The plan of `qmpi ingest -n RANKS`: the stages of an ingestion on the work farm."""

from pathlib import Path
from typing import Any

from qmpi.ingest.spec import spec_from
from qmpi.ingest.stages import IngestPlan
from qmpi.protocol.work_plan import WorkPlan


def open_plan(description: dict[str, Any], work: Path) -> WorkPlan:
    """Open the plan; the corpus under way is the work directory's parent.

    Args:
        description: an `IngestSpec` as plain values.
        work: OUT.partial/work.

    Returns:
        The plan.
    """
    return IngestPlan(spec_from(description), work)
