"""Which device and compute type a run uses, and what of the machine its bits depend on."""

import torch

from qmpi.config.train import TrainSettings
from qmpi.errors import UserError


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
        `torch.float32`, `torch.bfloat16` or `torch.float16`.
    """
    if settings.precision == "float16":
        return torch.float16
    native = settings.precision == "auto" and computes_bfloat16(device)
    return torch.bfloat16 if native or settings.precision == "bfloat16" else torch.float32


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
