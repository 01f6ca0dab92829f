"""Attention within windows, sinks and documents against a dense masked sum written out here."""

import pytest
import torch
from unit.training.on_cuda import CUDA, NEEDS_CUDA

from qmpi.config.model import ModelSettings
from qmpi.model import attention
from qmpi.model.bands import Band, cut, dense, starts, table_of
from qmpi.model.documents import Documents
from qmpi.model.fused.banded import Bands, KeptBands
from qmpi.model.plain import Positions, kept_tables

CPU = torch.device("cpu")
DEVICES = [pytest.param(CPU, id="cpu"), pytest.param(CUDA, marks=NEEDS_CUDA, id="cuda")]
DIVIDER = 3


def seen(tokens, band, first):
    """Say it again, key by key: who sees whom."""
    table = torch.zeros(first.shape[0], tokens, tokens, dtype=torch.bool)
    for row, begins in enumerate(first.tolist()):
        for query in range(tokens):
            for key in range(begins[query], query + 1):
                near, sink = query - key < band.window, key - begins[query] < band.sinks
                table[row, query, key] = near or sink
    return table


def oracle(q, k, v, mask):
    group = q.shape[2] // k.shape[2]
    k, v = (x.repeat_interleave(group, dim=2) for x in (k, v))
    scores = torch.einsum("bihd,bjhd->bhij", q, k).masked_fill(~mask[:, None], float("-inf"))
    return torch.einsum("bhij,bjhd->bihd", scores.softmax(-1), v)


def inputs(batch, tokens, heads, kv_heads, kind=torch.float32, device=CPU):
    draw = torch.Generator().manual_seed(tokens + heads)
    made = [torch.randn(batch, tokens, n, 8, generator=draw) for n in (heads, kv_heads, kv_heads)]
    return [x.to(device, kind).requires_grad_() for x in made]


def documents(batch, tokens, share=30):
    draw = torch.Generator().manual_seed(tokens)
    return starts(torch.randint(0, share, (batch, tokens), generator=draw), DIVIDER)


def forms(band, first, tokens, device=CPU):
    first = None if first is None else first.to(device)
    yield lambda *x: Bands.apply(*x, first, band)
    tables = kept_tables(tokens, band, first, device)
    yield lambda *x: KeptBands.apply(*x, tables)


def results(form, leaves):
    seen = form(*leaves)
    draw = torch.Generator().manual_seed(9)
    seed = torch.randn(seen.shape, generator=draw).to(seen.device, seen.dtype)
    return [seen.detach(), *torch.autograd.grad(seen, leaves, seed)]


def agree(got, wanted, tolerance):
    for one, other in zip(got, wanted, strict=True):
        error = torch.linalg.vector_norm(one.cpu().double() - other.cpu().double())
        assert float(error) <= tolerance * max(1.0, float(torch.linalg.vector_norm(other.double())))


CASES = [
    # tokens, window, sinks, heads, kv heads
    (1, 5, 2, 2, 1), (5, 1, 0, 4, 2), (130, 1, 3, 4, 2), (130, 7, 90, 3, 1), (77, 200, 4, 2, 2),
    (301, 64, 0, 4, 2), (301, 100, 5, 4, 1), (301, 300, 1, 2, 1),
]  # fmt: skip


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("masked", [False, True], ids=["one document", "documents"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_bands_are_the_masked_sum(case, masked, device):
    tokens, window, sinks, heads, kv_heads = case
    band = Band(min(window, tokens), sinks)
    for batch in (1, 2):
        first = documents(batch, tokens)
        first = first if masked else torch.zeros_like(first)
        wanted = results(
            lambda *x, f=first: oracle(*x, seen(tokens, band, f)),
            inputs(batch, tokens, heads, kv_heads),
        )
        for form in forms(band, first if masked else None, tokens, device):
            leaves = inputs(batch, tokens, heads, kv_heads, device=device)
            agree(results(form, leaves), wanted, 1e-5)


def test_bfloat16_is_near():
    band, first = Band(50, 3), documents(2, 201)
    rough = inputs(2, 201, 4, 2, torch.bfloat16)
    exact = [x.detach().float().requires_grad_() for x in rough]
    wanted = results(lambda *x: oracle(*x, seen(201, band, first)), exact)
    for form in forms(band, first, 201):
        got = results(form, rough)
        assert all(x.dtype == torch.bfloat16 for x in got)
        agree(got, wanted, 3e-2)


def test_dense_masks_are_the_same():
    for band in (Band(7, 2), Band(60), Band(60, 3), Band(1)):
        for first in (documents(2, 60), torch.zeros(2, 60, dtype=torch.int64)):
            assert torch.equal(dense(60, band, first, CPU).squeeze(1), seen(60, band, first))


def test_the_model_attends_alike_whether_a_sequence_is_short_or_long(monkeypatch):
    q, k, v = (x.transpose(1, 2).detach() for x in inputs(2, 150, 4, 2))
    for band in (Band(40, 2), Band(0, 2)):
        first = documents(2, 150)
        short = attention.attend(q, k, v, band, first)
        with monkeypatch.context() as patch:
            patch.setattr(attention, "MOST_TOKENS", 1)
            agree([attention.attend(q, k, v, band, first)], [short], 1e-5)


def test_no_table_is_longer_than_a_band():
    band = Band(256, 4)
    for documents_masked in (False, True):
        for block in cut(65_536, 128, band, documents=documents_masked):
            assert block.end - block.low <= 128 + 255
            assert block.sinks <= 4
    first = torch.zeros(1, 65_536, dtype=torch.int64)
    last = cut(65_536, 128, band, documents=True)[-1]
    assert table_of(last, band, first, CPU).hidden.numel() == 128 * (128 + 255 + 4)
    assert Positions.of(ModelSettings(), 65_536, CPU).future.numel() == 0


def test_a_document_begins_with_the_token_that_ended_the_one_before():
    ids = torch.tensor([[5, 3, 7, 7, 3, 3, 8], [3, 1, 1, 1, 1, 1, 3]])
    assert starts(ids, 3).tolist() == [[0, 1, 1, 1, 4, 5, 5], [0, 0, 0, 0, 0, 0, 6]]


def test_positions_begin_anew():
    settings = ModelSettings(width=32, heads=2, kv_heads=1, window=4, window_pattern="wf")
    at = Positions.of(settings, 7, CPU)
    ids = torch.tensor([[5, 3, 7, 7, 3, 3, 8]])
    got = Documents(settings, at, 3).positions(ids)
    places = [0, 0, 1, 2, 0, 0, 1]
    assert torch.equal(got.cos[0], at.cos[places])
    assert torch.equal(got.sin[0], at.sin[places])
    assert len(got.near) == len(got.far) == 1
