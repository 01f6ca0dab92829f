"""`qmpi recipe`: what a run draws from, and other weights, or sources, from a step on.

Theory of operation. The command leaves a request in the run's directory. The coordinator of a live
job follows it, or says why not, and the status tells so; the next start of a stopped run does the
same. A request stays until it is answered, whoever dies meanwhile, and is followed once.
"""

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import FiniteRange, RunPath, json_option
from qmpi.cli.output import show_json
from qmpi.errors import ConfigError, InputError, MachineError

if TYPE_CHECKING:
    from qmpi.config.data import Source
    from qmpi.launch.recipe import RecipeLine
    from qmpi.protocol.recipe import RecipeRequest
    from qmpi.protocol.status import StatusReport

EPILOG = """\b
Examples:
  qmpi recipe runs/laptop
  qmpi recipe runs/laptop --set python=0.5
  qmpi recipe runs/laptop --set python=0 --set mathematics=2 --at 5000
  qmpi recipe runs/laptop --add law=corpora/law --set law=0.5
  qmpi recipe runs/laptop --add code=content:code --set code=1 --at 5000
  qmpi recipe runs/laptop --withdraw

Weights are relative, those of sources that are not named stay, and 0 drops a source until it is
raised again. A source that is added needs a weight, and a corpus the tokenizer of the run.
"""

LOOK_SECONDS = 0.25
TAKEN_SECONDS = 2.0
"""Within this a live job has heard that a change was taken back, or has just followed it."""

LIVING = ("starting", "running")


class Weight(click.ParamType):
    """A source and its weight."""

    name = "source=weight"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Return the source and the weight."""
        source, equals, text = value.partition("=")
        try:
            weight = float(text)
        except ValueError:
            weight = math.nan
        if not equals or not source.strip() or not (math.isfinite(weight) and weight >= 0):
            self.fail(f"{value!r}: write SOURCE=WEIGHT with a number from 0", param, ctx)
        return source.strip(), weight


class Added(click.ParamType):
    """A source that the run does not have yet."""

    name = "name=path"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> "Source":
        """Return the source."""
        from qmpi.config.added_source import read_added

        try:
            return read_added(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)


@click.command("recipe", epilog=EPILOG)
@click.argument("run", type=RunPath())
@click.option(
    "--set",
    "weights",
    multiple=True,
    type=Weight(),
    metavar="SOURCE=WEIGHT",
    help="Give a source another weight; repeatable.",
)
@click.option(
    "--add",
    "added",
    multiple=True,
    type=Added(),
    metavar="NAME=PATH",
    help="Add a corpus, or generated text by NAME=content:TYPE; repeatable.",
)
@click.option(
    "--at",
    type=click.IntRange(1, 10**15),
    metavar="STEP",
    help="First step with these weights; default: the first of which nothing is handed out.",
)
@click.option("--withdraw", is_flag=True, help="Take back a change that nobody has answered.")
@click.option(
    "--timeout",
    type=FiniteRange(1.0, 1e6),
    default=300.0,
    show_default=True,
    metavar="S",
    help="Seconds to wait for the answer of a live job.",
)
@json_option
def command(
    *,
    run: Path,
    weights: tuple[tuple[str, float], ...],
    added: tuple["Source", ...],
    at: int | None,
    withdraw: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Show what RUN draws from at which steps, give its sources other weights, or add some.

    Each record tells from which step on it holds, the share of each source, the row at which each
    goes on, and why it is there. Rows go on where they were: none comes again, none is left out.
    """
    if withdraw and (weights or added or at is not None):
        raise InputError("--withdraw takes no weights, and adds nothing")
    if added and not weights:
        raise InputError("--add needs a weight: --set NAME=WEIGHT")
    if at is not None and not weights:
        raise InputError("--at needs weights: --set SOURCE=WEIGHT")
    if withdraw:
        _withdraw(run, as_json=as_json)
    elif weights:
        _ask(run, weights, added, -1 if at is None else at, timeout, as_json=as_json)
    else:
        _show(run, as_json=as_json)


