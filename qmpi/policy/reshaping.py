"""Runs that go on in another layout: what of their journal is the story of the run before."""

from collections.abc import Iterable, Sequence

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


def layout_text(layout: Layout, chunks: int) -> str:
    """Name a layout.

    Args:
        layout: sizes of the axes.
        chunks: of layers that a stage of a pipeline holds.

    Returns:
        As "pipeline 2, chunks 2, tensor 4"; "one rank" if no axis has more.
    """
    sizes = {axis: size for axis, size in zip(AXES, layout.shape, strict=True) if size > 1}
    if chunks > 1:
        sizes = {"pipeline": sizes.pop("pipeline"), "chunks": chunks, **sizes}
    return ", ".join(f"{axis} {size}" for axis, size in sizes.items()) or "one rank"
