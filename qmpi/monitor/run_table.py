"""Runs under each other, for people."""

from collections.abc import Sequence

from qmpi.monitor.paint import Cell, table
from qmpi.monitor.run_look import RunLine
from qmpi.monitor.status_text import COLOURS, duration

TITLES = ("run", "state", "step", "loss", "failures", "roll backs", "last sign", "directory")


def run_table(runs: Sequence[RunLine], now: float, *, colour: bool) -> list[str]:
    """Return a line a run.

    Args:
        runs: in the order in which they are shown.
        now: seconds since the epoch.
        colour: paint it.

    Returns:
        Lines, the titles first.
    """
    rows = [[Cell(title, "bold") for title in TITLES]]
    rows += [_row(run, now) for run in runs]
    return table(rows, right=(2, 3, 4, 5, 6), colour=colour)


def _row(run: RunLine, now: float) -> list[Cell]:
    steps = f"{run.step}/{run.steps}" if run.steps else "-"
    loss = "-" if run.loss is None else f"{run.loss:.4f}"
    ago = f"{duration(max(0.0, now - run.updated))} ago" if run.updated else "-"
    failures = Cell(str(run.failures), "yellow" if run.failures else "")
    backs = Cell(str(run.roll_backs), "yellow" if run.roll_backs else "")
    told = (Cell(steps), Cell(loss), failures, backs, Cell(ago), Cell(run.directory))
    return [Cell(run.name, "bold"), Cell(run.state, COLOURS[run.state]), *told]
