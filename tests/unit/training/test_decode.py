"""Decoding with a cache: the tokens of the plain loop, whatever is decoded beside them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.config.settings import ModelSettings
from qmpi.model.initial import initialise
from qmpi.model.transformer import Transformer
from qmpi.training import decode
from qmpi.training.decode import Decoder

SHAPES = {
    "grouped": ModelSettings(vocab_size=256, layers=2, width=32, heads=4, kv_heads=2, init_std=0.3),
    "own head, no norm": ModelSettings(
        vocab_size=256, layers=1, width=24, heads=2, kv_heads=2, tied_head=False, qk_norm=False,
        init_std=0.3,
    ),
}  # fmt: skip


def made(shape):
    model = Transformer(SHAPES[shape]).requires_grad_(requires_grad=False)
    initialise(model, SHAPES[shape], 3)
    return model, Decoder(SHAPES[shape], dict(model.named_parameters()))


def plain(model, prompt, count):
    known = list(prompt)
    for _ in range(count):
        known.append(int(model(torch.tensor([known]))[0, -1].argmax()))
    return known[len(prompt) :]


def never(*_):
    return False


def ignore(_):
    pass


prompts = st.lists(st.lists(st.integers(0, 255), min_size=1, max_size=12), min_size=1, max_size=9)


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=8, deadline=None)
@given(prompts=prompts, data=st.data())
def test_the_cache_gives_the_tokens_of_the_plain_loop(shape, prompts, data):
    model, decoder = made(shape)
    budgets = [data.draw(st.integers(1, 8)) for _ in prompts]
    added = decoder.greedy(prompts, budgets, never, ignore)
    assert added == [plain(model, p, b) for p, b in zip(prompts, budgets, strict=True)]


def test_who_stops_leaves_and_the_others_go_on():
    model, decoder = made("grouped")
    prompts = [[n, n + 1] for n in range(7)]
    told = []
    added = decoder.greedy(
        prompts, [10] * 7, lambda number, so_far: len(so_far) > number, told.append
    )
    assert [len(a) for a in added] == [1, 2, 3, 4, 5, 6, 7]
    assert added == [plain(model, p, len(a)) for p, a in zip(prompts, added, strict=True)]
    assert sum(told) == 7


def test_more_prompts_than_a_batch_holds(monkeypatch):
    _, decoder = made("grouped")
    prompts = [[n] * (1 + n % 5) for n in range(11)]
    together = decoder.greedy(prompts, [4] * 11, never, ignore)
    monkeypatch.setattr(decode, "BATCH", 3)
    assert decoder.greedy(prompts, [4] * 11, never, ignore) == together


def test_no_prompts_are_no_work():
    _, decoder = made("grouped")
    assert decoder.greedy([], [], never, ignore) == []
