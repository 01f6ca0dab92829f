"""Weights from outside: do they fit a model, and which are they? Without torch, on any host.

Theory of operation. The digest covers name, shape, type and bytes of each parameter that the model
has, in the order of `parameter_shapes`; not the files, so weights that are split into other files
keep it.

Weights with a value that is NaN or infinite are refused where the digest is made: a run that began
with them could only skip its updates.
"""

import hashlib
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path

import numpy as np

from qmpi.config.model import ModelSettings
from qmpi.errors import InputError
from qmpi.model.shape import bias_shapes, parameter_shapes, without_ahead
from qmpi.storage.safetensors_file import TensorEntry, read_weights, tensor_bytes
from qmpi.units import Digest

USABLE = ("F32", "BF16", "F16")
"""Types that become float32 without loss."""

HEAD, TABLE = "lm_head.weight", "model.embed_tokens.weight"
_DERIVED = ".rotary_emb.inv_freq"
"""Ending of tensors that old files hold and that follow from the settings."""

_EXPONENTS = {"F32": ("<u4", 0x7F800000), "BF16": ("<u2", 0x7F80), "F16": ("<u2", 0x7C00)}
"""By type: its words, and the bits that are all set in a NaN or an infinity alone."""

_PIECE = 1 << 20

NAMED = 3
"""Tensors that a message names before it counts the rest."""


def fitting(entries: Mapping[str, TensorEntry], model: ModelSettings, path: Path) -> list[str]:
    """Check that weights are those of a model.

    Args:
        entries: tensors by name.
        model: its shape.
        path: of the weights, for messages.

    Returns:
        Names of the parameters, in the order of `parameter_shapes`, and of biases of experts; those
        of ahead modules are not among them.

    Raises:
        InputError: one is missing, of another shape or of a type without use, or one is left over.
    """
    model = without_ahead(model)
    shapes = parameter_shapes(model)
    if model.router == "sigmoid":
        # Biases are no parameters, but files of such models hold them.
        shapes |= {name: s for name, s in bias_shapes(model).items() if name in entries}
    missing = [name for name in shapes if name not in entries]
    known = {*shapes, HEAD} if model.tied_head else set(shapes)
    extra = [name for name in entries if name not in known and not name.endswith(_DERIVED)]
    for names, what in ((missing, "lack"), (extra, "have, beyond what the model has,")):
        if names:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            raise InputError(f"the weights in {path} {what} {', '.join(names[:NAMED])}{more}")
    for name, shape in shapes.items():
        entry = entries[name]
        if entry.shape != shape:
            raise InputError(
                f"{name} in {path} has the shape {list(entry.shape)}; [model] wants {list(shape)}"
            )
        if entry.type not in USABLE:
            raise InputError(
                f"{name} in {path} is of type {entry.type}; {', '.join(USABLE)} can be used"
            )
    return list(shapes)


def check_weights(path: Path, model: ModelSettings) -> None:
    """Check by their headers that weights are those of a model.

    Args:
        path: as of `read_weights`.
        model: its shape.

    Raises:
        InputError: they are not there, or do not fit.
        StorageError: they are damaged or cannot be read.
    """
    fitting(read_weights(path), model, path)


def weights_digest(path: Path, model: ModelSettings) -> Digest:
    """Return the digest of weights.

    Args:
        path: as of `read_weights`.
        model: shape of the model that they are of.

    Returns:
        SHA-256 over all parameters.

    Raises:
        InputError: they do not fit the model, a tied head differs from the embedding, or a value is
            NaN or infinite.
        StorageError: they are damaged or cannot be read.
    """
    entries = read_weights(path)
    names = fitting(entries, model, path)
    if model.tied_head and HEAD in entries:
        head, table = (entries[name] for name in (HEAD, TABLE))
        if (head.type, head.shape) != (table.type, table.shape) or (
            tensor_bytes(head) != tensor_bytes(table)
        ):
            raise InputError(
                f"config.json says tie_word_embeddings, but {HEAD} in {path} differs from {TABLE}"
            )
    sha, bad = hashlib.sha256(), dict[str, int]()
    for name, raw in hashed(entries, names, sha):
        if count := count_not_finite(entries[name].type, raw):
            bad[name] = count
    if bad:
        raise InputError(_told_not_finite(path, entries, bad))
    return Digest(sha.hexdigest())


def count_not_finite(kind: str, raw: memoryview) -> int:
    """Count the values of a tensor that are NaN or infinite.

    Args:
        kind: type of its elements, one of `USABLE`.
        raw: its bytes, little-endian.

    Returns:
        How many.
    """
    word, exponent = _EXPONENTS[kind]
    # By pieces: of a whole embedding the comparison alone would take as much memory as the tensor.
    values, count = np.frombuffer(raw, word), 0
    for first in range(0, values.size, _PIECE):
        piece = values[first : first + _PIECE]
        count += int(np.count_nonzero((piece & exponent) == exponent))
    return count


def _told_not_finite(path: Path, entries: Mapping[str, TensorEntry], bad: dict[str, int]) -> str:
    named = ", ".join(
        f"{count:,} of {prod(entries[name].shape):,} in {name}"
        for name, count in list(bad.items())[:NAMED]
    )
    more = f" and in {len(bad) - NAMED} more tensors" if len(bad) > NAMED else ""
    return (
        f"the weights in {path} have values that are NaN or infinite: {named}{more}; such a model "
        "cannot be trained on: take a sound copy, or an earlier checkpoint of it"
    )


def hashed(
    entries: Mapping[str, TensorEntry], names: list[str], sha: "hashlib._Hash"
) -> Iterator[tuple[str, memoryview]]:
    """Read parameters, and let a digest follow.

    Args:
        entries: tensors by name.
        names: of the parameters, from `fitting`.
        sha: takes what the digest covers.

    Yields:
        Name and bytes of each.

    Raises:
        StorageError: they cannot be read.
    """
    for name in names:
        entry = entries[name]
        raw = tensor_bytes(entry)
        sha.update(f"{name}\0{entry.type}\0{list(entry.shape)}\0".encode())
        sha.update(raw)
        yield name, raw
