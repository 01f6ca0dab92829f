"""A checkpoint of a run as a model that other programs load: `qmpi export`.

Theory of operation. Names, shapes and orientation of the parameters are those that `transformers`
wants, so weights are copied one by one, each let go before the next: a model takes the room of its
largest parameter. What cannot be done is found before the first byte is written.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.corpora.tokenizer import check_rows, open_tokenizer
from qmpi.errors import InputError
from qmpi.exchange.checkpoint import Tell, read_checkpoint, run_settings, with_all_sources
from qmpi.exchange.folder import OwnFiles, check_folder, new_folder
from qmpi.exchange.hugging_face import CONFIG, model_config
from qmpi.exchange.mixtures import why_not
from qmpi.exchange.model_card import Origin, bias_text, model_card
from qmpi.exchange.reach import check_export
from qmpi.model.shape import BIAS, bias_shapes, parameter_count, parameter_shapes, without_ahead
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.end_token import DECLARATION_NAME
from qmpi.storage.safetensors_file import (
    INDEX,
    ONE_FILE,
    NewTensor,
    encode_index,
    write_tensors,
)
from qmpi.units import Bytes, Digest, Step

if TYPE_CHECKING:
    from qmpi.storage.tokenizer import Tokenizer
    from qmpi.training.snapshot_weights import SnapshotWeights

Precision = Literal["float32", "bfloat16"]

SHARD_BYTES = Bytes(5_000_000_000)
"""Largest file of weights by default; what such models usually come in."""

OWN = OwnFiles(
    (
        *(ONE_FILE, "model-*-of-*.safetensors", INDEX, CONFIG, "generation_config.json"),
        *("tokenizer.json", DECLARATION_NAME, "README.md"),
    ),
    CONFIG,
)
"""What an export is known by."""

_TYPES: dict[Precision, str] = {"float32": "F32", "bfloat16": "BF16"}


class Form(Struct, frozen=True):
    """How to export.

    Attributes:
        dtype: of the numbers.
        shard_bytes: largest file of weights, >= 1; a parameter that is larger has one of its own.
        replace: replace an older export.
        drop_bias: leave biases of experts away where the model that is written has none.
    """

    dtype: Precision = "float32"
    shard_bytes: int = SHARD_BYTES
    replace: bool = False
    drop_bias: bool = False


class Exported(Struct, frozen=True):
    """What was exported.

    Attributes:
        directory: where it is.
        step: weights are those before this step.
        digest: of the weights, as the run's journal has it.
        files: of weights.
        bytes: of weights.
        dropped_bias: largest spread of the biases of experts of a layer, if they were left away:
            tokens go to other experts where scores lie less far apart; 0: none were.
        left_out: parameters of ahead modules, which no such model has.
    """

    directory: Path
    step: Step
    digest: Digest
    files: int
    bytes: int
    dropped_bias: float = 0.0
    left_out: int = 0


def export_run(
    run: Path, target: Path, step: int | None, form: Form, *, cache: Path, tell: Tell
) -> Exported:
    """Write the weights of a checkpoint as a Hugging Face model.

    Args:
        run: directory of the run; it may be going on.
        target: directory to make.
        step: of the checkpoint; None: the newest that is whole.
        form: how.
        cache: directory of built-in corpora.
        tell: told if newer checkpoints are passed over, or biases left away.

    Returns:
        What was written.

    Raises:
        InputError: no run, no checkpoint, no tokenizer for the model, or the target is taken.
        StorageError: damage, no room, no permission; nothing is left behind.
    """
    settings = run_settings(run)
    check_export(settings)
    check_folder(target, OWN, replace=form.replace)
    reason = why_not(settings.model)
    if reason:
        raise InputError(f"{run} cannot be exported: {reason}")
    tokenizer = open_tokenizer(settings, cache)
    check_rows(settings, tokenizer)
    checkpoint = read_checkpoint(run, settings.parallel.team_size, step, tell)
    # Loaded here: torch takes seconds, and a wrong argument should be told at once.
    from qmpi.training.snapshot_weights import SnapshotWeights

    weights = SnapshotWeights(settings, checkpoint.payloads)
    trained = parameter_count(settings.model)
    settings = replace(settings, model=without_ahead(settings.model))
    left_out = trained - parameter_count(settings.model)
    dropped = _dropped_bias(settings, weights, checkpoint.step, form)
    if dropped:
        tell(f"biases of experts are left away: {bias_text(dropped)}")
    files = shard(settings, form)
    size = sum(tensor.size for tensors in files.values() for tensor in tensors)
    made_by, at = checkpoint.run_id, checkpoint.step
    origin = Origin(made_by, at, weights.digest(at), checkpoint.digest, form.dtype, dropped)
    with new_folder(target, Bytes(size), OWN, replace=form.replace) as part:
        for name, tensors in files.items():
            data = (weights.encoded(tensor.name, _type_of(tensor.name, form)) for tensor in tensors)
            write_tensors(part / name, tensors, data)
        if len(files) > 1:
            write_atomic(part / INDEX, encode_index(files))
        _describe(part, with_all_sources(settings, run), tokenizer, origin)
    told = (len(files), size, dropped, left_out)
    return Exported(target, checkpoint.step, origin.weights, *told)


def shard(settings: Settings, form: Form) -> dict[str, list[NewTensor]]:
    """Deal the parameters to files.

    Args:
        settings: the job.
        form: type, and size of the largest file.

    Returns:
        Parameters by name of the file, in the order of the model.
    """
    groups: list[list[NewTensor]] = [[]]
    held = 0
    model = settings.model
    biases = bias_shapes(model) if model.router == "sigmoid" else {}
    for name, shape in {**parameter_shapes(model), **biases}.items():
        tensor = NewTensor(name, _TYPES[_type_of(name, form)], shape)
        if groups[-1] and held + tensor.size > form.shard_bytes:
            groups.append([])
            held = 0
        groups[-1].append(tensor)
        held += tensor.size
    if len(groups) == 1:
        return {ONE_FILE: groups[0]}
    return {
        f"model-{number:05d}-of-{len(groups):05d}.safetensors": group
        for number, group in enumerate(groups, 1)
    }


def _type_of(name: str, form: Form) -> Precision:
    # A bias that is rounded would choose other experts.
    return "float32" if name.endswith(BIAS) else form.dtype


def _dropped_bias(settings: Settings, weights: "SnapshotWeights", step: int, form: Form) -> float:
    model = settings.model
    if model.router == "sigmoid":
        return 0.0
    biases = [weights.parameter(name) for name in bias_shapes(model)]
    spread = max((float(bias.max() - bias.min()) for bias in biases), default=0.0)
    if spread and not form.drop_bias:
        raise InputError(
            f"the weights of step {step} still have biases of experts, which a Qwen3-MoE has not: "
            f"they fade until the run ends at step {settings.train.steps}; export that, or leave "
            f"them away with --drop-expert-bias: {bias_text(spread)}"
        )
    return spread


def _describe(part: Path, settings: Settings, tokenizer: "Tokenizer", origin: Origin) -> None:
    length, end = settings.train.sequence_tokens, tokenizer.end_of_text
    files: dict[str, object] = {
        CONFIG: model_config(settings.model, length, end, origin.dtype),
        "generation_config.json": {"eos_token_id": end, "pad_token_id": end},
        DECLARATION_NAME: {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": tokenizer.end_token,
            "model_max_length": length,
            "clean_up_tokenization_spaces": False,
        },
    }
    for name, fields in files.items():
        text = msgspec.json.format(msgspec.json.encode(fields), indent=2)
        write_atomic(part / name, text + b"\n")
    write_atomic(part / "tokenizer.json", tokenizer.plain_bytes())
    write_atomic(part / "README.md", model_card(settings, origin).encode())
