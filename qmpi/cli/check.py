"""`qmpi check`: check a job file and say what it would do."""

from math import prod
from pathlib import Path
from typing import Any

import click

from qmpi.cli.options import JobPath, job_options
from qmpi.cli.output import show_json

EPILOG = """\b
Examples:
  qmpi check jobs/laptop.toml
  qmpi check jobs/cluster.toml -n 8000
  qmpi check job.toml --set train.lanes=16 --json
"""


@click.command("check", epilog=EPILOG)
@click.argument("job", type=JobPath())
@click.option(
    "-n", "ranks", type=click.IntRange(1, 1_000_000), metavar="N", help="Ranks to deal roles to."
)
@job_options
def command(
    *,
    job: Path,
    ranks: int | None,
    overrides: tuple[str, ...],
    run_dir: str | None,
    as_json: bool,
) -> None:
    """Check JOB without starting anything."""
    from qmpi.cli.chosen import Chooser
    from qmpi.config.load import load_job

    chooser = Chooser(lambda settings: rank_count(settings.roles, ranks))
    facts = job_facts(load_job(job, overrides, run_dir, chooser), ranks)
    if chooser.why:
        facts["layout"] = "; ".join(chooser.why)
    if as_json:
        show_json(facts)
        return
    # In words under "teams" and "placement".
    del facts["parallel"]
    width = max(map(len, facts))
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' '):{width}}  {_text(value)}")


def job_facts(settings: Any, ranks: int | None) -> dict[str, Any]:  # noqa: ANN401
    """Return what a job would do.

    Args:
        settings: a checked job.
        ranks: processes; None: what the job asks for, or 100 when it asks by shares.

    Returns:
        Facts by name.

    Raises:
        InputError: the model has fewer rows than a built-in tokenizer has ids.
    """
    from qmpi.cli.check_features import feature_facts, tokens_trained
    from qmpi.config.compression_checks import kept_bytes
    from qmpi.config.schedule import schedule_text
    from qmpi.corpora.tokenizer import check_builtin_rows
    from qmpi.exchange.hugging_face import initial_warning
    from qmpi.model.partition import held_shapes
    from qmpi.model.shape import active_count, parameter_count, state_bytes_of, without_ahead
    from qmpi.policy.roll_back import roll_back_text
    from qmpi.protocol.teams import AXES

    check_builtin_rows(settings)
    train, number = settings.train, rank_count(settings.roles, ranks)
    placement = placed(settings, number)
    parameters = parameter_count(settings.model)
    ahead = parameters - parameter_count(without_ahead(settings.model))
    kind, parallel = settings.optimizer.kind, settings.parallel
    held = held_shapes(settings.model, parallel)
    states = [state_bytes_of(shapes, kind, train.masters) for shapes in held]
    counts = [sum(map(prod, shapes.values())) for shapes in held]
    tokens = train.lanes * train.microbatches * train.sequences * train.sequence_tokens
    return {
        "name": settings.job.name,
        "parameters": parameters,
        **({"active_parameters": active_count(settings.model)} if settings.model.experts else {}),
        **({"ahead_parameters": ahead} if ahead else {}),
        "tokens_a_step": tokens,
        "steps": train.steps,
        "tokens": tokens_trained(settings),
        "ranks": number,
        "roles": roles_dealt(settings, number),
        "placement": placement.reason,
        "parallel": {
            **{axis: getattr(parallel, axis) for axis in AXES},
            "chunks": parallel.chunks,
            "schedule": parallel.schedule,
            "shard": parallel.shard,
            "team_ranks": parallel.team_size,
            "teams": len(placement.teams),
        },
        "trainer_state_bytes": max(states) + 4 * max(counts),
        "snapshot_bytes": sum(states) + train.lanes * sum(kept_bytes(train, n) for n in counts),
        "reduction": train.reduction,
        "optimizer": settings.optimizer.kind,
        "schedule": schedule_text(settings.optimizer, train.steps),
        **feature_facts(settings),
        **({"roll_back": back} if (back := roll_back_text(settings)) else {}),
        **({"initial_weights": told} if (told := initial_warning(settings)) else {}),
    }


def rank_count(roles: Any, ranks: int | None) -> int:  # noqa: ANN401
    """Return the ranks that a job is looked at with.

    Args:
        roles: section of the job.
        ranks: asked for; None: what the roles ask for, or 100 when they ask by shares.

    Returns:
        Processes.
    """
    counts = [
        roles.coordinator,
        roles.generator,
        roles.memory,
        roles.trainer,
        roles.replica,
        roles.spare,
    ]
    asked = sum(c for c in counts if isinstance(c, int))
    return ranks or (100 if any(isinstance(c, str) for c in counts) else asked)


def placed(settings: Any, ranks: int) -> Any:  # noqa: ANN401
    """Return the placement of a job's roles on one host.

    Args:
        settings: a checked job.
        ranks: processes.

    Returns:
        The placement.
    """
    from qmpi.policy.placement import place

    size = settings.parallel.team_size
    return place(["host"] * ranks, settings.roles, settings.train.lanes, size)


def roles_dealt(settings: Any, ranks: int) -> dict[str, int]:  # noqa: ANN401
    """Return how many ranks play each role.

    Args:
        settings: a checked job.
        ranks: processes.

    Returns:
        Counts by role; a rank with several roles counts in each.
    """
    dealt: dict[str, int] = {}
    for hosted in placed(settings, ranks).roles:
        for role in hosted:
            dealt[str(role)] = dealt.get(str(role), 0) + 1
    return dealt


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {role}" for role, count in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
