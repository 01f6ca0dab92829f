"""Routing against transformers' routers; products against a loop over experts."""

import pytest
import torch
from torch.nn import functional
from transformers import Dots1Config, Qwen3MoeConfig
from transformers.models.dots1.modeling_dots1 import Dots1TopkRouter
from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeTopKRouter
from unit.training.on_cuda import CUDA, NEEDS_CUDA

from qmpi.config.model import ModelSettings
from qmpi.config.widths import expert_width
from qmpi.model.experts.choice import capacity, choose, plan
from qmpi.model.experts.mix import ExpertWeights, make_mix
from qmpi.model.experts.module import Mixture
from qmpi.model.experts.products import Products
from qmpi.model.fused.swiglu import SwiGlu
from qmpi.model.shape import active_count, flops_per_token, parameter_count

CPU = torch.device("cpu")
DEVICES = [pytest.param(CPU, id="cpu"), pytest.param(CUDA, marks=NEEDS_CUDA, id="cuda")]
WIDTH, HIDDEN, EXPERTS, EACH, TOKENS = 12, 10, 6, 3, 40


def shape(**fields):
    given = {"width": WIDTH, "heads": 2, "kv_heads": 1, "experts": EXPERTS, "layers": 1,
             "experts_per_token": EACH, "expert_width": HIDDEN, "vocab_size": 256}  # fmt: skip
    return ModelSettings(**{**given, **fields})


def drawn(*sizes, seed=1):
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(seed))


def test_softmax_is_the_router_of_qwen3_moe():
    theirs = Qwen3MoeTopKRouter(
        Qwen3MoeConfig(hidden_size=WIDTH, num_experts=EXPERTS, num_experts_per_tok=EACH,
                       norm_topk_prob=True)
    )  # fmt: skip
    x, weight = drawn(TOKENS, WIDTH), drawn(EXPERTS, WIDTH, seed=2)
    theirs.weight.data.copy_(weight)
    _, shares, chosen = theirs(x)
    found, own = choose(x @ weight.T, torch.zeros(EXPERTS), shape())
    assert torch.equal(found, chosen)
    torch.testing.assert_close(own, shares)


def test_sigmoid_is_the_router_of_dots1_bias_and_all():
    theirs = Dots1TopkRouter(
        Dots1Config(hidden_size=WIDTH, n_routed_experts=EXPERTS, num_experts_per_tok=EACH,
                    norm_topk_prob=True)
    )  # fmt: skip
    x, weight, bias = drawn(TOKENS, WIDTH), drawn(EXPERTS, WIDTH, seed=2), drawn(EXPERTS, seed=3)
    theirs.weight.data.copy_(weight)
    theirs.e_score_correction_bias.copy_(0.3 * bias)
    _, shares, chosen = theirs(x)
    found, own = choose(x @ weight.T, 0.3 * bias, shape(router="sigmoid"))
    assert torch.equal(found.sort().values, chosen.sort().values)
    plain, _ = choose(x @ weight.T, torch.zeros(EXPERTS), shape(router="sigmoid"))
    assert not torch.equal(found.sort().values, plain.sort().values)
    laid = torch.zeros(TOKENS, EXPERTS)
    torch.testing.assert_close(laid.scatter(1, found, own), laid.scatter(1, chosen, shares))


@pytest.mark.parametrize("router", ["softmax", "sigmoid"])
def test_of_equal_scores_the_lower_number_is_chosen_and_a_bias_has_no_part_in_shares(router):
    logits = torch.zeros(2, EXPERTS)
    settings = shape(router=router)
    chosen, shares = choose(logits, torch.zeros(EXPERTS), settings)
    assert chosen.tolist() == [[0, 1, 2]] * 2
    moved, same = choose(logits, torch.tensor([0.0, 0, 0, 0, 0, 0.1]), settings)
    assert moved.tolist() == [[5, 0, 1]] * 2
    torch.testing.assert_close(same, shares)


