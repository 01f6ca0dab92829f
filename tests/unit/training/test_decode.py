"""Decoding with a cache: the tokens of the plain loop, whatever is decoded beside them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from unit.model.families import FAMILIES

from qmpi.config.model import ModelSettings
from qmpi.model.initial import initialise
from qmpi.model.transformer import Transformer
from qmpi.training.decode import batches_of
from qmpi.training.evaluation import Evaluator

SHAPES = {
    "grouped": ModelSettings(vocab_size=256, layers=2, width=32, heads=4, kv_heads=2, init_std=0.3),
    "own head, no norm": ModelSettings(
        vocab_size=256, layers=1, width=24, heads=2, kv_heads=2, tied_head=False, qk_norm=False,
        init_std=0.3,
    ),
    "windows and sinks, capped": ModelSettings(
        vocab_size=256, layers=3, width=32, heads=4, kv_heads=2, init_std=0.3, window=3, sinks=2,
        window_pattern="wwf", logit_softcap=3.0,
    ),
    "documents": ModelSettings(
        vocab_size=256, layers=2, width=32, heads=4, kv_heads=2, init_std=0.3, window=4, sinks=1,
        window_pattern="wf",
    ),
    "norms behind, documents": ModelSettings(
        vocab_size=256, layers=2, width=32, heads=4, kv_heads=2, init_std=0.3, window=4,
        window_pattern="wf", norm_place="post", qk_norm_over="projection",
    ),
}  # fmt: skip
SHAPES |= {name: replace(family.model, init_std=0.3) for name, family in FAMILIES.items()}
DIVIDERS = {
    "documents": 7,
    "norms behind, documents": 7,
    **{name: family.divider for name, family in FAMILIES.items()},
}


def made(shape):
    model = Transformer(SHAPES[shape], DIVIDERS.get(shape)).requires_grad_(requires_grad=False)
    initialise(model, SHAPES[shape], 3)
    return model, Evaluator(model, 16)


def plain(model, prompt, count):
    known = list(prompt)
    for _ in range(count):
        known.append(int(model(torch.tensor([known]))[0, -1].argmax()))
    return known[len(prompt) :]


def never(*_):
    return False


def ignore(_):
    pass


# Few ids, so that the one that ends a document is met.
prompts = st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=12), min_size=1, max_size=9)


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=8, deadline=None)
@given(prompts=prompts, data=st.data())
def test_the_cache_gives_the_tokens_of_the_plain_loop(shape, prompts, data):
    model, evaluator = made(shape)
    budgets = [data.draw(st.integers(1, 8)) for _ in prompts]
    added = evaluator.continuations(prompts, budgets, never, ignore)
    assert added == [plain(model, p, b) for p, b in zip(prompts, budgets, strict=True)]


def test_who_stops_leaves_and_the_others_go_on():
    model, evaluator = made("grouped")
    prompts = [[n, n + 1] for n in range(7)]
    told = []
    added = evaluator.continuations(
        prompts, [10] * 7, lambda number, so_far: len(so_far) > number, told.append
    )
    assert [len(a) for a in added] == [1, 2, 3, 4, 5, 6, 7]
    assert added == [plain(model, p, len(a)) for p, a in zip(prompts, added, strict=True)]
    assert sum(told) == 7


def test_batches_hold_each_prompt_once_whatever_their_size():
    prompts = [[n] * (1 + n % 5) for n in range(11)]
    budgets = [4 + n % 3 for n in range(11)]
    for size in (1, 3, 64):
        dealt = list(batches_of(prompts, budgets, size))
        assert sorted(n for batch in dealt for n in batch) == list(range(11))
        assert max(map(len, dealt)) <= size


def test_a_batch_gives_what_all_batches_give():
    _, evaluator = made("grouped")
    prompts = [[n] * (1 + n % 5) for n in range(70)]
    budgets = [4] * 70
    together = evaluator.continuations(prompts, budgets, never, ignore)
    for batch in batches_of(prompts, budgets):
        alone = evaluator.batch(batch, prompts, budgets, never, ignore)
        assert alone == [together[number] for number in batch]


def test_no_prompts_are_no_work():
    _, evaluator = made("grouped")
    assert evaluator.continuations([], [], never, ignore) == []
