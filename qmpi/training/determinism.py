"""Kernels that give the same bits each time, or refuse."""

import torch


def refuse_chance(*, only_warn: bool) -> None:
    """Let torch use deterministic kernels alone, from now on in this process.

    Args:
        only_warn: where it has none, it warns; else it refuses.
    """
    # Filling fresh memory costs time and only hides kernels that read what nobody wrote.
    deterministic = torch.utils.deterministic
    deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    # What `torch.use_deterministic_algorithms` does, less its import of torch's compiler: that
    # takes seconds of each rank's start. The compiler is told by its own options.
    refuse = torch._C._set_deterministic_algorithms  # noqa: SLF001
    refuse(True, warn_only=only_warn)  # noqa: FBT003
