"""The planner counts what a position of a team holds and sends as the engine does."""

from math import prod
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.load import parse_job
from qmpi.config.machine import Machine, NetworkShape, NodeShape, load_machine
from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.parallel import ParallelSettings, PipelineSchedule
from qmpi.config.parallel_checks import parallel_contradictions
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.model.partition import held_shapes, partitions
from qmpi.model.shape import state_bytes_of
from qmpi.planning.engine_time import engine_time
from qmpi.planning.memory import trainer_memory
from qmpi.planning.pipelines import kept_chunks, waiting_seconds
from qmpi.planning.position import at_stage, shape_at, stage_layers
from qmpi.planning.shape import parameters, shape_of
from qmpi.planning.team import heaviest, largest_part, team_state_bytes, team_time
from qmpi.planning.traffic import Traffic, rate, traffic
from qmpi.planning.workload import Counts, Workload, speeds_of_cores, workload
from qmpi.protocol.pipeline.player import Costs
from qmpi.protocol.pipeline.programs import programs_of
from qmpi.protocol.pipeline.rehearsal import rehearse
from qmpi.protocol.pipeline.schedules import table_of
from qmpi.protocol.teams import Layout

FLOATS = speeds_of_cores((1e11, 2e10, 1e10, 1e10, 1e9, 5e-6, False))
HALVES = replace(FLOATS, half=True)


def job_of(
    model: ModelSettings, parallel: ParallelSettings, trainers: int = 0, **train: Any
) -> Workload:
    wanted = Settings(
        model=model,
        parallel=parallel,
        train=TrainSettings(**train),
        optimizer=OptimizerSettings(kind=train.pop("kind", "adamw")),
    )
    counts = Counts(ranks=99, trainers=trainers or parallel.team_size)
    return workload(wanted, counts, Machine(), FLOATS, None)


@st.composite
def laid_out(draw: st.DrawFn) -> tuple[ModelSettings, ParallelSettings]:
    tensor, expert = draw(st.sampled_from([1, 2, 3])), draw(st.sampled_from([1, 2, 4]))
    experts = expert * draw(st.integers(1, 3)) if expert > 1 else draw(st.sampled_from([0, 0, 4]))
    layers, pipeline = draw(st.integers(1, 13)), draw(st.integers(1, 5))
    chunks = draw(st.integers(1, 3)) if pipeline > 1 else 1
    assume(pipeline * chunks <= layers)
    model = ModelSettings(
        vocab_size=draw(st.integers(256, 5000)),
        layers=layers,
        heads=12,
        kv_heads=6,
        width=12 * 2 * draw(st.integers(1, 4)),
        head_dim=draw(st.sampled_from([0, 8])),
        ffn_width=6 * draw(st.integers(1, 30)),
        tied_head=draw(st.booleans()),
        qk_norm=draw(st.booleans()),
        norm_place=draw(st.sampled_from(["pre", "post"])),
        window=draw(st.sampled_from([0, 16])),
        experts=experts,
        experts_per_token=min(2, max(1, experts)),
        shared_experts=draw(st.sampled_from([0, 1])) if experts else 0,
        expert_width=6 * draw(st.integers(1, 9)) if experts else 0,
        dense_layers=draw(st.integers(0, layers)) if experts else 0,
    )
    context = draw(st.sampled_from([1, 2]))
    return model, ParallelSettings(
        pipeline=pipeline,
        chunks=chunks,
        schedule="interleaved" if chunks > 1 else "1f1b",
        context=context,
        expert=expert,
        tensor=tensor,
    )


@given(laid_out())
@settings(max_examples=40, deadline=None)
def test_a_position_holds_what_the_partition_gives_it(
    given: tuple[ModelSettings, ParallelSettings],
) -> None:
    model, parallel = given
    layout = Layout.of(parallel)
    held = [sum(map(prod, shapes.values())) for shapes in held_shapes(model, parallel)]
    each = layout.size // parallel.pipeline
    counted = [parameters(shape_at(model, parallel, s)) for s in range(parallel.pipeline)]
    assert [held[each * stage] for stage in range(parallel.pipeline)] == counted
    assert max(held) == max(counted) == largest_part(job_of(model, parallel))


@given(laid_out())
@settings(max_examples=30, deadline=None)
def test_stages_have_the_layers_that_the_partition_deals(
    given: tuple[ModelSettings, ParallelSettings],
) -> None:
    model, parallel = given
    for part in partitions(model, parallel):
        dealt = tuple(number for blocks in part.blocks for number in blocks)
        assert stage_layers(model.layers, parallel, part.stage) == dealt


@given(laid_out(), st.sampled_from(["adamw", "muon"]))
@settings(max_examples=30, deadline=None)
def test_the_state_is_that_of_the_engine(
    given: tuple[ModelSettings, ParallelSettings], kind: Any
) -> None:
    model, parallel = given
    job = job_of(model, parallel)
    job = replace(job, settings=replace(job.settings, optimizer=OptimizerSettings(kind=kind)))
    shapes = held_shapes(model, parallel)
    states = [state_bytes_of(one, kind, "float32") for one in shapes]
    counted = max(at_stage(job, s).state_bytes for s in range(parallel.pipeline))
    assert counted == pytest.approx(max(states), abs=1024)
    # Rows of the vocabulary that do not divide are counted for all ranks of the axis.
    rows = 24 * model.width * parallel.team_size * 2
    assert team_state_bytes(job) == pytest.approx(sum(states), abs=rows + 1024 * len(states))


