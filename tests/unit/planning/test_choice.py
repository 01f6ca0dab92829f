"""`parallel = "auto"`: what is chosen is legal, fits, and is the fastest that does."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.evaluation import EvaluationSettings
from qmpi.config.machine import Machine, NetworkShape, NodeShape, load_machine
from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.parallel import ParallelSettings
from qmpi.config.parallel_checks import parallel_contradictions
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.planning.candidates import candidates, fault_of
from qmpi.planning.choice import Choice, choose, why
from qmpi.planning.wording import layout_text
from qmpi.planning.workload import Counts

MODEL = ModelSettings(
    vocab_size=4096, layers=6, width=512, heads=8, kv_heads=4, ffn_width=1536, tied_head=False
)


def dealt(trainers: int, size: int) -> Counts | None:
    if size > trainers:
        return None
    return Counts(ranks=trainers + 5, trainers=trainers // size * size, spares=trainers % size)


def chosen(job: Settings, machine: Machine, trainers: int, nodes: int = 0) -> Choice:
    return choose(job, machine, lambda size: dealt(trainers, size), nodes)


def small(**machine: Any) -> Machine:
    return Machine(
        node=NodeShape(**{"cores": 4, "memory_gib": 16.0, "core_gflops": 50.0, **machine})
    )


@st.composite
def jobs(draw: st.DrawFn) -> Settings:
    experts = draw(st.sampled_from([0, 0, 4]))
    return Settings(
        model=replace(
            MODEL,
            experts=experts,
            expert_width=256 * bool(experts),
            tied_head=draw(st.booleans()),
            layers=draw(st.integers(1, 7)),
        ),
        train=TrainSettings(
            lanes=draw(st.integers(1, 12)),
            microbatches=draw(st.integers(1, 4)),
            sequences=draw(st.sampled_from([1, 2, 4])),
            sequence_tokens=draw(st.sampled_from([64, 96, 1024])),
            threads=1,
        ),
        optimizer=OptimizerSettings(kind=draw(st.sampled_from(["adamw", "muon"]))),
        evaluation=EvaluationSettings(every_steps=draw(st.sampled_from([0, 0, 5]))),
    )


@given(jobs(), st.integers(1, 8), st.floats(1.0, 12.0))
@bounded(max_examples=25, deadline=None)
def test_the_choice_is_legal_fits_and_is_the_fastest_that_does(
    job: Settings, trainers: int, gib: float
) -> None:
    found = chosen(job, small(memory_gib=gib), trainers)
    assert found == chosen(job, small(memory_gib=gib), trainers)
    assert found.options[0].parallel.team_size <= trainers
    for option in found.options:
        wanted = replace(job, parallel=option.parallel)
        assert not list(parallel_contradictions(wanted))
        assert option.teams * option.parallel.team_size <= trainers
        assert option.fits == (option.memory_bytes <= option.room_bytes)
    best = found.chosen
    fitting = [option for option in found.options if option.fits]
    assert (best is None) == (not fitting)
    if best is not None:
        assert best.fits
        assert best.step_seconds == min(option.step_seconds for option in fitting)
        assert layout_text(best.parallel) in why(found)[0]
    assert len({option.parallel for option in found.options}) == len(found.options)


@given(jobs(), st.integers(1, 8), st.floats(0.5, 8.0), st.floats(1.0, 4.0))
@bounded(max_examples=15, deadline=None)
def test_more_memory_never_slows_the_choice(
    job: Settings, trainers: int, gib: float, more: float
) -> None:
    little = chosen(job, small(memory_gib=gib), trainers).chosen
    much = chosen(job, small(memory_gib=gib * more), trainers).chosen
    if little is not None:
        assert much is not None
        assert much.step_seconds <= little.step_seconds


@given(jobs(), st.integers(1, 12))
@bounded(max_examples=25, deadline=None)
def test_every_small_legal_layout_is_a_candidate(job: Settings, most: int) -> None:
    listed = set(candidates(job, most))
    assert ParallelSettings() in listed
    for tensor, context, pipeline in [(t, c, p) for t in (1, 2) for c in (1, 2) for p in (1, 2, 3)]:
        one = ParallelSettings(tensor=tensor, context=context, pipeline=pipeline)
        wanted = one.team_size <= most and not fault_of(job, one)
        assert (one in listed) == wanted


WIDE = Settings(
    model=replace(MODEL, width=2048, heads=16, kv_heads=16, layers=8, ffn_width=8192),
    train=TrainSettings(lanes=8, microbatches=4, sequences=1, sequence_tokens=256, threads=1),
)


def test_one_rank_is_chosen_where_it_fits_and_is_fastest() -> None:
    many = TrainSettings(lanes=8, microbatches=8, sequences=2, sequence_tokens=1024, threads=1)
    found = chosen(replace(WIDE, model=MODEL, train=many), small(memory_gib=256.0), 4)
    assert found.chosen is not None
    assert found.chosen.parallel == ParallelSettings()
    first, *others = why(found)
    assert first.startswith("one rank: ")
    assert "the fastest of" in first
    assert len(others) == 3
    assert all("slower" in words for words in others)


def test_a_model_that_does_not_fit_one_rank_is_shared() -> None:
    found = chosen(WIDE, small(memory_gib=40.0), 4)
    assert found.chosen is not None
    assert found.chosen.parallel.team_size > 1
    assert any(
        words.startswith("not one rank:") and "a rank needs" in words for words in why(found)
    )


def test_where_nothing_fits_the_nearest_are_told() -> None:
    found = chosen(WIDE, small(memory_gib=4.0), 4)
    assert found.chosen is None
    told = why(found)
    assert len(told) == 3
    assert all("a rank needs" in words and "may have" in words for words in told)
    needs = [option.memory_bytes for option in found.options]
    (nearest,) = [one for one in found.options if one.memory_bytes == min(needs)][:1]
    assert layout_text(nearest.parallel) in told[0]


def test_what_a_job_asks_for_beside_is_said_to_refuse_teams() -> None:
    job = replace(WIDE, evaluation=EvaluationSettings(every_steps=5))
    found = chosen(job, small(memory_gib=256.0), 4)
    assert [one.parallel for one in found.options] == [ParallelSettings()]
    (refusal,) = found.refused
    assert "evaluation.problems = 64" in refusal.why


def test_gpus_that_nobody_describes_are_not_guessed() -> None:
    job = replace(WIDE, train=replace(WIDE.train, device="cuda"))
    assert chosen(job, small(gpus=4), 4).options == ()


def test_a_slow_network_keeps_teams_on_a_host() -> None:
    job = replace(WIDE, train=replace(WIDE.train, sequence_tokens=512))
    slow = NetworkShape(node_gbytes=0.001)
    machine = replace(small(memory_gib=40.0, cores=2), network=slow)
    found = chosen(job, machine, 4)
    on_one = [one for one in found.options if one.parallel.team_size == 2]
    across = [one for one in found.options if one.parallel.team_size == 4]
    assert min(one.step_seconds for one in across) > min(one.step_seconds for one in on_one)


@pytest.mark.parametrize("name", ["h100", "a100"])
def test_a_large_model_is_shared_on_gpus(name: str) -> None:
    model = ModelSettings(
        vocab_size=32_768, layers=32, width=4096, heads=32, kv_heads=8, ffn_width=14_336
    )
    job = Settings(
        model=model,
        train=TrainSettings(lanes=16, microbatches=8, sequences=1, sequence_tokens=2048),
    )
    found = chosen(job, load_machine(name), 16)
    assert found.chosen is not None
    assert found.chosen.parallel.team_size > 1
    assert not next(one for one in found.options if one.parallel == ParallelSettings()).fits


def test_cores_of_which_no_file_tells_are_planned_in_float32() -> None:
    job, unknown = replace(WIDE, parallel=ParallelSettings()), small(core_gflops=0.0)
    wide = replace(job, train=replace(job.train, precision="float32"))
    narrow = replace(job, train=replace(job.train, precision="bfloat16"))
    open_, full, half = (chosen(one, unknown, 1).options[0] for one in (job, wide, narrow))
    assert open_.memory_bytes == full.memory_bytes > half.memory_bytes
