"""`qmpi plan`: what a job will take, before it runs."""

import os
import time
from pathlib import Path
from typing import Any

import click
import msgspec

from qmpi.cli.check import rank_count
from qmpi.cli.options import HomePath, JobPath, job_options
from qmpi.cli.output import show_json
from qmpi.cli.sizes import Count
from qmpi.errors import ExitCode

HERE = "this machine"

EPILOG = """\b
Examples:
  qmpi plan jobs/laptop.toml
  qmpi plan jobs/cluster.toml --ranks 8000 --machine h100
  qmpi plan jobs/quintillion.toml --ranks 8000 --machine h100 --set machine.node_hour=16
  qmpi plan jobs/node.toml --machine h100 --compare
  qmpi plan jobs/node.toml --machine h100 --layouts
  qmpi plan job.toml --machine my-cluster.toml --tokens 50G --html plan.html
"""


@click.command("plan", epilog=EPILOG)
@click.argument("job", type=JobPath())
@click.option(
    "--ranks",
    "-n",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Ranks of the job; default: as many as it asks for, or 100 if it asks by shares.",
)
@click.option(
    "--machine",
    "named",
    metavar="NAME|FILE",
    help="A machine that qmpi knows, or a machine file; default: that of the job, or this one.",
)
@click.option("--tokens", type=Count(), help="Tokens to train on; default: as the job says.")
@click.option("--compare", is_flag=True, help="A table over 1, 2, 4, ... trainers, in whole teams.")
@click.option("--layouts", is_flag=True, help="A table of layouts that the ranks could have.")
@click.option("--html", "page", type=HomePath(), metavar="FILE", help="Write a page.")
@job_options
def command(
    *,
    job: Path,
    ranks: int | None,
    named: str | None,
    tokens: int | None,
    compare: bool,
    layouts: bool,
    page: Path | None,
    overrides: tuple[str, ...],
    run_dir: str | None,
    as_json: bool,
) -> int:
    """Say what JOB will take: memory, time, network, failures, energy, money, and what limits it.

    A pure model; nothing is started. Without a machine the speed of this one's cores is measured,
    in about two seconds. What nobody knows is said so.
    """
    from qmpi.cli.chosen import Chooser, LeftOpen
    from qmpi.config.load import load_job
    from qmpi.planning.estimate import make_plan

    chooser = Chooser(
        lambda settings: rank_count(settings.roles, ranks),
        None if named is None else _named(named),
        lambda settings: 0 if named or settings.machine.name else 1,
    )
    if layouts:
        _refuse_beside_layouts({"--compare": compare, "--html": page, "--tokens": tokens})
        left_open = LeftOpen()
        settings = load_job(job, overrides, run_dir, left_open)
        return _show_layouts(settings, chooser, must_choose=left_open.is_asked, as_json=as_json)
    settings = load_job(job, overrides, run_dir, chooser)
    where = named or settings.machine.name or HERE
    base = _workload(settings, where, ranks, tokens)
    details = make_plan(base)
    compared = [make_plan(other) for other in _others(base)] if compare else []
    if page is not None:
        from qmpi.monitor.plan_page import plan_page
        from qmpi.storage.atomic_file import write_named

        write_named(page, plan_page(details, where, compared).encode())
    if as_json:
        show_json({"compare": [d.plan for d in compared]} if compare else details.plan)
        return int(ExitCode.DONE)
    from qmpi.monitor.plan_text import compare_text, plan_text

    click.echo(compare_text(compared) if compare else plan_text(details, where, chooser.why))
    if page is not None:
        click.echo(f"wrote {page}")
    return int(ExitCode.DONE)


def _refuse_beside_layouts(others: dict[str, object]) -> None:
    given = [name for name, value in others.items() if value]
    if given:
        raise click.UsageError(f"--layouts is a table of its own: leave out {', '.join(given)}")


def _named(name: str) -> Any:  # noqa: ANN401
    from qmpi.config.machine import load_machine

    return load_machine(name)


def _show_layouts(settings: Any, chooser: Any, *, must_choose: bool, as_json: bool) -> int:  # noqa: ANN401
    """Show what there is to choose from.

    Returns:
        The exit code of a job that is refused, if it must have a layout and none fits.

    Raises:
        ConfigError: the same where people read; scripts find why in what is shown.
    """
    from qmpi.errors import ConfigError
    from qmpi.monitor.layouts_text import layouts_text, layouts_told
    from qmpi.planning.choice import refusal
    from qmpi.runtime.chosen_layout import choices

    choice = choices(settings, chooser.place_of(settings))
    if as_json:
        show_json(layouts_told(choice))
    else:
        click.echo(layouts_text(choice))
    is_refused = must_choose and choice.chosen is None
    if is_refused and not as_json:
        raise ConfigError(refusal(choice))
    return int(ExitCode.USER if is_refused else ExitCode.DONE)


def _workload(settings: Any, where: str, ranks: int | None, tokens: int | None) -> Any:  # noqa: ANN401
    from qmpi.errors import ConfigError
    from qmpi.planning.workload import workload
    from qmpi.runtime.chosen_layout import counts_of

    machine = _here() if where == HERE else _named(where)
    number, size = rank_count(settings.roles, ranks), settings.parallel.team_size
    counts = counts_of(settings, number, size)
    if counts is None:
        raise ConfigError(f"{number} ranks are fewer than a team of {size} has")
    speeds = _measured(settings) if where == HERE else None
    return workload(settings, counts, machine, speeds, tokens)


def _here() -> Any:  # noqa: ANN401
    from qmpi.config.machine import Machine, NodeShape

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Machine(node=NodeShape(cores=len(os.sched_getaffinity(0)), memory_gib=memory))


def _measured(settings: Any) -> Any:  # noqa: ANN401
    if settings.train.device == "cuda":
        # Only a machine file says how fast a GPU is.
        return None
    from qmpi.planning.workload import speeds_of_cores
    from qmpi.runtime.heap import keep_memory
    from qmpi.training.precision import choose_device
    from qmpi.training.speed import measure

    if choose_device(settings.train).type == "cuda":
        return None
    # As a trainer's process does.
    keep_memory()
    return speeds_of_cores(measure(settings, time.thread_time))


def _others(base: Any) -> list[Any]:  # noqa: ANN401
    """Return the same job with 1, 2, 4, ... teams, and with as many as asked for."""
    replace, counts, size = msgspec.structs.replace, base.counts, base.settings.parallel.team_size
    most, spares = counts.trainers, counts.spares
    teams = most // size
    numbers = sorted({2**power for power in range(teams.bit_length())} | {teams})
    light = counts.ranks - most - spares
    found: list[Any] = []
    for trainers in (number * size for number in numbers):
        # In proportion: spares stand in for trainers.
        fewer = -(-spares * trainers // most)
        ranks = light + trainers + fewer
        dealt = replace(counts, trainers=trainers, spares=fewer, ranks=ranks)
        found.append(replace(base, counts=dealt))
    return found
