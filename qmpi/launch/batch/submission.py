"""From a job and what is asked for to a script, and the script handed in.

Theory of operation. What is not given is that of the machine file; what the machine file leaves
open is that of the scheduler. The script names the job file, which is read when the job starts:
what is edited while it waits in the queue counts. All of it that can be found wrong is found here,
before anybody waits for nodes.
"""

import os
import re
import shlex
import sys
from collections.abc import Mapping
from math import prod
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.load import load_job
from qmpi.config.machine import Machine, load_machine
from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError
from qmpi.launch.batch.commands import TOOLS, find_scheduler, hand_in
from qmpi.launch.batch.directives import Request
from qmpi.launch.batch.layout import Layout, Wanted, lay_out, ranks_on
from qmpi.launch.batch.script import Content, Variants, render
from qmpi.launch.batch.shell_check import require_whole
from qmpi.model.partition import held_shapes
from qmpi.runtime.chosen_layout import Decision, Place, decide
from qmpi.runtime.here import as_found
from qmpi.runtime.same_run import run_path
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained

WARN_SECONDS = 180
"""For the steps granted, a snapshot and a checkpoint."""

_CLOCK = re.compile(r"(?:(\d{1,3})-)?(\d{1,4}):([0-5]\d):([0-5]\d)")
_AMOUNT = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Asked(Struct, frozen=True, kw_only=True):
    """What the user asks for; None and empty texts are for the machine file to say.

    Attributes:
        nodes: nodes of the allocation.
        scheduler: kind.
        machine: a machine that qmpi knows, or a machine file.
        time: limit of time, as `seconds_of` reads it.
        warn_seconds: how long before the limit the run is asked to stop.
        queue: partition or queue.
        account: who is charged.
        ranks_per_host: ranks a node.
        ranks: ranks in all.
        options: more options of the scheduler.
        setup: lines of shell before the start.
        vary: as "job.seed=1,2,3"; empty: one job.
        qmpi: the command on the nodes, as a shell would take it apart; empty: this one.
    """

    nodes: int
    scheduler: str = ""
    machine: str = ""
    time: str = ""
    warn_seconds: int | None = None
    queue: str = ""
    account: str = ""
    ranks_per_host: int | None = None
    ranks: int | None = None
    options: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    vary: str = ""
    qmpi: str = ""


class Given(Struct, frozen=True):
    """Where a job comes from.

    Attributes:
        job: the job file.
        overrides: as `--set` takes them.
        run_dir: replaces job.run_dir; None: it does not.
    """

    job: Path
    overrides: tuple[str, ...] = ()
    run_dir: str | None = None


class Submission(Struct, frozen=True):
    """A job that is ready to be handed in.

    Attributes:
        scheduler: kind.
        script: its text.
        run: directory of the run, or of the runs of an array.
        layout: how it lies on the nodes.
    """

    scheduler: str
    script: str
    run: Path
    layout: Layout

    @property
    def path(self) -> Path:
        """Where the script is kept; a job that hands in its successor takes it from there."""
        return self.run / "batch" / f"{self.scheduler}.sh"

    @property
    def draft(self) -> Path:
        """Where it lies until the scheduler has taken it."""
        return self.path.with_suffix(".draft.sh")


def prepare(given: Given, asked: Asked, environ: Mapping[str, str]) -> Submission:
    """Make the script of a job; writes nothing.

    Args:
        given: the job.
        asked: what is asked for.
        environ: environment of the process, to find a scheduler by its command.

    Returns:
        What can be handed in.

    Raises:
        ConfigError: job, machine and what is asked for do not fit together.
    """
    decided: list[Decision] = []

    def chosen(settings: Settings) -> ParallelSettings:
        decided.append(_decide(settings, asked))
        return decided[-1].parallel

    settings = load_job(given.job, given.overrides, given.run_dir, chosen)
    machine = _machine(settings, asked)
    layout = lay_out(settings, machine, _wanted(settings, asked))
    if decided:
        # The job must not choose again, perhaps otherwise, where it starts.
        given = replace(given, overrides=(*given.overrides, *_sizes(settings.parallel)))
        layout = replace(layout, words=(*decided[-1].why, *layout.words))
    variants = _variants(given, asked.vary)
    setup = (*machine.scheduler.setup, *asked.setup)
    request = _request(settings, machine, asked, layout, environ)
    content = Content(
        job=given.job.absolute(),
        run=run_path(settings),
        workdir=Path.cwd(),
        qmpi=_command(asked.qmpi),
        options=tuple(word for one in given.overrides for word in ("--set", one)),
        setup=setup,
        variants=variants,
    )
    request = replace(request, values=len(variants.values) if variants else 0)
    script = render(request, content)
    require_whole(setup)
    return Submission(request.scheduler, script, content.run, layout)


