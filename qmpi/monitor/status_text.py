"""The status for people: what a night operator wants to know, in the order of wanting."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from qmpi.monitor.crowd_text import host_lines, role_table
from qmpi.protocol.status import FailureReport, RankReport, StatusReport
from qmpi.protocol.work import WorkStatus

COLOURS = {
    "starting": "yellow",
    "running": "green",
    "finished": "bold green",
    "stopped": "bold cyan",
    "failed": "bold red",
    "stale": "bold yellow",
}
SHOWN_FAILURES = 5
SHOWN_RANKS = 40


def render(report: StatusReport) -> RenderableType:
    """Return the whole status as text.

    Args:
        report: after `qmpi.monitor.staleness.judge`.

    Returns:
        Something that a rich console prints.
    """
    head = Text.assemble(
        (report.name or "run", "bold"),
        "  ",
        (report.state, COLOURS[report.state]),
        "  ",
        report.reason,
    )
    parts: list[RenderableType] = [head, facts(report)]
    if report.summary is not None:
        parts += [role_table(report.summary), Text.from_markup(host_lines(report.summary.hosts))]
    if report.ranks:
        parts.append(rank_table(report.ranks, left_out=_left_out(report)))
    if report.failures:
        parts.append(failure_lines(report.failures))
    return Group(*parts)


def facts(report: StatusReport) -> Table:
    """Return progress as two columns.

    Args:
        report: the status.

    Returns:
        A table without frame.
    """
    if report.work is not None:
        return work_facts(report, report.work)
    table = Table.grid(padding=(0, 2))
    share = 100.0 * report.step / max(1, report.steps)
    table.add_row("step", f"{report.step} of {report.steps} ({share:.0f} %)")
    table.add_row("loss", "none yet" if report.loss is None else f"{report.loss:.4f}")
    if report.gradient_norm is not None and report.learning_rate is not None:
        rate = f"norm {report.gradient_norm:.3g}, learning rate {report.learning_rate:.3g}"
        again = f", {report.redone_passes} passes done again" if report.redone_passes else ""
        table.add_row("gradient", rate + again)
    table.add_row("tokens", f"{report.tokens:,} ({report.tokens_per_second:,.0f} a second)")
    if report.wait_share:
        table.add_row("waiting", f"{100 * report.wait_share:.0f} % of the time, for blocks")
    table.add_row("time to go", duration(report.eta_seconds))
    if report.digest:
        table.add_row("weights", f"{report.digest[:16]} after {report.digest_step} steps")
    table.add_row("generation", f"{report.generation}, start {report.incarnation} of the job")
    return table


def work_facts(report: StatusReport, work: WorkStatus) -> Table:
    """Return the progress of a work farm as two columns.

    Args:
        report: the status.
        work: its part about units.

    Returns:
        A table without frame.
    """
    table = Table.grid(padding=(0, 2))
    share = 100.0 * work.units_done / max(1, work.units)
    many = f", stage {work.stage_number + 1} of {work.stages}" if work.stages > 1 else ""
    table.add_row("work", work.stage + many)
    table.add_row("units", f"{work.units_done:,} of {work.units:,} ({share:.0f} %)")
    table.add_row("tokens", f"{work.tokens:,} ({report.tokens_per_second:,.0f} a second)")
    table.add_row("documents", f"{work.documents:,}")
    table.add_row("time to go", duration(report.eta_seconds))
    if work.dealt_again:
        table.add_row("dealt again", f"{work.dealt_again:,} units")
    return table


def _left_out(report: StatusReport) -> str:
    """Return what is said of ranks that the table has no room for."""
    more = len(report.ranks) - SHOWN_RANKS
    if report.summary is None:
        return f"and {more} more, all alive or listed by --json" if more > 0 else ""
    more += report.summary.exceptions_left_out
    return f"and {more} more exceptions" if more > 0 else ""


def rank_table(ranks: Sequence[RankReport], left_out: str = "") -> Table:
    """Return who is there: the dead first, since they are what one looks for.

    Args:
        ranks: role instances; in a large job the exceptions only.
        left_out: what is said of those that the table has no room for.

    Returns:
        A table.
    """
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("rank", "role", "seat", "host", "pid", "state", "doing"):
        table.add_column(name, justify="right" if name in ("rank", "pid") else "left")
    ordered = sorted(ranks, key=lambda rank: (rank.alive, rank.rank, rank.role))
    for rank in ordered[:SHOWN_RANKS]:
        state = "[green]alive[/]" if rank.alive else "[red]dead[/]"
        seat = "" if rank.team is None else f"team {rank.team}"
        seat += f".{rank.position}" if rank.position else ""
        told = (seat, escape(rank.host), str(rank.pid), state, escape(rank.activity))
        table.add_row(str(rank.rank), rank.role, *told)
    if left_out:
        table.add_row("", left_out)
    return table


def failure_lines(failures: Sequence[FailureReport]) -> Text:
    """Return the last failures, and what was done about each, in words.

    Args:
        failures: oldest first.

    Returns:
        One paragraph each.
    """
    text = Text(f"{len(failures)} failures; the last {min(len(failures), SHOWN_FAILURES)}:\n")
    for failure in failures[-SHOWN_FAILURES:]:
        moment = datetime.fromtimestamp(failure.time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        text.append(f"  {moment}  {failure.what}", style="red")
        text.append(f" ({failure.reason})\n    -> {failure.action}\n")
    return text


def duration(seconds: float | None) -> str:
    """Return a duration in the two largest units.

    Args:
        seconds: how long; None: unknown.

    Returns:
        Text such as "2 h 05 min".
    """
    if seconds is None:
        return "unknown"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"
