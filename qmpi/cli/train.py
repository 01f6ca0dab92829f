"""`qmpi train`: run a job under supervision."""

import math
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import FiniteRange, HomePath, JobPath, RunPath, job_options
from qmpi.cli.output import show_json
from qmpi.cli.stop_request import WARNING, StopRequest
from qmpi.errors import pointer

if TYPE_CHECKING:
    from qmpi.cli.chosen import Chooser
    from qmpi.config.settings import Settings
    from qmpi.launch.allocation.muster import Muster
    from qmpi.launch.supervisor import SupervisorEvent
    from qmpi.launch.train import Asked
    from qmpi.monitor.live_view import LiveView
    from qmpi.protocol.status import EndMarker, StatusReport
    from qmpi.runtime.same_run import Continuation

EPILOG = """\b
Examples:
  qmpi train jobs/laptop.toml
  qmpi train jobs/laptop.toml -n 6 --set train.steps=1000 --run-dir runs/long
  qmpi train --resume runs/long
  qmpi train --resume runs/long --set train.steps=2000
  qmpi train --resume runs/long --back-to 400 --set optimizer.learning_rate=1e-3
  qmpi train jobs/cluster.toml --run-dir RUN --ranks-per-host 8
  qmpi train jobs/cluster.toml --hostfile hosts.txt --ranks-per-host 2
"""


@click.command("train", epilog=EPILOG)
@click.argument("job", required=False, type=JobPath())
@click.option(
    "-n",
    "ranks",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Ranks to start in all; default: what the batch system says, else what the job asks for.",
)
@click.option(
    "--ranks-per-host",
    "per_host",
    type=click.IntRange(1, 100_000),
    metavar="K",
    help="Ranks to start on each host.",
)
@click.option(
    "--hostfile",
    type=HomePath(),
    metavar="FILE",
    help="Hosts to use, one a line as `node1 slots=4`; default: those of the allocation.",
)
@click.option(
    "--stop-before",
    type=FiniteRange(0.0, 1e6),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="Stop in order so long before the batch system ends the job; 0: wait for its signal.",
)
@click.option(
    "--resume",
    type=RunPath(),
    metavar="RUN",
    help="Go on with a run from its newest snapshot.",
)
@click.option(
    "--from-scratch",
    is_flag=True,
    help="With --resume: begin at step 0 if no snapshot can be read.",
)
@click.option(
    "--back-to",
    type=click.IntRange(0, 10**12),
    metavar="STEP",
    help="With --resume: give up the steps from STEP on and train them anew.",
)
@click.option(
    "--replan",
    is_flag=True,
    help="With --resume: plan the schedule anew where its shape would change.",
)
@click.option("--quiet", is_flag=True, help="No live view.")
@job_options
def command(
    *,
    job: Path | None,
    ranks: int | None,
    per_host: int | None,
    hostfile: Path | None,
    stop_before: float,
    resume: Path | None,
    from_scratch: bool,
    back_to: int | None,
    replan: bool,
    quiet: bool,
    overrides: tuple[str, ...],
    run_dir: str | None,
    as_json: bool,
) -> int:
    """Run JOB, and go on whatever dies.

    Ranks that die are replaced inside the job. When the job itself dies (its coordinator, mpirun,
    the machine's MPI daemon), it is started again from the newest verified snapshot. Ctrl-C stops
    in order: the granted steps are finished and a checkpoint is written; exit code 75 says that the
    run can go on. So do the signals by which a scheduler or a closed terminal ends a command.

    A run that goes on (--resume) may have other train.steps, another [optimizer], [guard] and
    [batch]: the change is written down at the step where it goes on. What costs memory alone,
    as train.checkpointing, may change too. --back-to gives up steps after a divergence.

    Inside an allocation (Slurm, PBS, LSF, Flux, Grid Engine), or with --hostfile, the ranks are
    dealt to its hosts. Before each start all hosts are asked; those that do not answer are left
    out. RUN/hosts.json says what was found.
    """
    given = {"--from-scratch": from_scratch, "--back-to": back_to is not None, "--replan": replan}
    for name in (name for name, is_given in given.items() if is_given and resume is None):
        raise click.UsageError(f"{name} is for a run that goes on: --resume RUN")
    from qmpi.launch.train import Asked, way_on

    asked = Asked(ranks, per_host, hostfile, stop_before)
    settings = _settings(job, resume, (overrides, run_dir), asked)
    if resume is None:
        _warn(settings)
    marker = run_supervised(
        settings,
        asked,
        quiet=quiet or as_json,
        from_scratch=from_scratch,
        way=None if resume is None else way_on(resume, replan=replan, back_to=back_to),
    )
    _show(settings, marker, as_json=as_json)
    if marker.state == "finished" and settings.curriculum.reference:
        hold_against(settings, quiet=as_json)
    return marker.exit_code


