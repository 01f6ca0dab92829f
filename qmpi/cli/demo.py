"""`qmpi demo`: pretrain on this machine, kill a trainer, prove that nothing changed."""

import functools
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import job_options
from qmpi.cli.output import show_json
from qmpi.errors import ConfigError, ExitCode, LaunchError

if TYPE_CHECKING:
    from qmpi.cli.demo_report import Evidence
    from qmpi.config.settings import Settings
    from qmpi.launch.strike import Striker

EPILOG = """\b
Examples:
  qmpi demo
  qmpi demo --steps 200 --run-dir runs/longer
  qmpi demo --set model.width=256 --json
"""

STRIKE_SHARE = 3
"""The trainer is killed after one third of the steps."""

STATUS_SECONDS = 0.25
"""The demo writes its status often, so that the kill comes where it is due and the view moves."""


UNDISTURBED = "undisturbed"


@click.command("demo", epilog=EPILOG)
@click.option("--steps", type=click.IntRange(min=3), metavar="N", help="Steps of each run.")
@job_options
def demo(
    *, steps: int | None, overrides: tuple[str, ...], run_dir: str | None, as_json: bool
) -> int:
    """Pretrain a small model twice and compare.

    In the first run a trainer is killed with SIGKILL after a third of the steps. The second run is
    left alone. Both must end with the same weights, bit for bit, and both journals must pass the
    audit. Exit code 0 says that they do, 4 that they do not.
    """
    from qmpi.cli.demo_report import conclude, show

    began = time.monotonic()
    root = demo_root(run_dir)
    # Settings first: a wrong --set is told before anything is made or started.
    jobs = [demo_settings(root / name, steps, overrides) for name in ("disturbed", UNDISTURBED)]
    tell = functools.partial(announce, quiet=as_json)
    make_corpora(jobs[0], quiet=as_json)
    tell(f"run 1 of 2: a trainer is killed after {strike_step(jobs[0])} steps")
    striker = run_disturbed(jobs[0], quiet=as_json)
    tell("run 2 of 2: the same job, undisturbed")
    run_to_end(jobs[1], quiet=as_json, striker=None)
    evidence = conclude(root, striker.strikes, tell)
    seconds = time.monotonic() - began
    if as_json:
        show_json(contract(evidence, seconds))
    else:
        show(evidence, seconds)
    return int(ExitCode.DONE if evidence.proven else ExitCode.BUG)


command = demo


def contract(evidence: "Evidence", seconds: float) -> dict[str, object]:
    """Return what `qmpi demo --json` prints; a contract for scripts.

    Args:
        evidence: of both runs.
        seconds: wall time of the whole demo.

    Returns:
        Values by name.
    """
    return {
        "digest": evidence.digest,
        "undisturbed_digest": evidence.undisturbed_digest,
        "kills": len(evidence.strikes),
        "audit": evidence.audit,
        "steps": evidence.steps,
        "seconds": round(seconds, 3),
        "report": str(evidence.report),
        "recovery_seconds": evidence.recovery_seconds,
    }


def demo_root(run_dir: str | None) -> Path:
    """Return the directory of this demo: the one asked for, else the first free one under runs/.

    Args:
        run_dir: as given; None: choose.

    Returns:
        An absolute path that holds no demo yet.

    Raises:
        ConfigError: the directory asked for holds a demo already.
    """
    from qmpi.config.load import absolute

    if run_dir is not None:
        root = absolute(run_dir)
        if (root / "disturbed").exists() or (root / "undisturbed").exists():
            raise ConfigError(f"{root} holds an earlier demo; choose another --run-dir")
        return root
    number = 1
    while True:
        root = Path("runs/demo" if number == 1 else f"runs/demo-{number}").absolute()
        if not root.exists():
            return root
        number += 1


def demo_settings(run: Path, steps: int | None, overrides: tuple[str, ...]) -> "Settings":
    """Return the job of one of the two runs.

    Args:
        run: its directory.
        steps: replaces the number of steps.
        overrides: of the user.

    Returns:
        Checked settings.
    """
    from qmpi.config.load import dump_toml, parse_job
    from qmpi.config.presets import preset

    own = [f"monitor.status_seconds={STATUS_SECONDS}", f'job.name="{run.name}"']
    if steps is not None:
        own.append(f"train.steps={steps}")
    if run.name == UNDISTURBED:
        # One run measures itself and the other does not: that must not change the weights either.
        own.append("evaluation.every_steps=0")
    return parse_job(dump_toml(preset("demo")), (*own, *overrides), str(run), name="the demo's job")


def make_corpora(settings: "Settings", *, quiet: bool) -> None:
    """Make the built-in corpora that the job names, with progress.

    Args:
        settings: the job.
        quiet: show nothing.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from qmpi.config.data import CorpusSource
    from qmpi.corpora.builtin import PREFIX, resolve_corpus
    from qmpi.ingest.corpus import IngestProgress
    from qmpi.storage.cache import default_cache

    sources = [s for s in settings.data.sources if isinstance(s, CorpusSource)]
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        task = bar.add_task("looking for the corpus", total=None)

        def tell(progress: IngestProgress) -> None:
            words = f"making the corpus, once: {progress.stage}, {progress.documents:,} documents"
            bar.update(task, description=words)

        for source in sources:
            if source.path.startswith(PREFIX):
                resolve_corpus(source.path, default_cache(os.environ), tell)


def run_disturbed(settings: "Settings", *, quiet: bool) -> "Striker":
    """Run the job and kill a trainer on the way.

    Args:
        settings: the job.
        quiet: no live view.

    Returns:
        Who killed whom.
    """
    from qmpi.launch.strike import Striker
    from qmpi.runtime.same_run import run_path

    striker = Striker(run_path(settings), "trainer", strike_step(settings))
    run_to_end(settings, quiet=quiet, striker=striker)
    return striker


def announce(text: str, *, quiet: bool) -> None:
    """Say what is being done.

    Args:
        text: in words.
        quiet: say nothing.
    """
    if not quiet:
        click.echo(text)


def strike_step(settings: "Settings") -> int:
    """Return the steps after which the trainer is killed.

    Args:
        settings: the job.

    Returns:
        At least 1.
    """
    return max(1, settings.train.steps // STRIKE_SHARE)


def run_to_end(settings: "Settings", *, quiet: bool, striker: "Striker | None") -> None:
    """Run a job that must finish.

    Args:
        settings: the job.
        quiet: no live view.
        striker: kills a rank on the way.

    Raises:
        LaunchError: it did not finish.
        Abort: the user stopped it.
    """
    from qmpi.cli.train import run_supervised
    from qmpi.runtime.same_run import run_path

    watch = striker.look if striker is not None else None
    marker = run_supervised(settings, None, quiet=quiet, watch=watch)
    if marker.state == "stopped":
        raise click.exceptions.Abort
    if marker.state != "finished":
        raise LaunchError(
            f"the {settings.job.name} run failed at step {marker.step}: {marker.reason}; "
            f"its logs are in {run_path(settings) / 'logs'}"
        )
