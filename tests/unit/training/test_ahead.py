"""Ahead modules: their losses and gradients, against plain torch in float64 and token by token."""

import pytest
import torch
from msgspec.structs import replace
from torch.nn import functional
from unit.training.small_job import LANES, alone, job, run
from unit.training.test_backprop import CPU, gradients, reference

from qmpi.config.model import ModelSettings
from qmpi.model.ahead import shifted, with_target
from qmpi.model.bands import starts
from qmpi.training.backprop import Backprop

DIVIDER = 3
WEIGHT = 0.4
SHAPES = {
    "one": {"predict_ahead": 1},
    "three": {"predict_ahead": 3, "layers": 1},
    "untied": {"predict_ahead": 2, "tied_head": False, "kv_heads": 4, "qk_norm": False},
    "documents": {"predict_ahead": 2},
    "documents, windows": {"predict_ahead": 2, "window": 3, "window_pattern": "fw"},
}


def settings_of(model, **train):
    shape = {"vocab_size": 256, "layers": 2, "width": 32, "heads": 4, "kv_heads": 2,
             "init_std": 0.2, **model}  # fmt: skip
    changed = replace(job().train, ahead_weight=WEIGHT, **train)
    return replace(job(), model=ModelSettings(**shape), train=changed)


def drawn_ids(settings, *, documents):
    train = settings.train
    shape = (train.sequences, train.sequence_tokens + 1)
    ids = torch.randint(4, 256, shape, generator=torch.Generator().manual_seed(5))
    if documents:
        ids[0, 4] = ids[0, 6] = ids[0, 11] = ids[1, 0] = ids[1, 14] = ids[1, 16] = DIVIDER
    return ids


def norm(x, weight, epsilon=1e-6):
    return x / (x.square().mean(-1, keepdim=True) + epsilon).sqrt() * weight


def turned(x, place):
    """[T, heads, D], each pair (i, i + D/2) by its angle."""
    half = x.shape[-1] // 2
    speeds = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = (place[:, None] * speeds)[:, None]
    low, high = x[..., :half], x[..., half:]
    return torch.cat(
        (low * angle.cos() - high * angle.sin(), high * angle.cos() + low * angle.sin()), -1
    )


def plain_block(x, w, s, first, window):
    """One sequence [T, width]; `first` is where each token's document begins."""
    tokens, head = len(x), s.width // s.heads
    place = torch.arange(tokens)
    y = norm(x, w["input_layernorm.weight"])
    q, k, v = ((y @ w[f"self_attn.{n}_proj.weight"].T).view(tokens, -1, head) for n in "qkv")
    if s.qk_norm:
        q, k = norm(q, w["self_attn.q_norm.weight"]), norm(k, w["self_attn.k_norm.weight"])
    group = s.heads // s.kv_heads
    q, k = turned(q, place - first), turned(k, place - first).repeat_interleave(group, 1)
    scores = torch.einsum("qhd,khd->hqk", q, k) / head**0.5
    seen = (place <= place[:, None]) & (place >= first[:, None])
    if window:
        seen &= place[:, None] - place < window
    chances = scores.masked_fill(~seen, float("-inf")).softmax(-1)
    out = torch.einsum("hqk,khd->qhd", chances, v.repeat_interleave(group, 1))
    x = x + out.reshape(tokens, -1) @ w["self_attn.o_proj.weight"].T
    y = norm(x, w["post_attention_layernorm.weight"])
    hidden = functional.silu(y @ w["mlp.gate_proj.weight"].T) * (y @ w["mlp.up_proj.weight"].T)
    return x + hidden @ w["mlp.down_proj.weight"].T


def documents_of(row, divider):
    first, begin = [], 0
    for place, token in enumerate(row.tolist()):
        begin = place if token == divider else begin
        first.append(begin)
    return torch.tensor(first)


def plain_losses(weights, s, ids, divider):
    """The mean loss of each depth from 0, in float64; a module's rows end where its targets do."""
    told = [[] for _ in range(1 + s.predict_ahead)]
    table = weights["model.embed_tokens.weight"]
    head = weights.get("lm_head.weight", table)

    def part(number):
        prefix = f"model.layers.{number}."
        return {n.removeprefix(prefix): v for n, v in weights.items() if n.startswith(prefix)}

    windows = [s.window if c == "w" else 0 for c in (s.window_pattern or "f") * s.layers]
    for row in ids:
        first = documents_of(row[:-1], divider)
        x = table[row[:-1]]
        for number in range(s.layers):
            x = plain_block(x, part(number), s, first, windows[number])
        told[0].append(
            functional.cross_entropy(
                norm(x, weights["model.norm.weight"]) @ head.T, row[1:], reduction="none"
            )
        )
        for depth in range(1, 1 + s.predict_ahead):
            w = part(s.layers + depth - 1)
            x = x[: len(row) - 1 - depth]
            taken = norm(table[row[depth:-1]], w["enorm.weight"])
            x = torch.cat((taken, norm(x, w["hnorm.weight"])), -1) @ w["eh_proj.weight"].T
            x = plain_block(x, w, s, first[: len(x)], windows[s.layers - 1])
            logits = norm(x, w["shared_head.norm.weight"]) @ head.T
            each = functional.cross_entropy(logits, row[depth + 1 :], reduction="none")
            between = torch.stack([row[n : n + len(x)] for n in range(1, depth + 1)])
            told[depth].append(each[(between != divider).all(0)])
    return [torch.cat(rows).mean() for rows in told]