def run_supervised(
    settings: "Settings",
    asked: "Asked | None",
    *,
    quiet: bool,
    from_scratch: bool = False,
    is_tied: bool = False,
    way: "Continuation | None" = None,
    watch: "Callable[[StatusReport, float], str] | None" = None,
) -> "EndMarker":
    """Run a job to its end.

    Args:
        settings: the job.
        asked: ranks and hosts; None: the ranks that the job asks for, on this machine.
        quiet: no live view.
        from_scratch: begin at step 0 if no snapshot of the run can be read.
        is_tied: the job ends when this process dies.
        way: how a run goes on that is resumed; if it does already and nothing shall change, its end
            is waited for. None: the job as it stands.
        watch: called a few times a second with the newest status and the time;
            what it returns is told.

    Returns:
        How it ended.
    """
    from msgspec.structs import replace
    from rich.console import Console

    from qmpi.launch.job_file import JobFile
    from qmpi.launch.supervisor import Supervision, supervise
    from qmpi.launch.train import (
        check_claimed,
        find_hosts,
        finished_before,
        prepare_run,
        stop_time,
        will_change,
    )
    from qmpi.monitor.live_view import LiveView
    from qmpi.runtime.clock import Clock
    from qmpi.runtime.same_run import AS_IT_WAS

    if way is not None and not from_scratch:
        ended = finished_before(settings, way)
        if ended is not None:
            _say_finished(ended)
            return ended
    clock, stop = Clock(), StopRequest()
    with ExitStack() as stack:
        # Ctrl-C ends the preparations at once; a scheduler's warning must not look like a failure.
        stack.enter_context(stop.heard(WARNING))
        hosts = None if asked is None else find_hosts(settings, asked, os.environ, clock)
        number = None if hosts is None else hosts.ranks_of_all()
        kept = AS_IT_WAS if way is None else way
        plan = prepare_run(settings, number, os.environ, kept)
        once = ("--from-scratch",) if from_scratch else ()
        plan = replace(plan, once=once, is_tied=is_tied)
        view = None if quiet else stack.enter_context(LiveView(Console(), settings.job.name))
        until = math.inf
        if hosts is not None and asked is not None:
            until = stop_time(hosts.end, asked.stop_before, clock.now()) or math.inf
        onlooker = Onlooker(plan.run, view, watch, clock.now)
        job_file = JobFile(settings, kept)
        supervision = Supervision(
            settings.failure,
            onlooker.say,
            onlooker.tick,
            lambda: stop() or clock.now() >= until,
            follow=way is not None and not will_change(settings, way),
            status_seconds=settings.monitor.status_seconds,
            claimed=job_file.claim,
            released=job_file.release,
            check=lambda: check_claimed(plan.run, kept),
            hosts=hosts,
        )
        with stop.heard():
            return supervise(plan, supervision, clock)


class Onlooker:
    """Hands the status of a run to the live view and to whoever else watches."""

    def __init__(
        self,
        run: Path,
        view: "LiveView | None",
        watch: "Callable[[StatusReport, float], str] | None",
        now: Callable[[], float],
    ) -> None:
        """Look at nothing yet.

        Args:
            run: directory of the run.
            view: the live view, if any.
            watch: as in `run_supervised`.
            now: clock.
        """
        self._run, self._view, self._watch, self._now = run, view, watch, now

    def tick(self) -> None:
        """Look at the newest status."""
        from qmpi.errors import StorageError
        from qmpi.storage.status_file import read_status

        if self._view is None and self._watch is None:
            return
        try:
            report = read_status(self._run)
        except StorageError:
            return  # not written yet
        if self._watch is not None:
            self._tell(self._watch(report, self._now()))
        if self._view is not None:
            self._view.update(report, self._now())

    def say(self, event: "SupervisorEvent") -> None:
        """Tell what the supervisor did.

        Args:
            event: what.
        """
        self._tell(event.what)

    def _tell(self, text: str) -> None:
        if self._view is not None and text:
            self._view.say(text)


