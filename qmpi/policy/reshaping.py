"""Runs that go on in another layout: what of their journal is the story of the run before."""

from collections.abc import Iterable, Sequence

from qmpi.config.parallel import ParallelSettings
from qmpi.protocol.journal import JournalRecord, RunOpened, RunReshaped
from qmpi.protocol.teams import AXES, Layout


def which_run(history: Iterable[JournalRecord]) -> RunOpened | RunReshaped | None:
    """Return the record that says which run this is, and what it was begun with.

    Args:
        history: the journal, or what of it opens or reshapes a run.

    Returns:
        The newest reshaping; else the first opening; None: there is neither.
    """
    found: RunOpened | RunReshaped | None = None
    for record in history:
        if isinstance(record, RunReshaped) or (isinstance(record, RunOpened) and found is None):
            found = record
    return found


def since_reshaped(history: Sequence[JournalRecord]) -> tuple[RunOpened, ...]:
    """Return the openings of a run in its layout of today.

    Args:
        history: the journal.
    """
    own: list[RunOpened] = []
    for record in history:
        if isinstance(record, RunReshaped):
            own.clear()
        elif isinstance(record, RunOpened):
            own.append(record)
    return tuple(own)


def layout_text(parallel: ParallelSettings) -> str:
    """Name what says which part of the state lies at which position of a team.

    Args:
        parallel: section of the job.

    Returns:
        As "pipeline 2, chunks 2, tensor 4"; "context 2, weights shared out" with `shard` = "full";
        "one rank" if no axis has more.
    """
    shape = Layout.of(parallel).shape
    sizes = {axis: size for axis, size in zip(AXES, shape, strict=True) if size > 1}
    if parallel.chunks > 1:
        sizes = {"pipeline": sizes.pop("pipeline"), "chunks": parallel.chunks, **sizes}
    told = [f"{axis} {size}" for axis, size in sizes.items()]
    if parallel.shard == "full":
        told.append("weights shared out")
    return ", ".join(told) or "one rank"