@pytest.mark.parametrize("compiled", [False, True], ids=["fused", "plain"])
@pytest.mark.parametrize("name", SHAPES)
def test_losses_and_gradients_are_those_of_plain_torch(name, compiled, monkeypatch):
    settings, documents = settings_of(SHAPES[name]), name.startswith("documents")
    ids = drawn_ids(settings, documents=documents)
    divider = DIVIDER if documents else None
    model, _ = reference(settings, ids, divider)
    weights = {n: p.detach().double().requires_grad_() for n, p in model.named_parameters()}
    wanted = plain_losses(weights, settings.model, ids, -1 if divider is None else divider)
    (wanted[0] + WEIGHT * torch.stack(wanted[1:]).mean()).backward()
    told, run = [], Backprop.run
    monkeypatch.setattr(Backprop, "run", lambda self, *given: told.append(self) or run(self, *given))
    loss, found = gradients(settings, model, ids, torch.float32, compiled=compiled)
    assert loss == pytest.approx(float(wanted[0].detach()), rel=1e-6)
    assert told[0].ahead.told(1) == pytest.approx([float(x.detach()) for x in wanted[1:]], rel=1e-6)
    assert found.keys() == weights.keys()
    for parameter, value in weights.items():
        error = torch.linalg.vector_norm(found[parameter] - value.grad)
        assert float(error) <= 1e-5 * float(torch.linalg.vector_norm(value.grad)), parameter


def test_bfloat16_is_near():
    settings = settings_of(SHAPES["documents"] | {"init_std": 0.05})
    ids = drawn_ids(settings, documents=True)
    model, _ = reference(settings, ids, DIVIDER)
    exact, near = (
        gradients(settings, model, ids, kind)[1] for kind in (torch.float32, torch.bfloat16)
    )
    for name, value in exact.items():
        error = torch.linalg.vector_norm(near[name] - value)
        assert float(error) <= 5e-2 * float(torch.linalg.vector_norm(value)), name


@pytest.mark.parametrize("experts", [{"experts": 4}, {"experts": 4, "dense_layers": 1}])
def test_modules_with_experts_have_their_own(experts):
    settings = settings_of({"predict_ahead": 1, **experts})
    ids = drawn_ids(settings, documents=False)
    model, _ = reference(settings, ids)
    _, found = gradients(settings, model, ids, torch.float32)
    assert all(bool(found[n].any()) for n in found if "layers.2" in n and "experts" not in n)
    assert any(bool(found[n].any()) for n in found if "layers.2.mlp.experts" in n)


@pytest.mark.parametrize("first", [True, False], ids=["ends at each token", "all at the last"])
def test_a_batch_without_any_target_gives_gradients_of_zero(first):
    """The sum of gradients asks for one of each parameter, whatever the tokens are."""
    settings = settings_of({"predict_ahead": 2})
    ids = torch.full((2, 17), DIVIDER) if first else drawn_ids(settings, documents=False)
    ids[:, 1::2] = DIVIDER
    model, _ = reference(settings, ids, DIVIDER)
    _, found = gradients(settings, model, ids, torch.float32)
    assert found.keys() == dict(model.named_parameters()).keys()
    assert not any(bool(found[n].any()) for n in found if "layers.3" in n)


def test_which_positions_have_a_target_by_hand():
    # A document ends with each 3: the second row has two of one token beside it.
    ids = torch.tensor([[9, 8, 7, 6, 5], [9, 3, 3, 7, 6]])
    first = starts(ids[:, :-1], DIVIDER)
    assert shifted(ids, 2).tolist() == [[7, 6, 5, 5], [3, 7, 6, 6]]
    assert with_target(ids, 1, None).tolist() == [0, 1, 2, 4, 5, 6]
    assert with_target(ids, 1, first).tolist() == [0, 1, 2, 6]
    assert with_target(ids, 2, first).tolist() == [0, 1]
    assert with_target(ids, 3, first).tolist() == [0]