def _settings(
    job: Path | None,
    resume: Path | None,
    changed: tuple[tuple[str, ...], str | None],
    asked: "Asked",
) -> "Settings":
    from qmpi.config.load import load_job
    from qmpi.launch.train import resume_settings

    overrides, run_dir = changed
    if resume is not None:
        if job is not None or run_dir is not None:
            raise click.UsageError(
                "--resume takes the job and the directory of the run; give neither"
            )
        return resume_settings(resume, overrides)
    if job is None:
        raise click.UsageError("name a JOB file, or a run with --resume")
    chooser = _chooser(asked)
    settings = load_job(job, overrides, run_dir, chooser)
    chooser.tell()
    return settings


def _chooser(asked: "Asked") -> "Chooser":
    from qmpi.cli.chosen import Chooser
    from qmpi.launch.train import find_hosts
    from qmpi.runtime.clock import Clock

    def hosts(settings: "Settings") -> "Muster":
        return find_hosts(settings, asked, os.environ, Clock())

    return Chooser(
        lambda settings: hosts(settings).ranks_of_all(),
        nodes=lambda settings: hosts(settings).hosts_of_all(),
    )


def _warn(settings: "Settings") -> None:
    from qmpi.exchange.hugging_face import initial_warning

    warning = initial_warning(settings)
    if warning:
        click.echo(f"qmpi: {warning}", err=True)


def _say_finished(marker: "EndMarker") -> None:
    click.echo(
        f"qmpi: the run has all its {marker.step} steps, so nothing is started; for more of them: "
        "--set train.steps=N",
        err=True,
    )


def _show(settings: "Settings", marker: "EndMarker", *, as_json: bool) -> None:
    from qmpi.errors import StorageError
    from qmpi.runtime.same_run import run_path
    from qmpi.storage.status_file import read_status

    run = run_path(settings)
    if as_json:
        shown = {"state": marker.state, "step": marker.step, "digest": marker.digest}
        page = {"page": "run-failed"} if marker.state == "failed" else {}
        why = {"reason": marker.reason, "exit_code": marker.exit_code, "run": str(run)}
        show_json({**shown, **why, **page})
        return
    if marker.state == "failed":
        click.echo(f"qmpi: the run failed at step {marker.step}: {marker.reason}", err=True)
        click.echo(f"  {pointer('run-failed')}", err=True)
        return
    try:
        status = read_status(run)
    except StorageError:
        click.echo(f"stopped before the first status: {marker.reason}")
        return
    click.echo(_summary(marker, status))
    click.echo(f"  qmpi status {run}\n  qmpi audit {run}\n  qmpi sample {run} --prompt 'def '")


def hold_against(settings: "Settings", *, quiet: bool) -> None:
    """Say how a finished run stands beside the reference of its job, and keep it.

    Args:
        settings: the job; it names a reference.
        quiet: keep it only.
    """
    from qmpi.errors import InputError, StorageError
    from qmpi.launch.specialisation import keep_judgement
    from qmpi.monitor.specialisation_text import verdicts
    from qmpi.runtime.same_run import run_path

    try:
        told = keep_judgement(run_path(settings))
    except (InputError, StorageError) as error:
        # What was trained is there all the same.
        click.echo(f"qmpi: the run is not held against its reference: {error}", err=True)
        return
    if told is not None and not quiet:
        for name, words in verdicts(told):
            click.echo(f"{name}: {words}")


def _summary(marker: "EndMarker", status: "StatusReport") -> str:
    from qmpi.monitor.roll_backs import roll_backs_text
    from qmpi.monitor.status_text import left_out_text

    without = "no finite loss" if status.step else "no loss yet"
    loss = without if status.loss is None else f"loss {status.loss:.4f}"
    count = len(status.failures)
    healed = f", {count} failure{'' if count == 1 else 's'} healed" if count else ""
    if status.skipped or status.spikes:
        healed += f", {left_out_text(status)}"
    if status.roll_backs:
        healed += f", roll backs {roll_backs_text(status.roll_backs)}"
    if marker.state == "stopped":
        return f"stopped at step {marker.step} ({loss}{healed}): {marker.reason}"
    return f"finished: {marker.step} steps, {loss}{healed}, weights {marker.digest[:16]}"