@pytest.mark.parametrize("most", [None, 40, 9])
def test_a_plan_is_what_counting_one_by_one_gives(most):
    chosen, _ = choose(drawn(TOKENS, EXPERTS), torch.zeros(EXPERTS), shape())
    found, loads, dropped = plan(chosen, EXPERTS, most)
    places, lost = [], [0] * EXPERTS
    for expert in range(EXPERTS):
        own = [n for n, e in enumerate(chosen.flatten().tolist()) if e == expert]
        kept = own if most is None else own[:most]
        lost[expert] = len(own) - len(kept)
        places.append(kept)
    assert found.order.tolist() == [place for own in places for place in own]
    assert found.sizes == [len(own) for own in places]
    assert loads.tolist() == [len(own) + away for own, away in zip(places, lost, strict=True)]
    assert dropped is None if most is None else dropped.tolist() == lost
    assert (most == 9) == (sum(lost) > 0)
    assert capacity(40, shape(capacity_factor=1.25)) == 25


def looped(x, shares, chosen, gate_up, down, kept):
    """The mixture, expert by expert and token by token, by autograd."""
    out = []
    for token in range(len(x)):
        total = torch.zeros(WIDTH, dtype=x.dtype, device=x.device)
        for rank, expert in enumerate(chosen[token].tolist()):
            if token * EACH + rank in kept:
                gate, up = (gate_up.view(EXPERTS, 2 * HIDDEN, WIDTH)[expert] @ x[token]).chunk(2)
                made = down.view(EXPERTS, WIDTH, HIDDEN)[expert] @ (functional.silu(gate) * up)
                total = total + shares[token, rank] * made
        out.append(total)
    return torch.stack(out)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("most", [None, 15])
def test_products_are_those_of_a_loop_to_the_last_digits_but_one(most, device):
    logits = drawn(TOKENS, EXPERTS)
    logits[:, 4] -= 20.0  # nobody goes there
    chosen, shares = choose(logits, torch.zeros(EXPERTS), shape())
    given, *_ = plan(chosen, EXPERTS, most)
    sizes = (TOKENS, WIDTH), (EXPERTS * 2 * HIDDEN, WIDTH), (EXPERTS * WIDTH, HIDDEN)
    x, gate_up, down = (drawn(*size, seed=n).to(device) for n, size in enumerate(sizes))
    shares, chosen = shares.to(device), chosen.to(device)
    given = given._replace(order=given.order.to(device))
    leaves = [t.clone().requires_grad_() for t in (x, shares, gate_up, down)]
    others = [t.double().requires_grad_() for t in (x, shares, gate_up, down)]
    got = Products.apply(leaves[0], leaves[1], given, *leaves[2:])
    kept = set(given.order.tolist())
    wanted = looped(others[0], others[1], chosen, *others[2:], kept)
    back = drawn(TOKENS, WIDTH, seed=9).to(device)
    got.backward(back)
    wanted.backward(back.double())
    pairs = ((a.grad, b.grad) for a, b in zip(leaves, others, strict=True))
    for mine, theirs in [(got, wanted), *pairs]:
        error = float(((mine.double() - theirs).norm() / theirs.norm()).detach())
        assert error < 1e-6
    assert not leaves[2].grad.view(EXPERTS, -1)[4].any()
    assert not leaves[3].grad.view(EXPERTS, -1)[4].any()
    assert (len(kept) < TOKENS * EACH) == (most is not None)


def weights_of(module, counts):
    names = ("gate_proj", "up_proj")
    gate_up = torch.cat([getattr(e, n).weight for e in module.experts for n in names]).detach()
    down = torch.cat([e.down_proj.weight for e in module.experts]).detach()
    bias = module.gate.e_score_correction_bias
    shared = (None, None)
    if module.shared_experts is not None:
        own = module.shared_experts
        both = torch.cat([own.gate_proj.weight, own.up_proj.weight]).detach()
        shared = (both, own.down_proj.weight.detach())
    return gate_up, down, ExpertWeights(module.gate.weight.detach(), bias, counts, None, *shared)


