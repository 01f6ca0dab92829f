"""Says that something built in is made on first use, and shows that it goes on."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from qmpi.ingest.settings import IngestProgress, Progress


@contextmanager
def first_use_shown(cache: Path, *, quiet: bool) -> "Iterator[Progress]":
    """Give a callback for whatever may make a built-in tokenizer or corpus.

    Args:
        cache: where it is kept.
        quiet: show nothing.

    Yields:
        The callback; nothing is shown unless it is called.
    """
    from qmpi.cli.ingest_view import IngestView

    with ExitStack() as stack:
        views: list[IngestView] = []

        def show(progress: "IngestProgress") -> None:
            if not views:
                if not quiet:
                    click.echo(
                        f"the tokenizer is made on first use, in about half a minute of one core, "
                        f"and kept in {cache}",
                        err=True,
                    )
                views.append(stack.enter_context(IngestView(quiet=quiet)))
            views[0].show(progress)

        yield show
