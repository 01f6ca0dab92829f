"""`qmpi curriculum`: the hundred stages of a job."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import JobPath, job_options
from qmpi.cli.output import show_json

if TYPE_CHECKING:
    from qmpi.planning.stages import Stage

EPILOG = """\b
Examples:
  qmpi curriculum jobs/laptop.toml
  qmpi curriculum jobs/laptop.toml --all
  qmpi curriculum jobs/laptop.toml --set curriculum.progression=exponential --json
"""

HEADS = ("band", "stages", "levels", "tokens", "batch", "rate", "solved", "loss", "sources")

SHOWN_SOURCES = 40
"""Characters; more are counted, so that a line has about a hundred."""


@click.command("curriculum", epilog=EPILOG)
@click.argument("job", type=JobPath())
@click.option("--all", "is_all", is_flag=True, help="A line a stage, not a line a band.")
@job_options
def command(
    *,
    job: Path,
    is_all: bool,
    overrides: tuple[str, ...],
    run_dir: str | None,
    as_json: bool,
) -> None:
    """Show the hundred stages of JOB: levels, lengths, and when each is mastered.

    Stages tell where a model stands; they change nothing that it is trained on.
    """
    from qmpi.config.load import load_job
    from qmpi.planning.stages import Curriculum, stages_of

    settings = load_job(job, overrides, run_dir)
    stages = stages_of(settings)
    if as_json:
        show_json(Curriculum(stages=stages))
        return
    progression = settings.curriculum.progression
    for line in curriculum_text(stages, settings.job.name, progression, is_all=is_all):
        click.echo(line)


def curriculum_text(
    stages: "Sequence[Stage]", name: str, progression: str, *, is_all: bool
) -> Iterator[str]:
    """Say in words what the stages of a job are.

    Args:
        stages: in order.
        name: of the job.
        progression: of its curriculum.
        is_all: a line a stage, not a line a band.

    Yields:
        Lines.
    """
    yield f"{len(stages)} stages of {name}, {progression}"
    groups = [[stage] for stage in stages] if is_all else _by_band(stages)
    rows = [HEADS, *map(_row, groups)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    for row in rows:
        cells = [
            cell.ljust(width) if column in (0, len(HEADS) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _by_band(stages: "Sequence[Stage]") -> "list[list[Stage]]":
    # Neighbours: tables of different sources may come through the same band again.
    groups: list[list[Stage]] = []
    for stage in stages:
        if not groups or groups[-1][0].band != stage.band:
            groups.append([])
        groups[-1].append(stage)
    return groups


def _row(group: "Sequence[Stage]") -> tuple[str, ...]:
    thresholds = [stage.thresholds for stage in group]
    lows, tops = ([stage.levels[end] for stage in group] for end in (0, 1))
    named = [stage.name for stage in group if stage.name]
    name = f" ({named[0]})" if named and len(group) == 1 else ""
    return (
        group[0].band + name,
        _range([stage.stage for stage in group], "d"),
        _range([*lows, *tops], "d"),
        _range([stage.sequence_tokens for stage in group], "d"),
        _range([stage.batch_factor for stage in group], "g"),
        _range([stage.rate_factor for stage in group], "g"),
        _range([each.accuracy for each in thresholds], ".2f"),
        _range([each.loss for each in thresholds], ".2f"),
        _names(list(dict.fromkeys(name for stage in group for name in stage.sources))),
    )


def _range(values: Sequence[float], form: str) -> str:
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low}-{high}"


def _names(names: list[str]) -> str:
    shown: list[str] = []
    for name in names:
        if shown and len(", ".join([*shown, name])) > SHOWN_SOURCES:
            return f"{', '.join(shown)}, {len(names) - len(shown)} more"
        shown.append(name)
    return ", ".join(shown)