@pytest.mark.parametrize("fields", [{}, {"router": "sigmoid", "shared_experts": 2}])
def test_training_computes_what_the_module_does_and_counts_who_was_wanted(fields):
    settings = shape(**fields)
    module = Mixture(settings)
    for number, parameter in enumerate(module.parameters()):
        parameter.data.copy_(drawn(*parameter.shape, seed=number))
    module.gate.e_score_correction_bias.copy_(drawn(EXPERTS))
    x, counts = drawn(TOKENS, WIDTH, seed=7), torch.zeros(1, EXPERTS, dtype=torch.int32)
    gate_up, down, weights = weights_of(module, counts)
    mix = make_mix(settings, SwiGlu.apply, 1)
    with torch.no_grad():
        torch.testing.assert_close(mix(x, gate_up, down, weights), module(x), rtol=1e-5, atol=1e-5)
        chosen, _ = choose(module.gate(x), weights.bias, settings)
    wanted = [int((chosen == expert).sum()) for expert in range(EXPERTS)]
    assert counts[0].tolist() == wanted


def test_a_full_expert_drops_and_says_so():
    settings = shape(capacity_factor=1.0)
    module = Mixture(settings)
    for number, parameter in enumerate(module.parameters()):
        parameter.data.copy_(drawn(*parameter.shape, seed=number))
    x, counts = drawn(TOKENS, WIDTH, seed=7), torch.zeros(2, EXPERTS, dtype=torch.int32)
    gate_up, down, weights = weights_of(module, counts)
    with torch.no_grad():
        out = make_mix(settings, SwiGlu.apply, 1)(x, gate_up, down, weights)
    most = TOKENS * EACH // EXPERTS
    assert counts[1].tolist() == [max(0, n - most) for n in counts[0].tolist()]
    assert counts[1].sum() > 0
    with torch.no_grad():
        assert not torch.allclose(out, module(x))


def test_the_penalty_on_logits_is_in_the_gradient_alone():
    settings = shape(router_z_loss=0.1)
    module = Mixture(settings)
    for number, parameter in enumerate(module.parameters()):
        parameter.data.copy_(drawn(*parameter.shape, seed=number))
    gate_up, down, weights = weights_of(module, torch.zeros(1, EXPERTS, dtype=torch.int32))
    found = []
    for penalised in (True, False):
        x, router = drawn(TOKENS, WIDTH, seed=7).requires_grad_(), weights.router.clone()
        router.requires_grad_()
        used = settings if penalised else shape()
        out = make_mix(used, SwiGlu.apply, 2)(x, gate_up, down, weights._replace(router=router))
        loss = (out * drawn(TOKENS, WIDTH, seed=8)).sum()
        if not penalised:
            loss = loss + 0.1 / 2 * (x @ router.T).logsumexp(dim=-1).square().mean()
        loss.backward()
        found.append((out.detach(), x.grad, router.grad))
    for mine, wanted in zip(*found, strict=True):
        torch.testing.assert_close(mine, wanted)


def test_counts_by_hand():
    settings = ModelSettings(
        vocab_size=256, layers=3, width=16, heads=2, kv_heads=1, ffn_width=8, experts=5,
        experts_per_token=2, shared_experts=1, expert_width=4, dense_layers=1,
    )  # fmt: skip
    attention, dense, one = 16 * 16 * 2 + 16 * 8 * 2, 3 * 16 * 8, 3 * 16 * 4
    vectors = 3 * (2 * 16 + 2 * 8) + 16
    mixed = 5 * 16 + 6 * one
    assert parameter_count(settings) == 256 * 16 + 3 * attention + dense + 2 * mixed + vectors
    assert active_count(settings) == parameter_count(settings) - 2 * 3 * one
    met = 3 * attention + dense + 2 * (5 * 16 + 3 * one) + 256 * 16
    assert flops_per_token(settings, 10) == 6 * met + 6 * 3 * 16 * 10
    assert expert_width(ModelSettings(width=128, experts=8)) == 192
    assert expert_width(ModelSettings(width=128, experts=8, experts_per_token=3)) == 128
