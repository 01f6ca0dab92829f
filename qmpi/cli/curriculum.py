"""`qmpi curriculum`: the hundred stages of a job, or the path that a run has taken."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import FiniteRange, HomePath, JobPath, RunPath, job_options
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
  qmpi curriculum jobs/cluster.toml --tune tuned
  qmpi curriculum jobs/cluster.toml --tune tuned --candidates 16 --share 0.05 --seeds 5
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
    "--tune",
    type=HomePath(),
    metavar="DIR",
    help="Try constants of the adaptive rule on small runs in DIR; go on with what is there.",
)
@click.option(
    "--candidates",
    type=click.IntRange(2, 256),
    metavar="N",
    help="With --tune: constants that are tried, the job's own and static data among them; "
    "default: 8.",
)
@click.option(
    "--share",
    type=FiniteRange(0.0, 1.0, min_open=True),
    metavar="X",
    help="With --tune: part of the job's tokens that all small runs stay below; default: 0.02.",
)
@click.option(
    "--proxy-width",
    type=click.IntRange(16, 65_536),
    metavar="W",
    help="With --tune: width of the small models; default: 64.",
)
@click.option(
    "--seeds",
    type=click.IntRange(3, 100),
    metavar="K",
    help="With --tune: fresh seeds that the best is confirmed on; default: 3.",
)
@click.option(
    "-n",
    "ranks",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="With --tune: ranks of each small run; default: 1.",
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
    tune: Path | None,
    candidates: int | None,
    share: float | None,
    proxy_width: int | None,
    seeds: int | None,
    ranks: int | None,
    is_all: bool,
    overrides: tuple[str, ...],
    run_dir: str | None,
    as_json: bool,
) -> int:
    """Show the hundred stages of JOB, or the path of a run, or tune the curriculum of JOB.

    Stages tell where a model stands; what they set too, if anything, curriculum.sets says. The path
    of a run is which weights its sources had from which step on, and why, and what each costs now.
    Beside a reference it is told which types of text it knows better or worse than balanced runs.

    With --tune candidates for the constants of the adaptive rule are trained as small jobs with the
    data of JOB, half of them twice as long, and so on. The best is confirmed on fresh seeds beside
    the job's own constants and static data, and accepted only if it is better than both by more
    than the standard error. DIR/tuning.jsonl tells each step. Exit code 75: it was stopped; the
    same command goes on.
    """
    sizes = {
        "--candidates": candidates,
        "--share": share,
        "--proxy-width": proxy_width,
        "--seeds": seeds,
        "-n": ranks,
    }
    if (job is None) == (not runs):
        raise InputError("name a job, or a run with --run; not both")
    if tune is None and (strange := next((n for n in sizes if sizes[n] is not None), "")):
        raise click.UsageError(f"{strange} goes with --tune DIR")
    if runs and (overrides or run_dir):
        raise InputError("a run is what it is: --set and --run-dir go with a job")
    if tune is not None:
        if job is None or is_all or reference is not None or against is not None:
            raise click.UsageError("--tune is for a job: no --run, --all, --reference, --against")
        return _tune((job, overrides, run_dir), tune, sizes, as_json=as_json)
    if runs or reference is not None or against is not None:
        _show_runs(runs, reference, against, is_all=is_all, as_json=as_json)
        return 0
    from qmpi.config.load import load_job
    from qmpi.config.stages import Curriculum, stages_of

    settings = load_job(job or Path(), overrides, run_dir)
    stages = stages_of(settings)
    if as_json:
        show_json(Curriculum(stages=stages))
        return 0
    progression = settings.curriculum.progression
    for line in curriculum_text(stages, settings.job.name, progression, is_all=is_all):
        click.echo(line)
    return 0


def _tune(
    source: tuple[Path, tuple[str, ...], str | None],
    directory: Path,
    sizes: Mapping[str, float | None],
    *,
    as_json: bool,
) -> int:
    from qmpi.cli.curriculum_tune import tune_job
    from qmpi.launch.tuning.prepare import Asked

    usual = Asked()
    asked = Asked(
        candidates=int(sizes["--candidates"] or usual.candidates),
        share=sizes["--share"] or usual.share,
        width=int(sizes["--proxy-width"] or usual.width),
        seeds=int(sizes["--seeds"] or usual.seeds),
    )
    return tune_job(source, directory, asked, int(sizes["-n"] or 1), as_json=as_json)


def _show_runs(
    runs: tuple[Path, ...],
    reference: Path | None,
    against: Path | None,
    *,
    is_all: bool,
    as_json: bool,
) -> None:
    from qmpi.cli.curriculum_run import make_reference, show_run

    if reference is not None:
        if against is not None or not runs:
            raise InputError("--reference is made of runs alone: --run RUN, five times or more")
        make_reference(reference, runs, as_json=as_json)
        return
    if len(runs) != 1:
        raise InputError("one run at a time, --run RUN; several make a --reference")
    show_run(runs[0], against, is_all=is_all, as_json=as_json)


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
