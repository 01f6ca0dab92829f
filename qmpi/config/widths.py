"""Hidden sizes of feed-forward parts, where the job file leaves them to the width."""

from qmpi.config.model import ModelSettings

FFN_MULTIPLE = 64
"""The default hidden size is rounded up to this, so that matrix kernels see whole tiles."""

EXPERT_MULTIPLE = 32
"""The default hidden size of an expert is rounded up to this."""


def ffn_width(settings: ModelSettings) -> int:
    """Return the hidden size of SwiGLU.

    Args:
        settings: shape of the model; `ffn_width` 0 stands for 8/3 of the width.

    Returns:
        Hidden features.
    """
    if settings.ffn_width:
        return settings.ffn_width
    return -(-8 * settings.width // (3 * FFN_MULTIPLE)) * FFN_MULTIPLE


def expert_width(settings: ModelSettings) -> int:
    """Return the hidden size of an expert.

    Args:
        settings: shape of the model; `expert_width` 0 shares the features of a dense layer among
            the experts that a token passes through.

    Returns:
        Hidden features.
    """
    if settings.expert_width:
        return settings.expert_width
    used = settings.experts_per_token + settings.shared_experts
    return -(-ffn_width(settings) // (used * EXPERT_MULTIPLE)) * EXPERT_MULTIPLE
