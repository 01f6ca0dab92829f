"""Start the work of a farm under supervision, or go on with it.

Theory of operation. The supervisor is that of training: it starts the MPI job again when all of it
died, a bounded number of times. The same command given again finds `work.json`
(`storage.work_file`), and goes on if the work is the same.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.errors import ConfigError
from qmpi.launch.mpirun import LaunchPlan, find_mpirun, rank_environment
from qmpi.launch.supervisor import Supervision, SupervisorEvent, supervise
from qmpi.protocol.status import EndMarker
from qmpi.runtime.clock import Clock
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.work_file import WORK_NAME, WorkFile, read_work
from qmpi.units import Digest, brief


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
