"""Which device and compute type a run uses, and what of the machine its bits depend on."""

import logging

import torch

from qmpi.config.train import TrainSettings
from qmpi.errors import UserError
from qmpi.model.fused import float8
from qmpi.model.layer import Kernels, choose_kernels
from qmpi.training.comm.line import Gpu

logger = logging.getLogger(__name__)

FLOAT8_CAPABILITY = (8, 9)
"""Of the first GPUs that multiply float8: Ada."""


def choose_device(settings: TrainSettings, number: int = 0) -> torch.device:
    """Choose the device.

    Args:
        settings: `device` is "auto", "cpu" or "cuda".
        number: of the rank among those of its host that compute; they take the GPUs in turn, and
            share them if there are fewer.

    Returns:
        The device.

    Raises:
        UserError: CUDA is asked for and absent.
    """
    present = torch.cuda.is_available()
    if settings.device == "cuda" and not present:
        raise UserError('[train] device = "cuda", but torch sees no CUDA device; use "auto"')
    use = present if settings.device == "auto" else settings.device == "cuda"
    return torch.device("cuda", number % torch.cuda.device_count()) if use else torch.device("cpu")


def computes_bfloat16(device: torch.device) -> bool:
    """Return whether the device multiplies bfloat16 matrices natively."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16"))


def choose_precision(settings: TrainSettings, device: torch.device) -> torch.dtype:
    """Choose the type that matrices are multiplied in.

    Args:
        settings: `precision`.
        device: where the model computes.

    Returns:
        `torch.float32`, `torch.bfloat16` or `torch.float16`; with "float8", whose products give it,
        bfloat16.

    Raises:
        UserError: float8 is asked for on a GPU that does not multiply it.
    """
    if settings.precision == "float8":
        refuse_without_float8(device)
        return torch.bfloat16
    if settings.precision == "float16":
        return torch.float16
    native = settings.precision == "auto" and computes_bfloat16(device)
    return torch.bfloat16 if native or settings.precision == "bfloat16" else torch.float32


def refuse_without_float8(device: torch.device) -> None:
    """Let no GPU begin that does not multiply float8; a CPU stands in for one, slowly.

    Args:
        device: where the model computes.

    Raises:
        UserError: it is such a GPU.
    """
    if device.type == "cpu":
        logger.warning(
            "a CPU multiplies float8 as float32, rounded alike: to try a job, not to be fast"
        )
        return
    if torch.cuda.get_device_capability(device) < FLOAT8_CAPABILITY:
        raise UserError(
            f'[train] precision = "float8", but {torch.cuda.get_device_name(device)} does not '
            "multiply float8; GPUs from Ada (L4, L40, RTX 40) and Hopper (H100, H200) on do: begin "
            'a run with train.precision = "bfloat16"'
        )


def gpu_of(device: torch.device) -> Gpu | None:
    """Return a device as lines know it; None: it is no GPU.

    Args:
        device: from `choose_device`.
    """
    if device.type != "cuda":
        return None
    return Gpu(device, str(torch.cuda.get_device_properties(device).uuid))


def choose_parts(settings: TrainSettings, device: torch.device, *, compiled: bool) -> Kernels:
    """Choose the parts of a job's layers.

    Args:
        settings: length of a sequence, and `precision`.
        device: where they compute.
        compiled: a compiler will fuse what is plain.

    Returns:
        The parts.
    """
    parts = choose_kernels(device, settings.sequence_tokens, compiled=compiled)
    return parts._replace(product=float8.linear) if settings.precision == "float8" else parts


def precision_name(settings: TrainSettings, precision: torch.dtype) -> str:
    """Name the type that matrices are multiplied in.

    Args:
        settings: `precision`.
        precision: from `choose_precision`.

    Returns:
        Such as "bfloat16"; "float8 in bfloat16" where the products of layers are in float8.
    """
    name = str(precision).removeprefix("torch.")
    return f"float8 in {name}" if settings.precision == "float8" else name


def update_precision(precision: torch.dtype) -> torch.dtype:
    """Return the type that Muon computes in: float16 would lose the small ones of its squares.

    Args:
        precision: that matrices are multiplied in.
    """
    return torch.float32 if precision == torch.float16 else precision


def refuse_short_sums(precision: torch.dtype) -> None:
    """Have a GPU add up products of float16 in float32: a sum of many may be beyond float16.

    Args:
        precision: that matrices are multiplied in.
    """
    if precision == torch.float16:
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False


def machine_identity(device: torch.device) -> str:
    """Return what of the device the bits depend on: its model, or the CPU's vector extensions."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    able = torch.cpu.get_capabilities()
    names = "+".join(sorted(name for name, present in able.items() if present is True))
    return f"{torch.backends.cpu.get_cpu_capability()} {names}"
