"""Section [parallel]: its older name, its place in the identity, what it is divided by."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config import parallel_checks
from qmpi.config.batch import BatchSettings
from qmpi.config.identity import differences, identity
from qmpi.config.load import dump_toml, parse_job, settings_digest
from qmpi.config.model import ModelSettings
from qmpi.config.parallel import ParallelSettings
from qmpi.config.parallel_checks import (
    context_faults,
    expert_faults,
    parallel_contradictions,
    pipeline_faults,
    tensor_faults,
)
from qmpi.config.parallel_gaps import parallel_gaps
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.errors import ConfigError

OLD = "[team]\npipeline = 1\ncontext = 1\nexpert = 1\ntensor = 1\n"

Check = Callable[[Settings], Iterator[str]]


def job(model: dict[str, Any], train: dict[str, Any], **parallel: Any) -> Settings:
    return Settings(
        model=ModelSettings(**model),
        train=TrainSettings(**train),
        parallel=ParallelSettings(**parallel),
    )


def told(check: Check, model: dict[str, Any], train: dict[str, Any], **parallel: Any) -> list[str]:
    return list(check(job(model, train, **parallel)))


def test_the_older_name_of_the_section_is_read() -> None:
    settings = parse_job(OLD)
    assert settings == parse_job("")
    assert settings_digest(settings) == settings_digest(parse_job(""))
    assert parse_job(dump_toml(settings)) == settings
    assert "[team]" not in dump_toml(settings)


def test_an_older_file_takes_overrides_by_the_name_of_today() -> None:
    assert parse_job(OLD, ["parallel.tensor=1"]) == parse_job("")
    assert parse_job("", ["team.tensor=1"]) == parse_job("")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[team]\nchunks = 2\n", "parallel.chunks = 2 does nothing while"),
        ("[team]\ntensors = 1\n", "did you mean parallel.tensor?"),
        ("team = 5\n", "written [parallel]"),
        ("[team]\ntensor = 1\n[parallel]\ntensor = 1\n", "older name of [parallel], and both"),
        ('[parallel]\nshard = "full"\n', "set parallel.context to 2 or more"),
        ('[parallel]\nshard = "full"\ntensor = 2\n', "set parallel.context to 2 or more"),
        ('[parallel]\nshard = "full"\ncontext = 128\n', "gives each of parallel.context = 128"),
        ('[parallel]\nschedule = "gpipe"\n', '"gpipe" does nothing while parallel.pipeline = 1'),
        ("[parallel]\nchunks = 2\n", "parallel.chunks = 2 does nothing while"),
        ('[parallel]\nschedule = "1f1f"\n', "did you mean '1f1b'?"),
    ],
)
def test_what_cannot_be_is_told_by_the_name_of_today(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_job(text)
    assert said in str(refused.value)


def test_how_moments_are_shared_out_is_no_part_of_an_identity() -> None:
    shared = parse_job('[parallel]\nshard = "optimizer"\n')
    assert identity(shared) == identity(parse_job(""))


def test_what_a_position_holds_is_part_of_an_identity() -> None:
    full = parse_job('[parallel]\nshard = "full"\ncontext = 2\n')
    other = parse_job("[parallel]\ncontext = 2\n")
    assert identity(full) != identity(other)
    assert differences(other, full) == ('parallel.shard is "none", not "full"',)
    moments = parse_job('[parallel]\nshard = "optimizer"\ncontext = 2\n')
    assert differences(full, moments) == ('parallel.shard is "full", not "optimizer"',)
    assert differences(full, full) == ()


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        ("pipeline", "leaves stages without a layer"),
        ("context", "takes two pieces of a sequence a rank"),
        ("expert", "model.experts = 0 is none"),
        ("tensor", "does not divide model.heads"),
    ],
)
def test_an_axis_that_is_computed_is_checked_instead_of_refused(
    axis: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if axis in parallel_checks.REFUSED:
        (refused,) = parallel_contradictions(job({}, {}, **{axis: 7}))
        assert "must be 1 in this version" in refused
    monkeypatch.setattr(parallel_checks, "REFUSED", ())
    assert any(said in checked for checked in parallel_contradictions(job({}, {}, **{axis: 7})))


SHARED: dict[str, tuple[dict[str, object], str]] = {
    "asked": ({"evaluation.every_steps": 5, "evaluation.problems": 6}, "evaluation.problems = 6"),
    "narrow": ({"train.masters": "bfloat16", "model.vocab_size": 4097}, "divide model.vocab_size"),
    "lanes": ({"train.lanes": 4096}, "are more than the exact sum has bits for"),
}


@pytest.mark.parametrize("name", SHARED)
def test_what_ranks_that_share_a_model_do_not_do_yet_is_refused_by_name(name: str) -> None:
    fields, said = SHARED[name]
    given = [f"{key}={json.dumps(value)}" for key, value in fields.items()]
    parse_job("", given)
    with pytest.raises(ConfigError) as refused:
        parse_job("", [*given, "parallel.tensor=2"])
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (["parallel.schedule=zero_bubble", "parallel.chunks=2"], "a chain that turns back"),
        (["parallel.schedule=zero_bubble", "train.compile=on"], "compiled layers do not"),
        (["model.predict_ahead=1"], "model.predict_ahead = 1 goes with parallel.tensor alone"),
        (["train.offload=activations"], "stages of a pipeline keep activations"),
    ],
)
def test_what_stages_do_not_do_yet_is_refused(fields: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_job("", [*fields, "parallel.pipeline=2"])
    assert said in str(refused.value)


@pytest.mark.parametrize("chunks", [2, 3])
def test_chunks_that_no_schedule_without_a_bubble_has_are_refused_once(chunks: int) -> None:
    fields = ["parallel.schedule=zero_bubble", f"parallel.chunks={chunks}", "model.layers=8"]
    with pytest.raises(ConfigError) as refused:
        parse_job("", [*fields, "parallel.pipeline=2"])
    assert str(refused.value).count("parallel.chunks") == 1
    assert 'set 1, or "interleaved"' in str(refused.value)


def test_order_of_work_is_no_part_of_the_identity_but_sizes_and_chunks_are() -> None:
    staged = job({}, {}, pipeline=2)
    assert differences(staged, job({}, {}, pipeline=2, schedule="gpipe")) == ()
    assert differences(staged, job({}, {}, pipeline=2, chunks=2)) == (
        "parallel.chunks is 1, not 2",
    )
    assert differences(Settings(), staged) == ("parallel.pipeline is 1, not 2",)


def test_a_matrix_is_cut_where_all_of_it_divides() -> None:
    model = {"width": 96, "heads": 6, "kv_heads": 2, "ffn_width": 256}
    assert told(tensor_faults, model, {}, tensor=2) == []
    assert told(tensor_faults, model, {}, tensor=3) == [
        "parallel.tensor = 3 does not divide model.kv_heads = 2, nor model.ffn_width = 256, nor "
        "the tokens of a microbatch, train.sequences x train.sequence_tokens = 512: 1 or 2 would"
    ]


def test_a_rank_of_the_context_axis_has_some_tokens_of_a_microbatch() -> None:
    model = {"width": 96, "heads": 6, "kv_heads": 6, "ffn_width": 256}
    train = {"sequences": 1, "sequence_tokens": 12}
    assert told(tensor_faults, model, train, tensor=2, context=3) == []
    assert told(tensor_faults, model, train, tensor=2, context=4) == [
        "parallel.tensor = 2 does not divide the tokens of a microbatch, train.sequences x "
        "train.sequence_tokens / parallel.context = 3: only 1 would"
    ]


@pytest.mark.parametrize("axis", ["context", "expert"])
def test_noise_is_not_measured_where_ranks_share_what_lanes_are_of(axis: str) -> None:
    settings = job({"experts": 4}, {}, **{axis: 2})
    settings = replace(settings, batch=BatchSettings(noise_scale=True))
    (fault,) = parallel_gaps(settings)
    assert "the noise of gradients is not measured where ranks share" in fault
    for whole in (ParallelSettings(tensor=2), ParallelSettings(pipeline=2)):
        assert list(parallel_gaps(replace(settings, parallel=whole))) == []


def test_a_capacity_does_not_go_together_with_cut_sequences() -> None:
    model = {"experts": 4, "capacity_factor": 1.5}
    (fault,) = told(parallel_gaps, model, {}, context=2)
    assert "model.capacity_factor = 1.5" in fault
    assert told(parallel_gaps, {"experts": 4}, {}, context=2) == []


def test_shares_of_the_context_axis_need_bits_too() -> None:
    (fault,) = told(parallel_gaps, {}, {"lanes": 2048}, context=4)
    assert "train.lanes x parallel.tensor x context x expert = 8192" in fault


def test_hidden_features_of_experts_are_cut_too() -> None:
    model = {"experts": 4, "expert_width": 33, "ffn_width": 31, "heads": 4, "kv_heads": 4}
    (fault,) = told(tensor_faults, model, {}, tensor=2)
    assert "divide model.expert_width = 33: only 1 would" in fault
    assert "ffn_width" not in fault
    (fault,) = told(tensor_faults, {**model, "dense_layers": 1}, {}, tensor=2)
    assert "model.ffn_width = 31, nor model.expert_width = 33" in fault


def test_each_rank_has_a_row_of_the_vocabulary() -> None:
    model = {"vocab_size": 256, "width": 1024, "heads": 512, "kv_heads": 512, "ffn_width": 512}
    assert told(tensor_faults, model, {}, tensor=512) == [
        "parallel.tensor = 512 is above model.vocab_size = 256"
    ]


@given(
    heads=st.integers(1, 48),
    groups=st.integers(1, 4),
    hidden=st.integers(1, 200),
    tokens=st.integers(8, 99),
    size=st.integers(2, 64),
)
def test_sizes_that_are_named_would_do(
    heads: int, groups: int, hidden: int, tokens: int, size: int
) -> None:
    model = {"heads": heads * groups, "kv_heads": heads, "ffn_width": hidden}
    train = {"sequence_tokens": tokens, "sequences": 3}
    faults = told(tensor_faults, model, train, tensor=size)
    divided = not any(n % size for n in (heads, hidden, 3 * tokens))
    assert (faults == []) == divided
    for fault in faults:
        named = fault.rpartition(": ")[2].removeprefix("only ").removesuffix(" would")
        for good in map(int, named.replace(" or ", ", ").split(", ")):
            assert told(tensor_faults, model, train, tensor=good) == []


@pytest.mark.parametrize(
    ("model", "train", "parallel", "said"),
    [
        ({"layers": 3}, {}, {"pipeline": 4}, "without a layer: there are 3, model.layers = 3"),
        ({"layers": 4}, {}, {"pipeline": 2, "chunks": 2}, '"1f1b" has a use for: 1, or'),
        (
            {"layers": 5},
            {},
            {"pipeline": 3, "chunks": 2, "schedule": "zero_bubble"},
            "parallel.pipeline = 3 x parallel.chunks = 2 leaves stages without a layer",
        ),
        (
            {"layers": 8},
            {"microbatches": 4},
            {"pipeline": 2, "schedule": "interleaved"},
            "parallel.chunks = 1 interleaves nothing",
        ),
        (
            {"layers": 12},
            {"microbatches": 4},
            {"pipeline": 2, "schedule": "interleaved", "chunks": 4},
            "= 8 does not divide model.layers = 12: of chunks 2, 3 or 6 would",
        ),
        (
            {"layers": 8},
            {"microbatches": 3},
            {"pipeline": 2, "schedule": "interleaved", "chunks": 2},
            "rounds of parallel.pipeline = 2, which does not divide train.microbatches = 3",
        ),
    ],
)
def test_what_does_not_fit_a_pipeline_is_told(
    model: dict[str, Any], train: dict[str, Any], parallel: dict[str, Any], said: str
) -> None:
    (fault,) = told(pipeline_faults, model, train, **parallel)
    assert said in fault


@pytest.mark.parametrize(
    ("model", "train", "parallel"),
    [
        ({"layers": 3, "predict_ahead": 1}, {}, {"pipeline": 4}),
        ({"layers": 4}, {"microbatches": 1}, {"pipeline": 4, "schedule": "zero_bubble"}),
        ({"layers": 9}, {}, {"pipeline": 4, "chunks": 2, "schedule": "zero_bubble"}),
        (
            {"layers": 12},
            {"microbatches": 6},
            {"pipeline": 2, "schedule": "interleaved", "chunks": 3},
        ),
    ],
)
def test_what_fits_a_pipeline_is_not(
    model: dict[str, Any], train: dict[str, Any], parallel: dict[str, Any]
) -> None:
    assert told(pipeline_faults, model, train, **parallel) == []


@pytest.mark.parametrize(
    ("tokens", "size", "said"),
    [
        (128, 4, ""),
        (24, 8, "16 do not divide train.sequence_tokens = 24: 1, 2, 3, 4, 6 or 12 would"),
        (9, 2, "no size would"),
    ],
)
def test_a_sequence_is_cut_into_mirrored_pieces(tokens: int, size: int, said: str) -> None:
    faults = told(context_faults, {}, {"sequence_tokens": tokens}, context=size)
    assert (not said and not faults) or said in faults[0]


@pytest.mark.parametrize(
    ("experts", "sequences", "size", "said"),
    [
        (8, 4, 4, ""),
        (0, 4, 4, "model.experts = 0 is none"),
        (6, 4, 4, "does not divide model.experts = 6: 1 or 2 would"),
        (8, 6, 4, "does not divide train.sequences = 6: 1 or 2 would"),
    ],
)
def test_experts_and_sequences_are_shared_out(
    experts: int, sequences: int, size: int, said: str
) -> None:
    train = {"microbatches": 4, "sequences": sequences}
    faults = told(expert_faults, {"experts": experts}, train, expert=size)
    assert (not said and not faults) or said in faults[0]


def test_rows_of_the_stream_are_those_of_the_sequences_that_a_rank_has() -> None:
    model = {"experts": 4, "heads": 4, "kv_heads": 4, "expert_width": 32}
    train = {"sequences": 2, "sequence_tokens": 9}
    assert told(tensor_faults, model, train, tensor=2) == []
    (fault,) = told(tensor_faults, model, train, tensor=2, expert=2)
    assert "train.sequence_tokens / parallel.expert = 9: only 1 would" in fault


@pytest.mark.parametrize(
    ("model", "batch", "said"),
    [
        ({"capacity_factor": 1.5}, {}, "model.capacity_factor = 1.5 drops tokens in the order"),
        ({}, {"halve_microbatches": True}, "batch.halve_microbatches = true: ranks that share"),
    ],
)
def test_what_needs_a_whole_microbatch_is_refused_where_experts_are_shared_out(
    model: dict[str, Any], batch: dict[str, Any], said: str
) -> None:
    settings = job({"experts": 4, **model}, {"sequences": 2}, expert=2)
    settings = replace(settings, batch=BatchSettings(**batch))
    (fault,) = parallel_gaps(settings)
    assert said in fault
    assert list(parallel_gaps(replace(settings, parallel=ParallelSettings(tensor=2)))) == []
