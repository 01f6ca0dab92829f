"""Jobs made from a size or a depth: what their names say, legal, and growing as the rules do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.config.checks import contradictions
from qmpi.config.describe import describe
from qmpi.config.load import parse_job
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.model.shape import parameter_count
from qmpi.planning.scaling import DEEPEST, batch, model_of_depth, scaled_job
from qmpi.planning.sizes import SIZES

UNITS = {"M": 10**6, "B": 10**9, "T": 10**12}


def step_tokens(settings: Settings) -> int:
    train = settings.train
    return train.lanes * train.microbatches * train.sequences * train.sequence_tokens


@pytest.mark.parametrize("name", SIZES)
def test_a_name_tells_the_parameters_within_a_tenth(name: str) -> None:
    said = int(name[:-1]) * UNITS[name[-1]]
    assert parameter_count(SIZES[name]) == pytest.approx(said, rel=0.1)


@pytest.mark.parametrize("name", SIZES)
def test_a_size_is_a_legal_job_that_reads_twenty_tokens_a_parameter(name: str) -> None:
    job = scaled_job(name.lower(), SIZES[name])
    assert contradictions(job) == []
    loaded = parse_job(describe(job, "a size"))
    assert (loaded.model, loaded.train, loaded.roles) == (job.model, job.train, job.roles)
    read = step_tokens(job) * job.train.steps
    assert read == pytest.approx(20 * parameter_count(job.model), rel=0.02)


@given(st.integers(1, DEEPEST))
def test_any_depth_is_a_legal_job(depth: int) -> None:
    job = scaled_job("deep", model_of_depth(depth))
    model = job.model
    assert contradictions(job) == []
    assert model.layers == depth
    assert 64 * depth <= model.width < 64 * depth + 128
    assert model.width == model.heads * (128 if depth >= 16 else 64)
    assert model.kv_heads == 1 or 4 * model.kv_heads <= model.heads


def test_three_depths_have_the_shapes_that_the_rules_give() -> None:
    small, middle, large = (scaled_job("deep", model_of_depth(n)) for n in (4, 12, 32))
    assert small.model == ModelSettings(layers=4, width=256, heads=4, kv_heads=1)
    assert middle.model == ModelSettings(
        layers=12, width=768, heads=12, kv_heads=3, vocab_size=32_768
    )
    assert large.model == ModelSettings(
        layers=32, width=2048, heads=16, kv_heads=4, vocab_size=131_072
    )
    assert [job.train.sequence_tokens for job in (small, middle, large)] == [256, 1024, 2048]
    tokens = [step_tokens(job) for job in (small, middle, large)]
    assert tokens == [32_768, 262_144, 2_097_152]
    assert [job.optimizer.learning_rate for job in (small, middle, large)] == [
        0.0038, 0.0017, 0.00084,
    ]  # fmt: skip


def test_deeper_is_larger_slower_and_longer() -> None:
    # The heads that share a key head go up and down, so neighbours may change places.
    jobs = [scaled_job("deep", model_of_depth(depth)) for depth in range(1, DEEPEST + 1, 8)]
    counts = [parameter_count(job.model) for job in jobs]
    rates = [job.optimizer.learning_rate for job in jobs]
    batches = [step_tokens(job) for job in jobs]
    assert counts == sorted(set(counts))
    assert rates == sorted(rates, reverse=True)
    assert batches == sorted(batches)


@given(st.floats(1.0, 1e10), st.sampled_from([256, 512, 1024, 2048, 4096]))
def test_a_batch_is_dealt_whole(tokens: float, length: int) -> None:
    train = batch(tokens, length)
    dealt = train.lanes * train.microbatches * train.sequences * length
    assert 8 <= train.lanes <= 4096
    assert dealt == 8 * length or 0.7 <= dealt / tokens <= 1.5