def keep(submission: Submission, environ: Mapping[str, str]) -> str:
    """Hand the script in and keep it in the directory of the run.

    A script that the scheduler refuses does not take the place of the one that an earlier job
    goes on with.

    Args:
        submission: what is handed in.
        environ: environment of the process.

    Returns:
        Number of the job, as the scheduler writes it.

    Raises:
        ConfigError: the run's directory is a file.
        StorageError: the directory takes no data.
        LaunchError: the scheduler is not there, or refuses the job.
    """
    folder, draft = submission.path.parent, submission.draft
    if submission.run.exists() and not submission.run.is_dir():
        raise ConfigError(f"{submission.run} is a file: choose another --run-dir")
    with explained("make the directory", folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_atomic(draft, submission.script.encode())
    with explained("write", draft):
        draft.chmod(0o755)
    number = hand_in(submission.scheduler, draft, environ)
    with explained("write", submission.path):
        draft.replace(submission.path)
    return number


def seconds_of(text: str) -> int:
    """Return a limit of time in seconds.

    Args:
        text: as "12:00:00", "2-00:00:00" with days, or "90m" in s, m, h or d; empty: none.

    Returns:
        Seconds; 0: none.

    Raises:
        ConfigError: it is written otherwise.
    """
    if not text:
        return 0
    clock, amount = _CLOCK.fullmatch(text), _AMOUNT.fullmatch(text)
    if clock is not None:
        days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        found = days * 86_400 + hours * 3600 + minutes * 60 + seconds
    else:
        found = int(amount[1]) * _UNITS[amount[2]] if amount is not None else 0
    if found < 1:
        raise ConfigError(
            f"--time {text!r}: write hours, minutes and seconds as 12:00:00, with days as "
            "2-00:00:00, or an amount as 90m"
        )
    return found


def _machine(settings: Settings, asked: Asked) -> Machine:
    name = asked.machine or settings.machine.name
    return load_machine(name) if name else as_found()


def _wanted(settings: Settings, asked: Asked) -> Wanted:
    parallel = settings.parallel
    held = held_shapes(settings.model, parallel)
    most = max(sum(map(prod, shapes.values())) for shapes in held)
    return Wanted(asked.nodes, asked.ranks_per_host, asked.ranks, most)


def _decide(settings: Settings, asked: Asked) -> Decision:
    machine = _machine(settings, asked)
    ranks = ranks_on(settings, machine, _wanted(settings, asked))
    return decide(settings, Place(ranks, machine, asked.nodes))


def _sizes(parallel: ParallelSettings) -> tuple[str, ...]:
    """Return overrides that name a layout; the first of them even if it is that of one rank."""
    usual = ParallelSettings()
    fields = [name for name in parallel.__struct_fields__ if name != "tensor"]
    apart = [name for name in fields if getattr(parallel, name) != getattr(usual, name)]
    return tuple(f"parallel.{name}={getattr(parallel, name)}" for name in ("tensor", *apart))


def _request(
    settings: Settings,
    machine: Machine,
    asked: Asked,
    layout: Layout,
    environ: Mapping[str, str],
) -> Request:
    seconds = seconds_of(asked.time)
    kind = asked.scheduler or machine.scheduler.kind or find_scheduler(environ)
    own = machine.scheduler if kind == machine.scheduler.kind else None
    return Request(
        scheduler=kind,
        name=settings.job.name,
        layout=layout,
        seconds=seconds,
        warn_seconds=_warning(seconds, asked.warn_seconds),
        queue=asked.queue or (own.queue if own else ""),
        account=asked.account or (own.account if own else ""),
        options=(*(own.options if own else ()), *asked.options),
    )


def _warning(seconds: int, asked: int | None) -> int:
    # Half of a short time would be warning: a job that stops as soon as it starts gets nowhere.
    if asked is None:
        return max(1, min(WARN_SECONDS, seconds // 4)) if seconds else WARN_SECONDS
    if seconds and asked >= seconds:
        raise ConfigError(f"--warn {asked}: the whole --time is {seconds} s")
    return asked


def _variants(given: Given, text: str) -> Variants | None:
    if not text:
        return None
    field, equals, listed = text.partition("=")
    values = tuple(value.strip() for value in listed.split(","))
    if not equals or len(values) < 2 or not all(values):
        raise ConfigError(
            f"--vary {text!r}: write section.key=value,value,... with two values or more, as "
            "job.seed=1,2,3"
        )
    if field.strip() == "job.run_dir":
        raise ConfigError(f"--vary {text!r}: the runs of an array lie in RUN/0, RUN/1, ...")
    for value in values:
        load_job(given.job, (*given.overrides, f"{field}={value}"), given.run_dir)
    return Variants(field.strip(), values)


def _command(given: str) -> tuple[str, ...]:
    if not given:
        own = Path(sys.executable).parent / "qmpi"
        return (str(own),) if own.exists() else (sys.executable, "-m", "qmpi.cli.main")
    try:
        words = tuple(os.path.expanduser(word) for word in shlex.split(given))  # noqa: PTH111
    except ValueError as error:
        raise ConfigError(f"--qmpi {given!r}: {error}") from error
    if not words:
        raise ConfigError("--qmpi: name a command, as /path/to/qmpi")
    return words


def cancel_command(submission: Submission, number: str) -> str:
    """Return the command that ends a job that was handed in.

    Args:
        submission: what was handed in.
        number: of the job.

    Returns:
        A line of shell.
    """
    return f"{TOOLS[submission.scheduler].cancel} {shlex.quote(number)}"
