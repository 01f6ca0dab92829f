"""The directory of a tuning: its record, and the proxies that it has trained."""

from pathlib import Path

from qmpi.config.identity import differences
from qmpi.config.load import parse_job
from qmpi.errors import ConfigError, InputError, LaunchError
from qmpi.launch.tuning.prepare import Prepared
from qmpi.protocol.evaluation import Evaluation
from qmpi.protocol.journal import EvaluationDone, EvaluationMissed
from qmpi.protocol.tuning import TuningOpened
from qmpi.storage.journal import read_journal
from qmpi.storage.os_errors import explained
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.tuning_file import TuningFile

JOURNAL = "tuning.jsonl"
LOCK = "lock"


def make_folder(folder: Path) -> None:
    """Make the directory, or see that it is one of a tuning.

    Args:
        folder: any path.

    Raises:
        InputError: it holds something else.
        StorageError: it cannot be made.
    """
    with explained("make the directory of the tuning", folder):
        folder.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in folder.iterdir()} - {LOCK}
    if names and JOURNAL not in names:
        raise InputError(f"{folder} holds other files, as {min(names)!r}: name a new directory")


def proxy_directory(folder: Path, name: str) -> RunDirectory:
    """Return where a proxy is trained.

    Args:
        folder: of the tuning.
        name: of the proxy.
    """
    return RunDirectory(folder / "proxies" / name)


def check_same(file: TuningFile, prepared: Prepared) -> None:
    """Refuse to go on with the tuning of another job.

    Args:
        file: its record, not empty.
        prepared: what is to be done.

    Raises:
        ConfigError: it is of another job, or was begun with other options.
        InputError: it is no record of a tuning.
    """
    opened = file.records[0]
    if not isinstance(opened, TuningOpened):
        raise InputError(f"{file.path} does not begin as a tuning does: name another directory")
    asked = prepared.asked
    apart = list(differences(parse_job(opened.job), prepared.settings))
    if opened.kind != prepared.kind:
        apart.append(f'curriculum.kind is "{opened.kind}", not "{prepared.kind}"')
    for name, was, now in (
        ("--candidates", len(opened.candidates), asked.candidates),
        ("--proxy-width", opened.width, asked.width),
        ("--seeds", opened.seeds, asked.seeds),
    ):
        if was != now:
            apart.append(f"{name} is {was}, not {now}")
    if apart or opened.candidates != prepared.candidates:
        told = apart[0] if apart else "its candidates are those of another version of qmpi"
        raise ConfigError(f"{file.path} is another tuning: {told}; name another directory")


def last_evaluation(run: RunDirectory, step: int) -> Evaluation:
    """Return what a finished run has measured at its end.

    Args:
        run: its directory.
        step: at which it ended.

    Returns:
        The newest evaluation of that step.

    Raises:
        LaunchError: there is none, and why.
        StorageError: the journal cannot be read, or is damaged.
    """
    found: Evaluation | None = None
    missed = "its journal has none"
    for record in read_journal(run.journal):
        if isinstance(record, EvaluationDone) and record.step == step:
            found = record.result
        elif isinstance(record, EvaluationMissed) and record.step == step:
            missed = record.reason
    if found is None:
        raise LaunchError(f"{run.root} was not measured at its end: {missed}")
    return found
