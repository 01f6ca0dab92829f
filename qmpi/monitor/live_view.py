"""The live view of a running job: progress, roles, loss, what failed and what was done about it.

Theory of operation. Whoever runs the job hands over each status report with the time; nothing here
reads a clock or a file. On a terminal the view is drawn in place, a few times a second at most.
Elsewhere (a log file, a pipe) it is a plain line every few seconds, since control codes in a log
help nobody.
"""

from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from qmpi.monitor.roll_backs import roll_backs_text
from qmpi.monitor.sparkline import sparkline
from qmpi.monitor.status_text import duration, left_out_text, speed_facts
from qmpi.protocol.status import FailureReport, RankReport, StatusReport

REDRAW_SECONDS = 0.2
PLAIN_SECONDS = 5.0
SHOWN_FAILURES = 3
SHOWN_SAID = 3
SPARK_WIDTH = 48


class LiveView:
    """Shows a run while it goes; a context manager."""

    def __init__(self, console: Console, title: str) -> None:
        """Show nothing yet.

        Args:
            console: where to.
            title: name of what runs.
        """
        self._console = console
        self._title = title
        self._live: Live | None = None
        self._report: StatusReport | None = None
        self._said: list[str] = []
        self._shown_at = float("-inf")

    def __enter__(self) -> Self:
        """Begin.

        Returns:
            self.
        """
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Show the last report and leave it on the screen."""
        if self._live is not None:
            self._draw()
            self._live.stop()
            self._live = None
        elif self._report is not None:
            self._line(plain_line(self._title, self._report))

    def update(self, report: StatusReport, now: float) -> None:
        """Show a report.

        Args:
            report: the newest status.
            now: seconds, of any clock that does not jump; decides whether it is time to draw.
        """
        self._report = report
        pause = PLAIN_SECONDS if self._live is None else REDRAW_SECONDS
        if now - self._shown_at < pause:
            return
        self._shown_at = now
        if self._live is None:
            self._line(plain_line(self._title, report))
        else:
            self._draw()

    def say(self, text: str) -> None:
        """Tell of something that happened outside the status.

        Args:
            text: in words.
        """
        self._said = [*self._said, text][-SHOWN_SAID:]
        if self._live is None:
            self._line(f"{self._title}: {text}")
        else:
            self._draw()

    def _draw(self) -> None:
        if self._live is not None:
            self._live.update(frame(self._title, self._report, self._said), refresh=True)

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def frame(title: str, report: StatusReport | None, said: Sequence[str]) -> RenderableType:
    """Return one picture of the run.

    Args:
        title: name of what runs.
        report: the newest status; None before the first.
        said: what was told last, oldest first.

    Returns:
        Something that a rich console prints.
    """
    parts: list[RenderableType] = [Text(title, style="bold")]
    if report is not None:
        parts += [_progress(report), _roles(report.ranks)]
        if report.losses:
            parts.append(_losses(report))
        parts += [Text(f"{name}  {value}") for name, value in speed_facts(report)]
        if report.skipped or report.spikes:
            parts.append(Text(f"! {left_out_text(report)}", style="red"))
        if report.roll_backs:
            parts.append(Text(f"! roll backs {roll_backs_text(report.roll_backs)}", style="red"))
        parts += [_failure(failure) for failure in report.failures[-SHOWN_FAILURES:]]
    parts += [Text(f"· {text}", style="dim") for text in said]
    return Group(*parts)


def plain_line(title: str, report: StatusReport) -> str:
    """Return a report as one line.

    Args:
        title: name of what runs.
        report: the status.

    Returns:
        Text without control codes.
    """
    loss = "no loss yet" if report.loss is None else f"loss {report.loss:.4f}"
    alive = sum(rank.alive for rank in report.ranks)
    skips = f"{counted(report.skipped, 'update')} skipped, " if report.skipped else ""
    skips += f"{counted(report.spikes, 'spike')} left out, " if report.spikes else ""
    skips += f"{counted(len(report.roll_backs), 'roll back')}, " if report.roll_backs else ""
    return (
        f"{title}: {report.state}, step {report.step} of {report.steps}, {loss}, {skips}"
        f"{report.tokens_per_second:,.0f} tokens/s, {duration(report.eta_seconds)} to go, "
        f"{alive} of {len(report.ranks)} roles alive, {counted(len(report.failures), 'failure')}"
    )


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    Args:
        number: how many.
        noun: of one.

    Returns:
        Text such as "1 failure" or "2 failures".
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _progress(report: StatusReport) -> Table:
    row = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=max(1, report.steps), completed=report.step, width=40)
    row.add_row(
        bar,
        f"{report.step}/{report.steps} steps",
        f"{report.tokens_per_second:,.0f} tokens/s",
        f"{duration(report.eta_seconds)} to go" if report.state == "running" else report.state,
    )
    return row


def _roles(ranks: Sequence[RankReport]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("role", "alive", "dead", "ranks", "doing"):
        table.add_column(name, justify="right" if name in ("alive", "dead") else "left")
    for role in dict.fromkeys(rank.role for rank in ranks):
        mine = [rank for rank in ranks if rank.role == role]
        dead = sum(not rank.alive for rank in mine)
        table.add_row(
            escape(role),
            f"[green]{len(mine) - dead}[/]",
            f"[bold red]{dead}[/]" if dead else "[dim]0[/]",
            _rank_numbers(mine),
            escape(_activities(mine)),
        )
    return table


def _rank_numbers(ranks: Sequence[RankReport], most: int = 8) -> str:
    words = [str(rank.rank) if rank.alive else f"[red]{rank.rank}†[/]" for rank in ranks[:most]]
    return " ".join(words) + (" …" if len(ranks) > most else "")


def _activities(ranks: Sequence[RankReport]) -> str:
    counted = Counter(rank.activity for rank in ranks if rank.alive and rank.activity)
    words = [name if n == len(ranks) else f"{name} ({n})" for name, n in counted.most_common(2)]
    return ", ".join(words)


def _losses(report: StatusReport) -> Text:
    values = [loss for _, loss in report.losses]
    return Text.assemble(
        "loss  ",
        (sparkline(values, SPARK_WIDTH), "cyan"),
        f"  {values[0]:.3f} → {values[-1]:.3f}",
    )


def _failure(failure: FailureReport) -> Text:
    text = Text.assemble((f"✗ {failure.what}", "red"), f" ({failure.reason})")
    return text.append(f"\n  → {failure.action}", style="green")
