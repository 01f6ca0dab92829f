"""Layouts that a command chooses for jobs that leave them open: `parallel = "auto"`."""

from collections.abc import Callable
from typing import Any

import click


class LeftOpen:
    """Chooses nothing, and notes whether a job asks for it; what `load_job` takes.

    Attributes:
        is_asked: the job leaves its layout to qmpi.
    """

    def __init__(self) -> None:
        """Be asked by nobody yet."""
        self.is_asked = False

    def __call__(self, settings: Any) -> Any:  # noqa: ANN401
        """Return the layout of a job as it is: of one rank.

        Args:
            settings: the job.
        """
        self.is_asked = True
        return settings.parallel


class Chooser:
    """Chooses when a job asks for it; what `load_job` takes.

    Attributes:
        why: of the choice, a sentence each; empty: nobody asked.
    """

    def __init__(
        self,
        ranks: Callable[[Any], int],
        machine: Any = None,  # noqa: ANN401
        nodes: Callable[[Any], int] = lambda _: 0,
    ) -> None:
        """Choose nothing yet.

        Args:
            ranks: gives the ranks of a job.
            machine: where it runs; None: as the job says, or this one.
            nodes: gives the nodes that there are; 0: as many as it takes.
        """
        self._ranks, self._machine, self._nodes = ranks, machine, nodes
        self.why: tuple[str, ...] = ()

    def place_of(self, settings: Any) -> Any:  # noqa: ANN401
        """Return where a job shall run.

        Args:
            settings: the job.
        """
        from qmpi.runtime.chosen_layout import Place

        return Place(self._ranks(settings), self._machine, self._nodes(settings))

    def __call__(self, settings: Any) -> Any:  # noqa: ANN401
        """Return the layout of a job.

        Args:
            settings: the job.

        Raises:
            ConfigError: no layout fits.
        """
        from qmpi.runtime.chosen_layout import decide

        decision = decide(settings, self.place_of(settings))
        self.why = decision.why
        return decision.parallel

    def tell(self) -> None:
        """Say on standard error what was chosen, and why."""
        for line in self.why:
            click.echo(f"qmpi: layout: {line}", err=True)
