"""`qmpi curriculum JOB --tune DIR`: constants of the rule, tried on small runs, in words."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.output import show_json
from qmpi.errors import ExitCode

if TYPE_CHECKING:
    from qmpi.config.settings import Settings
    from qmpi.launch.tuning.prepare import Asked, Prepared
    from qmpi.launch.tuning.run import Outcome, Tried
    from qmpi.protocol.status import EndMarker

Job = tuple[Path, tuple[str, ...], str | None]
"""Its file, what is overridden, and the directory of its run."""


def tune_job(job: Job, folder: Path, asked: "Asked", ranks: int, *, as_json: bool) -> int:
    """Tune a job, and print what came of it.

    Args:
        job: which.
        folder: of the tuning.
        asked: what the command line says of it.
        ranks: of each proxy.
        as_json: for scripts.

    Returns:
        Exit code: 75 if it was stopped, so that the same command goes on.
    """
    from qmpi.config.load import absolute
    from qmpi.launch.tuning.prepare import prepare_tuning
    from qmpi.launch.tuning.run import Hands, tune
    from qmpi.runtime.clock import Clock

    path, overrides, run_dir = job
    kind = _loaded(path, overrides, run_dir).curriculum.kind
    settings = _loaded(path, (*overrides, 'curriculum.kind="adaptive"'), run_dir)
    prepared = prepare_tuning(settings, kind, asked)

    def tell(text: str) -> None:
        if not as_json:
            click.echo(text, err=True)

    def train(settings: "Settings") -> "EndMarker":
        return _trained(settings, ranks)

    outcome = tune(prepared, absolute(str(folder)), Hands(train, tell, Clock().now))
    lines = _lines(prepared, outcome) if outcome.state == "accepted" else ()
    written = _write(job, folder, lines) if lines else None
    if as_json:
        show_json(_told(outcome, lines, written))
    else:
        for line in _text(outcome, lines, written):
            click.echo(line)
    return int(ExitCode.REQUEUE if outcome.state == "stopped" else ExitCode.DONE)


def _trained(settings: "Settings", ranks: int) -> "EndMarker":
    from qmpi.cli.train import run_supervised
    from qmpi.launch.train import Asked

    # Nobody follows a proxy: ranks without its command would only hold the directory.
    return run_supervised(settings, Asked(ranks), quiet=True, is_tied=True)


def _loaded(path: Path, overrides: tuple[str, ...], run_dir: str | None) -> "Settings":
    from qmpi.config.load import load_job

    return load_job(path, overrides, run_dir)


def _lines(prepared: "Prepared", outcome: "Outcome") -> tuple[str, ...]:
    """Return what [curriculum] shall say, a line a field that differs from the job's."""
    from msgspec.structs import asdict

    from qmpi.config.load import toml_value

    (best,) = (each for each in prepared.candidates if each.name == outcome.best)
    own = {**asdict(prepared.candidates[0].constants), "kind": prepared.kind}
    told = asdict(best.constants).items()
    return tuple(f"{name} = {toml_value(value)}" for name, value in told if value != own[name])


def _write(job: Job, folder: Path, lines: tuple[str, ...]) -> Path:
    """Write the job with the constants that were accepted."""
    from qmpi.config.load import dump_toml
    from qmpi.storage.atomic_file import write_atomic

    path, overrides, run_dir = job
    changed = tuple(f"curriculum.{line.replace(' = ', '=')}" for line in lines)
    settings = _loaded(path, (*overrides, *changed), run_dir)
    written = folder / f"{settings.job.name}.toml"
    write_atomic(written, dump_toml(settings).encode())
    return written


def _told(outcome: "Outcome", lines: tuple[str, ...], written: Path | None) -> dict[str, object]:
    return {
        "tuning": outcome.state,
        "best": outcome.best,
        "reason": outcome.reason,
        "gains": outcome.gains,
        "candidates": outcome.tried,
        "tokens": outcome.tokens,
        "job_tokens": outcome.whole,
        "curriculum": lines,
        "job": None if written is None else str(written),
    }


def _text(outcome: "Outcome", lines: tuple[str, ...], written: Path | None) -> Iterator[str]:
    from qmpi.planning.wording import amount

    yield from _table(outcome.tried)
    share = outcome.tokens / outcome.whole
    yield f"{amount(outcome.tokens)} were taken, {share:.2%} of the job"
    if outcome.state == "stopped":
        yield f"{outcome.reason}; the same command goes on"
        return
    yield outcome.reason
    if lines:
        yield from ("[curriculum]", *lines)
        yield f"  qmpi train {written}"


def _table(tried: "tuple[Tried, ...]") -> Iterator[str]:
    from msgspec.structs import asdict

    rungs = max(len(each.rungs) for each in tried)
    names = list(asdict(tried[0].candidate.constants))[1:]
    heads = ("candidate", *names, *(f"rung {n}" for n in range(1, rungs + 1)), "held out")
    rows = [heads, *(_row(each, names, rungs) for each in tried)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _row(each: "Tried", names: list[str], rungs: int) -> tuple[str, ...]:
    constants = each.candidate.constants
    is_static = constants.kind == "static"
    told = tuple("-" if is_static else f"{getattr(constants, name):g}" for name in names)
    scores = [_figure(score) for score in each.rungs]
    scores += [""] * (rungs - len(scores))
    held = " ".join(_figure(score) for score in each.held_out)
    return (each.candidate.name, *told, *scores, held)


def _figure(score: float | None) -> str:
    return "not finite" if score is None else f"{score:.4f}"
