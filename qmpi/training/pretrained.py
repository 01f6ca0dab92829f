"""Weights from outside become the state of a run; what is trained is what was checked."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from qmpi.config.model import ModelSettings
from qmpi.config.settings import InitialSettings, Settings
from qmpi.errors import InputError, QmpiError
from qmpi.model.initial import initial_value
from qmpi.model.partition import Cut, Partition
from qmpi.model.shape import ahead_shapes, parameter_shapes
from qmpi.storage.safetensors_file import read_weights
from qmpi.training.flat_state import FlatState
from qmpi.training.initial_weights import fitting, hashed
from qmpi.units import Digest, brief

TYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}


def first_weights(state: FlatState, settings: Settings, part: Partition) -> None:
    """Give a state its initial weights: the job's; those of the seed where it has none.

    Ahead modules are not in weights from outside, so they begin from the seed.

    Args:
        state: of the model; the rest of it stays as it is.
        settings: the job.
        part: of the model that the state is of.

    Raises:
        QmpiError: as of `load_weights`.
    """
    model, given = settings.model, settings.initial.weights
    drawn = ahead_shapes(model) if given else parameter_shapes(model)
    for slot in state.layout.slots:
        if slot.name in drawn:
            _draw(slot.name, state.view(slot), settings, part.cuts[slot.name])
    if given:
        load_weights(state, settings.initial, model, part)


def _draw(name: str, own: Tensor, settings: Settings, cut: Cut) -> None:
    """Draw a parameter, whole in whatever parts it is held, and keep the part."""
    if cut.is_whole:
        initial_value(name, own, settings.model, settings.job.seed)
        return
    whole = torch.empty(cut.shape, dtype=own.dtype)
    initial_value(name, whole, settings.model, settings.job.seed)
    own.copy_(whole[cut.index])


def load_weights(
    state: FlatState, initial: InitialSettings, model: ModelSettings, part: Partition
) -> None:
    """Take over weights from outside; the rest of the state stays as it is.

    Args:
        state: of the model; holds no state any more if this fails.
        initial: where the weights are, and their digest.
        model: its shape, whole.
        part: of it that the state is of.

    Raises:
        QmpiError: they are not there, do not fit, are not those that were meant, or cannot be read.
    """
    path = Path(initial.weights)
    slots = {slot.name: slot for slot in state.layout.slots}
    sha = hashlib.sha256()
    try:
        entries = read_weights(path)
        for name, raw in hashed(entries, fitting(entries, model, path), sha):
            # A writable copy: torch warns of read-only memory.
            values = torch.frombuffer(bytearray(raw), dtype=TYPES[entries[name].type])
            cut = part.cuts[name]
            state.view(slots[name]).copy_(values.view(cut.shape)[cut.index])
        _check_digest(Digest(sha.hexdigest()), initial)
    except QmpiError:
        state.forget()
        raise


def _check_digest(found: Digest, initial: InitialSettings) -> None:
    if found != initial.digest:
        raise InputError(
            f"the weights in {initial.weights} are others ({brief(found)}) than initial.digest "
            f"says ({brief(Digest(initial.digest))}): bring back those, or begin another run with "
            "`qmpi import`"
        )
