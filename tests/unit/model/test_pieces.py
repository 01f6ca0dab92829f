"""Pieces of sequences: all tokens once, as many keys on each rank, and the same attention."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qmpi.config.model import ModelSettings
from qmpi.model.documents import Documents
from qmpi.model.fused.by_piece import attend_by_piece
from qmpi.model.layer import attention, choose_kernels
from qmpi.model.pieces import Pieces
from qmpi.model.plain import Positions

CPU = torch.device("cpu")
DIVIDER, WINDOW, SINKS = 3, 9, 2


@given(st.integers(1, 12), st.integers(1, 9))
def test_each_token_is_in_one_piece_and_ranks_have_as_many_keys(ranks, length):
    tokens = 2 * ranks * length
    index = torch.arange(tokens)
    own = [Pieces.of(tokens, place, ranks).out_of(index) for place in range(ranks)]
    assert sorted(torch.cat(own).tolist()) == index.tolist()
    assert len({int((tokens_of + 1).sum()) for tokens_of in own}) == 1
    assert all(tokens_of.numel() == Pieces.of(tokens, 0, ranks).tokens for tokens_of in own)


def positions(model, tokens, ids, pieces):
    if ids is None:
        return Positions.of(model, tokens, CPU, pieces)
    whole = Positions.of(model, tokens, CPU)
    return Documents(model, whole, DIVIDER, pieces).positions(ids)


@pytest.mark.parametrize("tokens", [48, 1040], ids=["kept", "long"])
@pytest.mark.parametrize("window", [0, WINDOW])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("ranks", [2, 4])
def test_pieces_attend_as_the_sequence_does(tokens, window, masked, ranks):
    model = ModelSettings(width=16, heads=4, kv_heads=2, window=window, sinks=SINKS * bool(window))
    generator = torch.Generator().manual_seed(4)
    ids = torch.randint(12, (2, tokens), generator=generator) if masked else None
    q, k, v = (
        torch.randn(2, tokens, heads, 4, generator=generator).requires_grad_()
        for heads in (4, 2, 2)
    )
    kernels = choose_kernels(CPU, tokens, compiled=False)
    wanted = attention(kernels, window, model.sinks)(q, k, v, positions(model, tokens, ids, None))
    gradient = torch.randn(wanted.shape, generator=generator)
    of_all = torch.autograd.grad(wanted, (q, k, v), gradient)
    totals = [torch.zeros_like(one) for one in of_all]
    by_piece = attention(kernels._replace(attend=attend_by_piece), window, model.sinks)
    for place in range(ranks):
        pieces = Pieces.of(tokens, place, ranks)
        at = positions(model, tokens, ids, pieces)
        found = by_piece(pieces.out_of(q, 1), k, v, at)
        torch.testing.assert_close(found, pieces.out_of(wanted, 1), rtol=0, atol=1e-5)
        shares = torch.autograd.grad(found, (q, k, v), pieces.out_of(gradient, 1))
        totals = [total + share for total, share in zip(totals, shares, strict=True)]
    for total, one in zip(totals, of_all, strict=True):
        # Sums over a thousand queries, in another order.
        torch.testing.assert_close(total, one, rtol=0, atol=1e-4)
