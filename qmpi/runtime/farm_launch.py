"""Describe the work of a farm, start it under supervision, and read what came of it.

Theory of operation. The work directory holds what a run directory holds (status, end marker, lock,
logs) and `work.json`, from which every rank opens the plan by itself. The supervisor is that of
training: it starts the MPI job again when all of it died, a bounded number of times. The same
command given again finds `work.json`, and goes on if the work is the same.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from qmpi.config.settings import FailureSettings, Settings
from qmpi.errors import ConfigError, CorruptData, InvariantError
from qmpi.protocol.status import EndMarker
from qmpi.runtime.clock import Clock
from qmpi.runtime.launcher import LaunchPlan, find_mpirun, rank_environment
from qmpi.runtime.supervisor import Supervision, SupervisorEvent, supervise
from qmpi.runtime.work_plan import WorkPlan
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained
from qmpi.storage.run_directory import RunDirectory
from qmpi.units import Digest, brief

WORK_NAME = "work.json"
RESULT_NAME = "result.json"

PLANS = {
    "generate": "qmpi.runtime.generate_plan",
    "ingest": "qmpi.runtime.ingest_plan",
}
"""Module of each kind of work; its `open_plan(description: dict, work: Path)` makes a plan."""


class WorkFile(Struct, frozen=True, kw_only=True):
    """work.json.

    Attributes:
        kind: a key of `PLANS`.
        name: for the status and people.
        plan: description of the plan, plain JSON values; equal descriptions give equal results.
        failure: beats, limits of silence, relaunches; may differ between two starts.
    """

    kind: str
    name: str
    plan: dict[str, Any]
    failure: FailureSettings = FailureSettings()


class Onlookers(Struct, frozen=True):
    """Callbacks of a command that waits for a farm.

    Attributes:
        on_event: told what the supervisor does.
        on_tick: called a few times a second; for a progress bar.
        stop: True once the user wants the work to stop.
        claimed: called once the directory belongs to this command, before anything is written.
    """

    on_event: Callable[[SupervisorEvent], None]
    on_tick: Callable[[], None]
    stop: Callable[[], bool]
    claimed: Callable[[], None] = lambda: None


def open_plan(work: WorkFile, directory: Path) -> WorkPlan:
    """Open the plan that a work file describes.

    Args:
        work: the description.
        directory: the work directory.

    Returns:
        The plan, on any rank the same.

    Raises:
        InvariantError: nobody knows such work.
    """
    if work.kind not in PLANS:
        raise InvariantError(f"no plan of kind {work.kind!r}")
    plan: WorkPlan = import_module(PLANS[work.kind]).open_plan(work.plan, directory)
    return plan


def read_work(path: Path) -> WorkFile:
    """Read a description.

    Args:
        path: work.json.

    Returns:
        The work.

    Raises:
        CorruptData: it is damaged.
        StorageError: it cannot be read.
    """
    with explained("read the work", path):
        data = path.read_bytes()
    try:
        return msgspec.json.decode(data, type=WorkFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptData(f"{path} is damaged ({error}); remove it to begin again") from error


def run_farm(
    work: WorkFile, directory: Path, ranks: int, onlookers: Onlookers, environ: Mapping[str, str]
) -> EndMarker:
    """Do the work, or go on with it where it was.

    Args:
        work: what.
        directory: the work directory; made if missing.
        ranks: MPI processes to start, >= 1.
        onlookers: of the command that waits.
        environ: environment of this process.

    Returns:
        How it ended.

    Raises:
        ConfigError: the directory holds other work.
        LaunchError: there is no mpirun, or the job kept dying.
        UserError: the work is being done by another command.
        StorageError: the directory takes no data.
    """
    mpirun = find_mpirun(environ)
    run = RunDirectory(directory.absolute())
    path = run.root / WORK_NAME
    _check_same_work(run.root, work)

    def claimed() -> None:
        _check_same_work(run.root, work)
        onlookers.claimed()
        write_atomic(path, msgspec.json.format(msgspec.json.encode(work), indent=1))

    plan = LaunchPlan(
        mpirun=mpirun,
        ranks=ranks,
        job=path,
        run=run.root,
        environment=rank_environment(Settings(), environ),
        options=("--work",),
    )
    watch = Supervision(
        work.failure,
        onlookers.on_event,
        onlookers.on_tick,
        onlookers.stop,
        adopt=True,
        claimed=claimed,
    )
    return supervise(plan, watch, Clock())


def _check_same_work(directory: Path, work: WorkFile) -> None:
    path = directory / WORK_NAME
    if not path.exists():
        return
    begun = read_work(path)
    if (begun.kind, begun.plan) != (work.kind, work.plan):
        raise ConfigError(
            f"{directory} holds other work, half done ({difference(begun, work)}); finish it "
            "with the command that began it, or remove the directory"
        )


def difference(begun: WorkFile, work: WorkFile) -> str:
    """Say in what two works differ.

    Args:
        begun: what is there.
        work: what is wanted.

    Returns:
        As "blocks 20, not 40; tokenizer digest 0a1b2c3d, not 4e5f6a7b".
    """
    if begun.kind != work.kind:
        return f"{begun.kind}, not {work.kind}"
    keys = sorted(k for k in {*begun.plan, *work.plan} if begun.plan.get(k) != work.plan.get(k))
    return "; ".join(_apart(key, begun.plan.get(key), work.plan.get(key)) for key in keys)


def _apart(key: str, there: object, wanted: object) -> str:
    name = key.replace("_", " ")
    if key.endswith("digest"):
        return f"{name} {brief(Digest(str(there or '')))}, not {brief(Digest(str(wanted or '')))}"
    if isinstance(there, str | int | float) and isinstance(wanted, str | int | float):
        return f"{name} {there}, not {wanted}"
    return f"another {name}"


def write_result(directory: Path, result: dict[str, Any]) -> None:
    """Write what `WorkPlan.finish` returned.

    Args:
        directory: the work directory.
        result: plain JSON values.
    """
    write_atomic(directory / RESULT_NAME, msgspec.json.encode(result))


def read_result(directory: Path) -> dict[str, Any]:
    """Read what `WorkPlan.finish` returned.

    Args:
        directory: the work directory of finished work.

    Returns:
        The result.

    Raises:
        CorruptData: it is damaged.
        StorageError: it cannot be read.
    """
    path = directory / RESULT_NAME
    with explained("read the result", path):
        data = path.read_bytes()
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptData(f"{path} is damaged ({error})") from error
