"""`qmpi check`: check a job file and say what it would do."""

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

STATE_BYTES_PER_PARAMETER = 16
"""float32 weights, gradient and two moments of AdamW."""


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
    from qmpi.config.load import load_job

    facts = job_facts(load_job(job, overrides, run_dir), ranks)
    if as_json:
        show_json(facts)
        return
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
    """
    from qmpi.model.shape import parameter_count
    from qmpi.policy.placement import place

    train, roles = settings.train, settings.roles
    counts = [
        roles.coordinator,
        roles.generator,
        roles.memory,
        roles.trainer,
        roles.replica,
        roles.spare,
    ]
    asked = sum(c for c in counts if isinstance(c, int))
    number = ranks or (100 if any(isinstance(c, str) for c in counts) else asked)
    placement = place(["host"] * number, roles, train.lanes)
    dealt: dict[str, int] = {}
    for hosted in placement.roles:
        for role in hosted:
            dealt[str(role)] = dealt.get(str(role), 0) + 1
    parameters = parameter_count(settings.model)
    tokens = train.lanes * train.microbatches * train.sequences * train.sequence_tokens
    return {
        "name": settings.job.name,
        "parameters": parameters,
        "tokens_a_step": tokens,
        "steps": train.steps,
        "tokens": tokens * train.steps,
        "ranks": number,
        "roles": dealt,
        "placement": placement.reason,
        "trainer_state_bytes": parameters * STATE_BYTES_PER_PARAMETER,
        "snapshot_bytes": parameters * 12,
        "reduction": train.reduction,
    }


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {role}" for role, count in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
