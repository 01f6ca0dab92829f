"""`qmpi curriculum`: the hundred stages of a job, or the path that a run has taken."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import HomePath, JobPath, RunPath, job_options
from qmpi.cli.output import show_json
from qmpi.errors import InputError

if TYPE_CHECKING:
    from qmpi.config.stages import Stage

EPILOG = """\b
Examples:
  qmpi curriculum jobs/laptop.toml
  qmpi curriculum jobs/laptop.toml --all
  qmpi curriculum jobs/laptop.toml --set curriculum.progression=exponential --json
  qmpi curriculum --run runs/laptop
  qmpi curriculum --reference laptop.json --run runs/1 --run runs/2 ... --run runs/5
  qmpi curriculum --run runs/laptop --against laptop.json
"""

HEADS = ("band", "stages", "levels", "tokens", "batch", "rate", "solved", "loss", "sources")

SHOWN_SOURCES = 40
"""Characters; more are counted, so that a line has about a hundred."""


@click.command("curriculum", epilog=EPILOG)
@click.argument("job", type=JobPath(), required=False)
@click.option(
    "--run",
    "runs",
    multiple=True,
    type=RunPath(),
    help="Show what the curriculum of this run has done, instead of a job; repeatable with "
    "--reference.",
)
@click.option(
    "--reference",
    type=HomePath(),
    metavar="FILE",
    help="Write what five runs or more lose by type, for others to be held against.",
)
@click.option(
    "--against",
    type=HomePath(),
    metavar="FILE",
    help="Hold the run against this reference; default: curriculum.reference of its job.",
)
@click.option(
    "--all", "is_all", is_flag=True, help="A line a stage, not a line a band; all of a run's path."
)
@job_options
def command(
    *,
    job: Path | None,
    runs: tuple[Path, ...],
    reference: Path | None,
    against: Path | None,
    is_all: bool,
    overrides: tuple[str, ...],
    run_dir: str | None,
    as_json: bool,
) -> None:
    """Show the hundred stages of JOB, or the path of a run.

    Stages tell where a model stands; what they set too, if anything, curriculum.sets says. The path
    of a run is which weights its sources had from which step on, and why, and what each costs now.
    Beside a reference it is told which types of text it knows better or worse than balanced runs.
    """
    if (job is None) == (not runs):
        raise InputError("name a job, or a run with --run; not both")
    if runs and (overrides or run_dir):
        raise InputError("a run is what it is: --set and --run-dir go with a job")
    from qmpi.cli.curriculum_run import make_reference, show_run

    if reference is not None:
        if against is not None or not runs:
            raise InputError("--reference is made of runs alone: --run RUN, five times or more")
        make_reference(reference, runs, as_json=as_json)
        return
    if len(runs) > 1 or (against is not None and not runs):
        raise InputError("one run at a time, --run RUN; several make a --reference")
    if runs:
        show_run(runs[0], against, is_all=is_all, as_json=as_json)
        return
    from qmpi.config.load import load_job
    from qmpi.config.stages import Curriculum, stages_of

    settings = load_job(job or Path(), overrides, run_dir)
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
