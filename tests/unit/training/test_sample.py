"""Drawing tokens: the cache changes nothing, neighbours change nothing, limits hold."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.training.small_job import alone, job, run

from qmpi.config.model import ModelSettings
from qmpi.errors import CorruptData, InputError
from qmpi.model.cached import CachedModel
from qmpi.model.initial import initialise
from qmpi.model.transformer import Transformer
from qmpi.training.draws import Draws
from qmpi.training.sample import Limits, Row, continue_rows, load_model, pick

NO_END = 10**6
MODELS = {
    "grouped": ModelSettings(vocab_size=256, layers=2, width=32, heads=4, kv_heads=2),
    "untied": ModelSettings(
        vocab_size=256, layers=1, width=32, heads=2, kv_heads=2, head_dim=8, tied_head=False,
        qk_norm=False,
    ),
}  # fmt: skip


def model_of(name):
    made = Transformer(MODELS[name])
    initialise(made, MODELS[name], 3)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return made.eval().requires_grad_(requires_grad=False)


def texts(model, rows, draws, limits):
    made = [[] for _ in rows]
    for drawn in continue_rows(model, rows, draws, limits):
        made[drawn.row].append(drawn.token)
        assert drawn.last == (drawn.token == limits.end or len(made[drawn.row]) == draws.tokens)
    return made


def without_cache(model, row, draws, limits):
    """The rule of the window, and the whole model for each token."""
    seen, made = list(row.ids)[-limits.window :], []
    generator = torch.Generator().manual_seed(row.seed)
    while len(made) < draws.tokens and limits.end not in made:
        logits = model(torch.tensor([seen]))[0, -1, : limits.vocabulary]
        made.append(pick(logits, draws, generator))
        seen.append(made[-1])
        if len(seen) > limits.window:
            seen = seen[-max(1, limits.window // 2) :]
    return made


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("window", [1, 2, 7, 64])
def test_the_cache_changes_no_token(name, temperature, window):
    model, draws = model_of(name), Draws(40, temperature, 0)
    limits = Limits(window, NO_END, 250)
    rows = [Row(range(1, 4), 1), Row([9], 2), Row(range(30), 3)]
    alone = [without_cache(model, row, draws, limits) for row in rows]
    assert texts(model, rows, draws, limits) == alone
    assert len({*alone[0]}) > 5 or temperature == 0 or window < 3


@settings(deadline=None, max_examples=20)
@given(st.lists(st.lists(st.integers(0, 255), min_size=1, max_size=9), min_size=1, max_size=5),
       st.integers(0, 255))  # fmt: skip
def test_a_text_does_not_depend_on_its_neighbours(prompts, end):
    model, draws, limits = model_of("grouped"), Draws(12, 0.9, 0), Limits(10, end, 256)
    rows = [Row(ids, 7) for ids in prompts]
    together = texts(model, rows, draws, limits)
    assert together == [texts(model, [row], draws, limits)[0] for row in rows]


def test_logits_with_a_cache_are_those_without():
    model = model_of("grouped")
    ids = [[5, 6, 7, 8, 9, 10, 11, 12], [200, 100, 50, 25, 12, 6, 3, 1]]
    cached = CachedModel(model, 3, 8)
    with torch.no_grad():
        assert not cached.fill(2, []).any()
        for row, start in enumerate((3, 6)):
            whole = model(torch.tensor([ids[row][:start]]))[0, -1]
            torch.testing.assert_close(cached.fill(row, ids[row][:start]), whole)
        cached.keep([1, 0])
        found = cached.advance([ids[1][6], ids[0][3]])
        torch.testing.assert_close(found[0], model(torch.tensor([ids[1][:7]]))[0, -1])
        torch.testing.assert_close(found[1], model(torch.tensor([ids[0][:4]]))[0, -1])
    assert cached.lengths.tolist() == [7, 4]


@pytest.mark.parametrize("temperature", [1e-300, 5e-324, 1.0, 1e300])
def test_any_temperature_gives_a_token(temperature):
    logits = torch.linspace(-30.0, 30.0, 9)
    token = pick(logits, Draws(1, temperature, 0), torch.Generator().manual_seed(3))
    assert 0 <= token < 9
    if temperature < 1.0:
        assert token == 8


@given(st.integers(1, 12), st.floats(0.01, 1.0), st.integers(0, 99))
def test_top_k_and_top_p_keep_the_likeliest(top_k, top_p, seed):
    logits = torch.log(torch.tensor([0.05, 0.4, 0.1, 0.25, 0.2]))
    order = [1, 3, 4, 2, 0]
    kept = order[:top_k]
    share = [float(logits[token].exp()) for token in kept]
    total, before, allowed = sum(share), 0.0, []
    for token, chance in zip(kept, share, strict=True):
        if not allowed or before / total < top_p + 1e-6:
            allowed.append(token)
        before += chance
    generator = torch.Generator().manual_seed(seed)
    assert pick(logits, Draws(1, 1.0, 0, top_k, top_p), generator) in allowed


def test_draws_follow_the_chances():
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    generator = torch.Generator().manual_seed(1)
    draws = Draws(1, 1.0, 0, 3)
    counts = torch.bincount(torch.tensor([pick(logits, draws, generator) for _ in range(4000)]))
    assert len(counts) == 3
    expected = torch.tensor([0.5, 0.3, 0.15]) / 0.95
    assert (counts / 4000 - expected).abs().max() < 0.03


def test_seeds_differ_by_copy_and_draws_out_of_range_are_refused():
    draws = Draws(5, 1.0, 7)
    assert len({draws.seed_of(copy) for copy in range(100)} | {Draws(5, 1.0, 8).seed_of(0)}) == 101
    nan = float("nan")
    cut = [Draws(1, 1.0, 0, -1), *(Draws(1, 1.0, 0, 0, top_p) for top_p in (0.0, 1.1, nan))]
    for bad in (Draws(0, 1.0, 0), Draws(1, -1.0, 0), Draws(1, nan, 0), *cut):
        with pytest.raises(InputError):
            bad.check()


def test_a_model_is_that_of_the_snapshot():
    small = job()
    engine = alone(small)
    run(engine, small, 0)
    payload = memoryview(b"".join(engine.snapshot()[1]))
    model = load_model(small, [payload])
    parameters = dict(model.named_parameters())
    for slot in engine._state.layout.slots:
        assert torch.equal(parameters.pop(slot.name), engine._state.view(slot))
    assert not parameters
    with pytest.raises(CorruptData, match="another"):
        load_model(small, [payload[:-1]])
