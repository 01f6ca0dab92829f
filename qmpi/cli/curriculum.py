"""`qmpi curriculum`: the hundred stages of a job, or the path that a run has taken."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import FiniteRange, HomePath, JobPath, RunPath, job_options
from qmpi.cli.output import show_json
from qmpi.errors import InputError

if TYPE_CHECKING:
    from qmpi.launch.curriculum import ArmLine, Story
    from qmpi.planning.stages import Stage

EPILOG = """\b
Examples:
  qmpi curriculum jobs/laptop.toml
  qmpi curriculum jobs/laptop.toml --all
  qmpi curriculum jobs/laptop.toml --set curriculum.progression=exponential --json
  qmpi curriculum --run runs/laptop
  qmpi curriculum jobs/cluster.toml --tune tuned
  qmpi curriculum jobs/cluster.toml --tune tuned --candidates 16 --share 0.05 --seeds 5
"""

HEADS = ("band", "stages", "levels", "tokens", "batch", "rate", "solved", "loss", "sources")

ARM_HEADS = ("source", "in the job", "now", "times", "loss", "answers")
SHOWN_PATH = 10
"""Newest changes of the weights that are told, unless all are asked for."""

SHOWN_SOURCES = 40
"""Characters; more are counted, so that a line has about a hundred."""


@click.command("curriculum", epilog=EPILOG)
@click.argument("job", type=JobPath(), required=False)
@click.option(
    "--run", type=RunPath(), help="Show what the curriculum of this run has done, instead of a job."
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
    run: Path | None,
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

    Stages tell where a model stands; they change nothing that it is trained on. The path of a run
    is which weights its sources had from which step on, and why, and what each costs now.

    With --tune candidates for the constants of the adaptive rule are trained as small jobs with the
    data of JOB, half of them twice as long, and so on. The best is confirmed on fresh seeds beside
    the job's own constants and static data, and accepted only if it is better than both by more
    than the standard error. DIR/tuning.jsonl tells each step. Exit code 75: it was stopped; the
    same command goes on.
    """
    given = {
        "--candidates": candidates,
        "--share": share,
        "--proxy-width": proxy_width,
        "--seeds": seeds,
        "-n": ranks,
    }
    if (job is None) == (run is None):
        raise InputError("name a job, or a run with --run; not both")
    if tune is None and (strange := next((n for n in given if given[n] is not None), "")):
        raise click.UsageError(f"{strange} goes with --tune DIR")
    if tune is not None:
        if job is None or is_all:
            raise click.UsageError("--tune is for a job: no --run, no --all")
        from qmpi.cli.curriculum_tune import tune_job
        from qmpi.launch.tuning.prepare import Asked

        usual = Asked()
        asked = Asked(
            candidates=candidates or usual.candidates,
            share=share or usual.share,
            width=proxy_width or usual.width,
            seeds=seeds or usual.seeds,
        )
        source = (job, overrides, run_dir)
        return tune_job(source, tune, asked, ranks or 1, as_json=as_json)
    if run is not None:
        if overrides or run_dir:
            raise InputError("a run is what it is: --set and --run-dir go with a job")
        show_run(run, is_all=is_all, as_json=as_json)
        return 0
    from qmpi.config.load import load_job
    from qmpi.planning.stages import Curriculum, stages_of

    settings = load_job(job or Path(), overrides, run_dir)
    stages = stages_of(settings)
    if as_json:
        show_json(Curriculum(stages=stages))
        return 0
    progression = settings.curriculum.progression
    for line in curriculum_text(stages, settings.job.name, progression, is_all=is_all):
        click.echo(line)
    return 0


def show_run(run: Path, *, is_all: bool, as_json: bool) -> None:
    """Print the path of a run.

    Args:
        run: its directory.
        is_all: all of it.
        as_json: for scripts.
    """
    from qmpi.launch.curriculum import story_of

    story = story_of(run)
    if as_json:
        show_json(story)
        return
    for line in story_text(story, is_all=is_all):
        click.echo(line)


def story_text(story: "Story", *, is_all: bool) -> Iterator[str]:
    """Say in words what a curriculum has done.

    Args:
        story: of a run.
        is_all: all of its path.

    Yields:
        Lines.
    """
    yield f"{story.kind} curriculum, step {story.step:,}, windows of {story.every_steps} steps"
    if story.stage:
        yield f"stage {story.stage} of 100, {story.band}: the first whose answers are not mastered"
    if story.advantage is not None:
        yield (
            f"beside {story.probes} probes the loss fell by {story.advantage:+.5f} nats a token "
            "more a window"
        )
    if story.off:
        yield story.off
    rows = [ARM_HEADS, *map(_arm_row, story.arms)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(ARM_HEADS))]
    for row in rows:
        cells = [
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells)
    path = story.path if is_all else story.path[-SHOWN_PATH:]
    if len(path) < len(story.path):
        yield f"{len(story.path) - len(path)} earlier changes of the weights: --all shows them"
    for line in path:
        yield f"from step {line.first_step} on: {line.reason}"


def _arm_row(arm: "ArmLine") -> tuple[str, ...]:
    losses = ["" if loss is None else f"{loss:.3f}" for loss in (arm.loss, arm.answer_loss)]
    ratio = f"{arm.weight / arm.share:.2f}" if arm.share else ""
    return (arm.name, f"{100 * arm.share:.1f} %", f"{100 * arm.weight:.1f} %", ratio, *losses)


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
