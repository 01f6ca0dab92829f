"""How far an ingestion in this process is: a bar with megabytes a second and time to go."""

from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from qmpi.ingest.settings import IngestProgress

DOES = {
    "scan": "looking for files",
    "clean": "reading",
    "dedup": "looking for duplicates",
    "tokenizer": "training the tokenizer",
    "write": "writing",
}


class IngestView:
    """A progress bar on standard error.

    Attributes:
        seconds: how long each stage took.
    """

    def __init__(self, *, quiet: bool) -> None:
        """Show nothing yet.

        Args:
            quiet: never show anything.
        """
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        from qmpi.runtime.clock import Clock

        console = Console(stderr=True)
        columns = (
            *(TextColumn("{task.description}"), BarColumn(), TransferSpeedColumn()),
            *(TextColumn("{task.fields[said]}"), TimeRemainingColumn()),
        )
        hidden = quiet or not console.is_terminal
        self._bar = Progress(*columns, console=console, transient=True, disable=hidden)
        self._task = self._bar.add_task("starting", total=None, said="")
        self._clock = Clock()
        self._stage = ""
        self._begun = 0.0
        self._stack = ExitStack()
        self.seconds: dict[str, float] = {}

    def __enter__(self) -> Self:
        """Start the bar."""
        self._stack.enter_context(self._bar)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bar."""
        self._end_stage()
        self._stack.close()

    def show(self, progress: "IngestProgress") -> None:
        """Show how far it is.

        Args:
            progress: as told.
        """
        total = progress.bytes_total or None
        if progress.stage != self._stage:
            self._end_stage()
            self._stage, self._begun = progress.stage, self._clock.now()
            self._bar.reset(self._task, total=total, completed=progress.bytes_read)
        said = f"{progress.documents:,} documents"
        said += f", {progress.tokens:,} tokens" if progress.tokens else ""
        self._bar.update(
            self._task,
            description=DOES.get(progress.stage, progress.stage),
            completed=progress.bytes_read,
            total=total,
            said=said,
        )

    def _end_stage(self) -> None:
        if self._stage:
            self.seconds[self._stage] = round(self._clock.now() - self._begun, 3)