def test_a_team_of_one_is_the_trainer() -> None:
    model = ModelSettings(layers=5, window=9, experts=4, dense_layers=1, predict_ahead=1)
    assert shape_at(model, ParallelSettings(), 0) == shape_of(model)
    job = job_of(model, ParallelSettings())
    assert at_stage(job, 0) is job
    assert heaviest(job).memory == trainer_memory(job)
    assert team_time(job, FLOATS).time == engine_time(job, FLOATS)
    assert team_time(job, FLOATS).sent == {}


@given(
    st.sampled_from(["gpipe", "1f1b", "interleaved", "zero_bubble"]),
    st.integers(2, 6),
    st.integers(1, 4),
    st.integers(1, 4),
)
@settings(max_examples=25, deadline=None)
def test_a_pipeline_waits_and_keeps_as_its_table_does(
    schedule: PipelineSchedule, stages: int, chunks: int, rounds: int
) -> None:
    if schedule == "zero_bubble":
        chunks = min(2, chunks)
    else:
        chunks = chunks + 1 if schedule == "interleaved" else 1
    # ZB's claims are of pipelines that fill.
    microbatches = 2 * stages * rounds
    parallel = ParallelSettings(pipeline=stages, schedule=schedule, chunks=chunks)
    table = table_of(schedule, stages, chunks, microbatches)
    played = rehearse(table.chain, programs_of(table), Costs())
    assert not played.faults
    each = 3 * chunks * microbatches
    assert played.busy == (each,) * stages
    waits = waiting_seconds(parallel, [each] * stages, microbatches)
    assert played.time - each == pytest.approx(waits)
    for stage, kept in enumerate(played.alive):
        counted = kept_chunks(parallel, stage, microbatches)
        if schedule == "zero_bubble":
            assert kept <= counted
        else:
            assert kept == counted


BENCH = ModelSettings(vocab_size=1024, width=256, layers=4, heads=4, kv_heads=4, tied_head=False)
"""Of docs/benchmarks/teams_epyc-2core_2026-11-30.md."""
BATCH: dict[str, Any] = {"lanes": 1, "microbatches": 4, "sequences": 2, "sequence_tokens": 256}


def sent(model: ModelSettings, parallel: ParallelSettings, **train: Any) -> list[Traffic]:
    job = job_of(model, parallel, **{**BATCH, **train})
    return [one for s in range(parallel.pipeline) for one in traffic(at_stage(job, s), FLOATS)]


def test_along_tensor_travels_what_the_benchmark_has_to_send() -> None:
    (one,) = sent(BENCH, ParallelSettings(tensor=2))
    assert 2 * one.bytes == 75_497_472


def test_along_pipeline_travels_what_the_benchmark_has_to_send() -> None:
    stages = sent(BENCH, ParallelSettings(pipeline=2))
    assert sum(one.bytes for one in stages) == 4_194_304


def test_a_tied_head_borrows_its_table_and_gives_back_a_gradient_a_lane() -> None:
    tied = replace(BENCH, tied_head=True)
    first, last = sent(tied, ParallelSettings(pipeline=2), lanes=3)
    plain = [one.bytes for one in sent(BENCH, ParallelSettings(pipeline=2), lanes=3)]
    table = 1024 * 256 * 4
    assert [first.bytes - plain[0], last.bytes - plain[1]] == [table, 3 * table]


def test_along_context_travel_keys_values_and_the_whole_sum() -> None:
    (one,) = sent(BENCH, ParallelSettings(context=4))
    received = 3 / 4 * 2 * 2 * 256 * 256 * 4
    assert one.bytes == 4 * 4 * 2 * received
    whole = parameters(shape_of(BENCH))
    assert one.summed_bytes == 2 * 3 / 4 * 4 * whole


def test_along_expert_travel_tokens_for_each_of_their_experts() -> None:
    mixed = replace(BENCH, experts=8, experts_per_token=2, expert_width=64, dense_layers=1)
    (one,) = sent(mixed, ParallelSettings(expert=2), sequence_tokens=256)
    rows = 256 * 2 / 2
    assert one.bytes == 4 * 3 * (rows * (4 * 256 * 4 + 8) + 8 * 8)
    held = parameters(shape_at(mixed, ParallelSettings(expert=2), 0))
    assert one.summed_bytes == 4 * (held - 3 * 4 * 3 * 256 * 64)


def test_an_axis_that_leaves_the_node_has_its_adapters() -> None:
    model, parallel = replace(BENCH, heads=8, kv_heads=8), ParallelSettings(tensor=2, pipeline=4)
    slow = NetworkShape(node_gbytes=1.0, latency_us=2.0)
    machine = Machine(node=NodeShape(cores=4), network=slow)
    job = replace(job_of(model, parallel, trainers=8, **BATCH), machine=machine, most_nodes=0)
    inside, across = traffic(at_stage(job, 0), FLOATS)
    assert rate(job, inside) == pytest.approx(1.5e9)
    assert rate(job, across) == pytest.approx(0.8 * 1e9 / 4)
    alone = replace(job, most_nodes=1)
    assert rate(alone, across) == pytest.approx(1.5e9)


def test_more_ranks_a_team_take_less_memory_each() -> None:
    text = (Path(__file__).parents[3] / "jobs" / "node.toml").read_text(encoding="utf-8")
    for axis in ("tensor", "pipeline", "context"):
        whole, halved = (
            heaviest(
                workload(
                    parse_job(text, [f"parallel.{axis}={size}", "evaluation.every_steps=0"]),
                    Counts(ranks=20, trainers=8),
                    load_machine("h100"),
                    None,
                    None,
                )
            ).bytes
            for size in (1, 2)
        )
        assert halved < whole


def test_legal_layouts_alone_are_counted_here() -> None:
    model = replace(BENCH, experts=8, expert_width=64)
    wanted = Settings(model=model, parallel=ParallelSettings(expert=2, tensor=2, pipeline=2))
    assert not list(parallel_contradictions(wanted))
