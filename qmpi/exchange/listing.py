"""The checkpoints of a run, one by one: parts, whole or not, digests."""

from pathlib import Path

from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.errors import StorageError
from qmpi.exchange.checkpoint import (
    Tell,
    checkpoint_steps,
    files_of,
    read_parts,
    run_id_of,
    run_settings,
)
from qmpi.policy.reshaping import layout_text
from qmpi.storage.run_directory import RunDirectory
from qmpi.units import Bytes, Digest, Step


class CheckpointLine(Struct, frozen=True):
    """A checkpoint among others.

    Attributes:
        step: weights are those before this step.
        layout: in words.
        parts: files that are there, one for each position of a team.
        of: files that make it whole.
        bytes: of the state; 0 if it is not whole.
        weights: digest of the weights, as the journal has it; "" if it is not whole.
        state: digest of the unsharded state, which no layout changes; "" likewise.
        fault: why it is not whole, in words; "" if it is.
    """

    step: Step
    layout: str
    parts: int
    of: int
    bytes: Bytes = Bytes(0)
    weights: Digest = Digest("")
    state: Digest = Digest("")
    fault: str = ""


def list_checkpoints(run: Path, tell: Tell) -> tuple[CheckpointLine, ...]:
    """Read all checkpoints of a run.

    Args:
        run: its directory; it may be going on.
        tell: told if the journal is damaged.

    Returns:
        One line each, ascending by step; damage is told, not raised.

    Raises:
        InputError: there is no run.
        StorageError: its directory cannot be listed.
    """
    directory, settings = RunDirectory(run), run_settings(run)
    run_id = run_id_of(directory, tell)
    return tuple(_line(directory, settings, step, run_id) for step in checkpoint_steps(directory))


def _line(directory: RunDirectory, settings: Settings, step: Step, run_id: str) -> CheckpointLine:
    # Loaded here: torch takes seconds, and a wrong argument should be told at once.
    from qmpi.training.whole_state import WholeState

    parallel = settings.parallel
    layout = layout_text(parallel)
    files = files_of(directory, step, parallel.team_size)
    there = sum(path.exists() for path in files)
    try:
        found = read_parts(files, run_id)
        whole = WholeState(settings, found.payloads)
        size = Bytes(sum(payload.nbytes for payload in found.payloads))
        digests = whole.weight_digest(step), whole.digest()
    except StorageError as error:
        return CheckpointLine(step, layout, there, len(files), fault=str(error))
    return CheckpointLine(step, layout, there, len(files), size, *digests)
