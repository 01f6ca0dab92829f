"""Ahead modules: their losses and gradients, against plain torch in float64 and token by token."""

import math

import pytest
import torch
from msgspec.structs import replace
from torch.nn import functional
from unit.training.small_job import LANES, alone, block, digest, job, run
from unit.training.test_backprop import gradients, reference

from qmpi.config.batch import BatchSettings
from qmpi.config.model import ModelSettings
from qmpi.model.ahead import shifted, with_target
from qmpi.model.bands import starts
from qmpi.model.cached import CachedModel
from qmpi.model.transformer import Transformer
from qmpi.training.backprop import Backprop
from qmpi.training.evaluation import model_over
from qmpi.training.flat_state import state_layout

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
    told, whole = [], Backprop.run
    monkeypatch.setattr(Backprop, "run", lambda own, *args: told.append(own) or whole(own, *args))
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


def digests(steps=2, **train):
    settings = job(predict_ahead=2)
    settings = replace(settings, train=replace(settings.train, **train))
    engine = alone(settings, divider=DIVIDER)
    engine.warm_up()
    return [run(engine, settings, step) for step in range(steps)]


@pytest.fixture(scope="module")
def wanted():
    return digests()


@pytest.mark.parametrize("mode", ["full", "selective"])
def test_checkpoints_give_the_same_bits(mode, wanted):
    found = digests(checkpointing=mode, checkpoint_every=2)
    assert [o.weight_digest for o in found] == [o.weight_digest for o in wanted]
    assert [o.ahead_losses for o in found] == [o.ahead_losses for o in wanted]


def test_losses_are_told_of_all_lanes_and_the_weight_of_the_losses_matters(wanted):
    told = wanted[0].ahead_losses
    # Untrained: each token is as likely as any other.
    assert told == pytest.approx([math.log(256)] * 2, abs=0.1)
    assert told[0] != told[1]
    other = digests(ahead_weight=0.1)
    assert other[0].ahead_losses == told
    assert other[0].lane_losses == wanted[0].lane_losses
    assert other[-1].lane_losses != wanted[-1].lane_losses


def test_a_deal_in_another_order_changes_nothing(wanted):
    settings = job(predict_ahead=2)
    found = run(alone(settings, divider=DIVIDER), settings, 0, list(reversed(range(LANES))))
    assert found.weight_digest == wanted[0].weight_digest
    assert found.ahead_losses == wanted[0].ahead_losses


@pytest.mark.parametrize("form", [
    {"precision": "float16"}, {"reduction": "fast"}, {"microbatches": 2, "precision": "bfloat16"},
    {"masters": "bfloat16"},
], ids=lambda form: "-".join(form))  # fmt: skip
def test_other_forms_of_a_step_learn_all_losses(form):
    settings = job(predict_ahead=2)
    train = replace(settings.train, **form)
    settings = replace(
        settings, train=train, batch=BatchSettings(noise_scale=True),
        optimizer=replace(settings.optimizer, learning_rate=0.02),
    )  # fmt: skip
    engine, blocks = alone(settings), [block(settings, 0, lane) for lane in range(LANES)]
    names = list(map(digest, blocks))
    # The same blocks each time: what is learnt is them.
    told = [
        engine.run_step(step, range(LANES), blocks, names, digest_due=False) for step in range(6)
    ]
    for before, after in zip(told[0].ahead_losses, told[-1].ahead_losses, strict=True):
        assert after < before - 0.05
    assert told[-1].lane_square > 0


def test_the_matrix_of_a_module_is_moved_as_those_of_blocks():
    layout = state_layout(job(predict_ahead=1))
    (slot,) = (slot for slot in layout.slots if slot.name.endswith("eh_proj.weight"))
    assert slot.start + slot.size <= layout.hidden
    assert [s.name for s in layout.slots if "shared_head" in s.name] == [
        "model.layers.2.shared_head.norm.weight"
    ]


def test_what_samples_and_is_evaluated_knows_nothing_of_them():
    settings = job(predict_ahead=2)
    engine = alone(settings)
    run(engine, settings, 0)
    ids = torch.randint(0, 256, (1, 9), generator=torch.Generator().manual_seed(1))
    model = model_over(settings.model, engine._state)
    plain = Transformer(replace(settings.model, predict_ahead=0))
    plain.load_state_dict({n: v for n, v in model.state_dict().items() if n in plain.state_dict()})
    with torch.no_grad():
        assert torch.equal(model(ids), plain(ids))
        cached = CachedModel(model, 1, 16)
        torch.testing.assert_close(cached.fill(0, ids[0].tolist()), plain(ids)[0, -1])
        torch.testing.assert_close(
            cached.advance([7])[0], plain(torch.cat((ids, torch.tensor([[7]])), 1))[0, -1]
        )