def _show(run: Path, *, as_json: bool) -> None:
    from qmpi.launch.recipe import recipe_table
    from qmpi.policy.recipe_requests import source_text, weights_text

    table = recipe_table(run)
    if as_json:
        show_json({"run": run, **_fields(table)})
        return
    for line in table.lines:
        click.echo(line_text(line))
    for one in table.added:
        rows = f"{one.fact.rows:,} rows" if one.fact.rows else "endless"
        click.echo(f"{one.source.name} was added: {source_text(one.source)}, {rows}")
    if table.waiting is not None:
        click.echo(f"waits for an answer: {weights_text(table.waiting.weights)}")


def _fields(table: object) -> dict[str, object]:
    import msgspec

    return msgspec.structs.asdict(table)  # pyright: ignore[reportArgumentType]


def line_text(line: "RecipeLine") -> str:
    """Tell a record of the recipe log.

    Args:
        line: the record.

    Returns:
        Two lines for people.
    """
    from qmpi.monitor.recipe_text import recipe_text

    rows = ", ".join(f"{name} at row {row:,}" for name, row in line.rows.items())
    return f"{recipe_text(line.recipe)}\n  {line.state}; {rows}"


def _withdraw(run: Path, *, as_json: bool) -> None:
    from qmpi.launch.recipe import withdraw
    from qmpi.policy.recipe_requests import weights_text

    lives = (run / "status.json").exists() and _report(run).state in LIVING
    taken = withdraw(run)
    at = _followed(run, taken.name) if taken is not None and lives else -1
    if at >= 0:
        raise InputError(
            f"too late: the run draws so from step {at} on; give its sources their weights of "
            "before by --set"
        )
    if as_json:
        show_json({"run": run, "withdrawn": taken})
    elif taken is None:
        click.echo("no change waits for an answer")
    else:
        click.echo(f"taken back: {weights_text(taken.weights)}")


def _followed(run: Path, name: str) -> int:
    """Return from which step on a live job follows a request that was just taken back, or -1."""
    from qmpi.launch.recipe import followed_at

    end = time.monotonic() + TAKEN_SECONDS
    while time.monotonic() < end:
        if (at := followed_at(run, name)) >= 0:
            return at
        if any(answer.name == name for answer in _report(run).recipe_answers):
            return -1  # it has heard, before it was too late
        time.sleep(LOOK_SECONDS)
    return -1


def _ask(
    run: Path,
    weights: tuple[tuple[str, float], ...],
    added: tuple["Source", ...],
    at: int,
    timeout: float,
    *,
    as_json: bool,
) -> None:
    from qmpi.launch.recipe import ask

    lives = _report(run).state in LIVING
    request = ask(run, dict(weights), at, added, lives=lives)
    step = _wait(run, request, timeout) if lives else -1
    if as_json:
        show_json({"run": run, "request": request, "at": step, "waits": step < 0})
    elif step < 0:
        click.echo("the run has stopped: the next start takes it in (qmpi train --resume)")
    else:
        click.echo(f"from step {step} on")


def _report(run: Path) -> "StatusReport":
    from qmpi.monitor.run_look import Observer

    return Observer(time.time()).report(run)


def _wait(run: Path, request: "RecipeRequest", timeout: float) -> int:
    """Wait for the answer of a live job.

    Returns:
        The first step with the new weights; -1: the job has stopped, and the request waits.

    Raises:
        InputError: it is refused.
        MachineError: there was no answer in time; the request is taken back.
    """
    from qmpi.launch.recipe import followed_at, withdraw

    end = time.monotonic() + timeout
    while True:
        report = _report(run)
        found = next((a for a in report.recipe_answers if a.name == request.name), None)
        if found is not None and found.refused:
            raise InputError(found.refused)
        step = found.at if found is not None else followed_at(run, request.name)
        if step >= 0 or report.state not in LIVING:
            return step
        if time.monotonic() > end:
            withdraw(run)
            raise MachineError(
                f"no answer within {timeout:.0f} s; the change is taken back, unless it has just "
                f"been followed: look with `qmpi recipe {run}`"
            )
        time.sleep(LOOK_SECONDS)
