"""Text from a trained model: a plain loop without a key-value cache, for looking at a run."""

import torch

from qmpi.config.settings import Settings
from qmpi.model.transformer import Transformer
from qmpi.training.flat_state import FlatState, state_layout
from qmpi.training.lanes import Block


def load_model(settings: Settings, payload: Block) -> Transformer:
    """Build a model with the weights of a snapshot, on the CPU.

    Args:
        settings: the job that made the snapshot.
        payload: its state.

    Returns:
        The model, for inference.
    """
    model = Transformer(settings.model)
    state = FlatState(state_layout(settings), torch.device("cpu"))
    state.adopt(model)
    state.load(payload)
    return model.requires_grad_(requires_grad=False).eval()


@torch.no_grad()
def generate(
    model: Transformer,
    ids: list[int],
    count: int,
    temperature: float,
    seed: int,
    window: int = 1024,
) -> list[int]:
    """Continue a sequence.

    Args:
        model: from `load_model`.
        ids: the prompt, at least one token.
        count: tokens to add.
        temperature: 0: the likeliest token; else the logits are divided by it.
        seed: of the draws.
        window: tokens of context that the model sees.

    Returns:
        The new tokens.
    """
    generator = torch.Generator().manual_seed(seed)
    known = list(ids)
    for _ in range(count):
        logits = model(torch.tensor([known[-window:]]))[0, -1].float()
        if temperature > 0:
            # Largest first set to 0, in float64: a tiny temperature must not make inf - inf.
            scaled = (logits - logits.max()).double() / temperature
            chances = torch.softmax(scaled, dim=-1)
            known.append(int(torch.multinomial(chances, 1, generator=generator)))
        else:
            known.append(int(logits.argmax()))
    return known[len(ids) :]
