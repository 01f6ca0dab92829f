"""Tokens that go to experts on other ranks: the bits of one rank that has all of both."""

import pytest
import torch
from unit.training.line_of_threads import ThreadLine, run_all

from qmpi.model.experts.choice import plan
from qmpi.model.experts.products import Products
from qmpi.training.parallel.exchange import TokenExchange, with_numbers, without_numbers
from qmpi.training.parallel.sequences import Sequences

TOKENS, EACH, EXPERTS, WIDTH, HIDDEN = 24, 2, 8, 16, 12


def drawn(choices, kind):
    """Return tokens, shares, matrices and what is chosen, of a whole microbatch."""
    torch.manual_seed(7)
    x = torch.randn(TOKENS, WIDTH).to(kind)
    shares = torch.rand(TOKENS, EACH)
    gate_up = torch.randn(EXPERTS * 2 * HIDDEN, WIDTH).to(kind)
    down = torch.randn(EXPERTS * WIDTH, HIDDEN).to(kind)
    chosen = torch.stack([torch.randperm(choices)[:EACH] for _ in range(TOKENS)])
    return [x, shares, gate_up, down], chosen


def computed(compute, x, shares, gate_up, down, chosen):
    leaves = [one.clone().requires_grad_() for one in (x, shares, gate_up, down)]
    given, _, _ = plan(chosen, EXPERTS, None)
    out = compute(leaves[0], leaves[1], given)(leaves[2], leaves[3])
    out.backward(torch.linspace(-1.0, 1.0, WIDTH).expand_as(out))
    return [out.detach(), *(leaf.grad for leaf in leaves)]


def alone(x, shares, given):
    return lambda gate_up, down: Products.apply(x, shares, given, gate_up, down)


@pytest.mark.parametrize("parts", [1, 2, 4])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
# With three of eight experts chosen some have no rows, and some ranks receive none.
@pytest.mark.parametrize("choices", [EXPERTS, 3])
def test_all_have_the_bits_of_one_rank(parts, kind, choices):
    tensors, chosen = drawn(choices, kind)
    wanted = computed(alone, *tensors, chosen)
    line = ThreadLine(parts)

    def rank(place):
        sequences = Sequences(place, parts)
        sequences.line = line.member(place)
        mine = [tensor.chunk(parts)[place] for tensor in tensors]
        begin = TokenExchange(sequences, place).begin
        return computed(begin, *mine, chosen.chunk(parts)[place])

    found = run_all([lambda place=place: rank(place) for place in range(parts)], [line])
    for each, whole in zip(zip(*found, strict=True), wanted, strict=True):
        assert torch.equal(torch.cat(each), whole)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_rank_that_has_met_nobody_computes_with_the_shapes(kind):
    tensors, chosen = drawn(EXPERTS, kind)
    mine = [tensor.chunk(2)[1] for tensor in tensors]
    found = computed(TokenExchange(Sequences(1, 2), 1).begin, *mine, chosen.chunk(2)[1])
    assert [one.shape for one in found[1:]] == [one.shape for one in mine]
    assert all(one.isfinite().all() for one in found)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_numbers_travel_with_their_rows_to_the_last_bit(kind, count):
    rows, numbers = torch.randn(count, 3).to(kind), torch.randn(count, 1)
    back, told = without_numbers(with_numbers(rows, numbers), 3)
    assert torch.equal(back, rows)
    assert torch.equal(told, numbers)
