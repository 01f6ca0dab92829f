"""Numbers that codecs are set beside: weights, gradients and moments of a small trained model."""

import torch
from small_model import ROWS, TOKENS_A_STEP, SmallModel, rows_of

_STEPS = 100


def trained(tokenizer, texts):
    """Train a small model for a while; return what it has of each kind, float32, by name."""
    model = SmallModel(tokenizer.size, seed=1)
    rows = rows_of(tokenizer, texts[:400], tokens=_STEPS * TOKENS_A_STEP)
    matrices = [p for p in model.model.parameters() if p.ndim == 2]
    adam = torch.optim.AdamW(model.model.parameters(), 1e-3, (0.9, 0.95), fused=True)
    for batch in rows.split(ROWS):
        adam.zero_grad()
        model.model.loss(batch[:, :-1], batch[:, 1:]).backward()
        adam.step()
    return {
        "weights": _flat(matrices),
        "gradients": _flat([p.grad for p in matrices]),
        "first moments": _flat([adam.state[p]["exp_avg"] for p in matrices]),
        "second moments": _flat([adam.state[p]["exp_avg_sq"] for p in matrices]),
    }


def _flat(tensors):
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def floats(state):
    """Return arrays by kind: float32 as it is, bfloat16 as its bits."""
    narrow = {"weights", "gradients"}
    plain = {f"{name}, float32": values.numpy() for name, values in state.items()}
    bits = {
        f"{name}, bfloat16": state[name].bfloat16().view(torch.int16).numpy() for name in narrow
    }
    return dict(sorted({**plain, **bits}.items()))
