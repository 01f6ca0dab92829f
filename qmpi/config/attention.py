"""What layers of a model may see of a sequence: windows, sinks, positions; and what contradicts.

Theory of operation. Torch, planner and checks must agree on which layer has which window and on how
many keys its queries see; both are said here, without torch.
"""

from collections.abc import Iterator
from itertools import cycle, islice

from qmpi.config.model import ModelSettings

FULL = "f"
WINDOWED = "w"


def layer_windows(model: ModelSettings) -> tuple[int, ...]:
    """Return how many tokens each layer's queries see, themselves included; 0: all before them.

    Args:
        model: its shape.
    """
    pattern = (model.window_pattern or WINDOWED) if model.window else FULL
    letters = islice(cycle(pattern), model.layers)
    return tuple(model.window if letter == WINDOWED else 0 for letter in letters)


def keys_twice(tokens: int, window: int, sinks: int) -> int:
    """Return twice the keys that a query of a sequence sees on average.

    Twice, since the mean of full causal attention counts as half the sequence.

    Args:
        tokens: of the sequence.
        window: of the layer; 0: none.
        sinks: first tokens that are seen beside the window.

    Returns:
        A whole number, rounded down; `tokens` without a window.
    """
    if not 0 < window < tokens:
        return tokens
    # A query sees all before it, up to as many as sinks and window hold together.
    reach = min(window + sinks, tokens)
    return min(tokens, (2 * reach * tokens - reach * reach) // tokens)


def attention_faults(model: ModelSettings, sequence_tokens: int) -> Iterator[str]:
    """List what contradicts in the fields of attention.

    Args:
        model: section of the job file.
        sequence_tokens: length of the sequences that it is trained on.

    Yields:
        One sentence each.
    """
    if not model.window:
        for name in ("window_pattern", "sinks"):
            value = getattr(model, name)
            if value:
                yield f"model.{name} = {value!r} needs windows: set model.window"
    elif model.window_pattern and WINDOWED not in model.window_pattern:
        yield (
            f"model.window_pattern = {model.window_pattern!r} has no windowed layer: add a "
            f"{WINDOWED!r}, or set model.window = 0"
        )
    elif len(model.window_pattern) > model.layers:
        yield (
            f"model.window_pattern = {model.window_pattern!r} is longer than the "
            f"model.layers = {model.layers} that it is for"
        )
    if model.window and model.sinks and model.window + model.sinks >= sequence_tokens:
        yield (
            f"model.window = {model.window} and model.sinks = {model.sinks} hide nothing in "
            f"sequences of train.sequence_tokens = {sequence_tokens}: less of both, or longer "
            "sequences, or model.sinks = 0"
        )
    yield from _positions(model, sequence_tokens)


def _positions(model: ModelSettings, sequence_tokens: int) -> Iterator[str]:
    kind, factor, original = model.rope_scaling, model.rope_factor, model.rope_original_tokens
    if kind == "none":
        if factor != 1.0 or original:
            yield (
                f"model.rope_factor = {factor:g} and model.rope_original_tokens = {original} need "
                'model.rope_scaling = "linear", "llama3" or "yarn"'
            )
        return
    if factor == 1.0:
        yield f'model.rope_scaling = "{kind}" needs model.rope_factor above 1'
    if not original:
        yield (
            f'model.rope_scaling = "{kind}" needs model.rope_original_tokens: the length of the '
            "sequences that the weights were trained on before"
        )
    elif sequence_tokens > original * factor:
        yield (
            f"train.sequence_tokens = {sequence_tokens} is longer than what positions reach: "
            f"model.rope_original_tokens = {original} times model.rope_factor = {factor:g}; raise "
            "the factor"
        )
