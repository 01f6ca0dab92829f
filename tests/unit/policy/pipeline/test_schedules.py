"""Every schedule is sound at every size, and takes the time and the memory that its paper says."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.policy.pipeline.cases import tables

from qmpi.errors import InvariantError
from qmpi.policy.pipeline.actions import Action, Chain, Pass, Table
from qmpi.policy.pipeline.player import Costs
from qmpi.policy.pipeline.programs import programs_of
from qmpi.policy.pipeline.rehearsal import Rehearsal, rehearse
from qmpi.policy.pipeline.schedules import Schedule, table_of

times = st.integers(1, 9)
costs = st.builds(
    Costs, forward=times, backward_input=times, backward_weight=times, transfer=st.integers(0, 3)
)
stages = st.integers(1, 6)
microbatches = st.integers(1, 14)


def played(table: Table, costs: Costs, room: int | None = None) -> Rehearsal:
    return rehearse(table.chain, programs_of(table), costs, room)


def timed(schedule: Schedule, chain: Chain, costs: Costs) -> Rehearsal:
    return played(table_of(schedule, chain), costs)


@given(tables(), costs, st.sampled_from([2, 3, None]))
def test_every_schedule_is_sound(table: Table, costs: Costs, room: int | None) -> None:
    assert played(table, costs, room).faults == ()


@given(tables(("gpipe", "1f1b", "zero_bubble")), costs)
def test_with_one_chunk_one_value_that_waits_is_enough(table: Table, costs: Costs) -> None:
    assert played(table, costs, room=1).faults == ()


@given(tables(("gpipe",)), costs)
def test_gpipe_needs_no_value_to_wait(table: Table, costs: Costs) -> None:
    assert played(table, costs, room=0).faults == ()


@pytest.mark.parametrize("schedule", ["1f1b", "interleaved", "zero_bubble"])
def test_the_others_stand_still_if_senders_wait_for_receivers(schedule: Schedule) -> None:
    rehearsal = played(table_of(schedule, Chain(2, 1, 4)), Costs(), room=0)
    assert all("waits for ever to send" in fault for fault in rehearsal.faults[:2])
    assert rehearsal.faults


@given(stages, microbatches, costs)
def test_gpipe_and_1f1b_wait_while_the_pipeline_fills_and_drains(
    stages: int, microbatches: int, costs: Costs
) -> None:
    chain, whole = Chain(stages, 1, microbatches), costs.of(Pass.FORWARD) + costs.of(Pass.BACKWARD)
    gpipe = timed("gpipe", chain, costs)
    assert gpipe.time == (microbatches + stages - 1) * whole + 2 * (stages - 1) * costs.transfer
    at_once = Costs(
        forward=costs.forward,
        backward_input=costs.backward_input,
        backward_weight=costs.backward_weight,
    )
    one_by_one = timed("1f1b", chain, at_once)
    assert one_by_one.time == (microbatches + stages - 1) * whole
    assert one_by_one.bubble == Fraction(stages - 1, microbatches + stages - 1)


@given(stages, st.integers(1, 4), st.integers(1, 3), times, times)
def test_chunks_divide_the_wait(
    stages: int, chunks: int, rounds: int, forward: int, backward: int
) -> None:
    count = stages * rounds
    costs = Costs(forward=forward, backward_input=backward, backward_weight=0)
    rehearsal = timed("interleaved", Chain(stages, chunks, count), costs)
    waited = rehearsal.time - rehearsal.busy[0]
    # A stage takes `chunks` times as long for a microbatch as one of its chunks.
    assert Fraction(waited, rehearsal.busy[0]) == Fraction(stages - 1, count * chunks)
    assert rehearsal.bubble == Fraction(stages - 1, count * chunks + stages - 1)


@given(stages, microbatches, times)
def test_a_split_backward_pass_leaves_a_third_of_the_wait(
    stages: int, more: int, time: int
) -> None:
    chain = Chain(stages, 1, stages + more - 1)
    costs = Costs(forward=time, backward_input=time, backward_weight=time)
    split, whole = timed("zero_bubble", chain, costs), timed("1f1b", chain, costs)
    assert split.busy == whole.busy
    assert 3 * (split.time - split.busy[0]) == whole.time - whole.busy[0]
    assert split.time - split.busy[0] == (stages - 1) * time


@given(stages, microbatches, times, times, times)
def test_a_split_backward_pass_never_waits_longer(
    stages: int, microbatches: int, forward: int, backward: int, weight: int
) -> None:
    chain = Chain(stages, 1, microbatches)
    costs = Costs(forward=forward, backward_input=backward, backward_weight=weight)
    assert timed("zero_bubble", chain, costs).time <= timed("1f1b", chain, costs).time


@given(stages, microbatches)
def test_activations_that_stages_hold(stages: int, microbatches: int) -> None:
    chain, costs = Chain(stages, 1, microbatches), Costs()
    later = [min(microbatches, stages - stage) for stage in range(stages)]
    assert timed("gpipe", chain, costs).alive == (microbatches,) * stages
    assert list(timed("1f1b", chain, costs).alive) == later
    split = timed("zero_bubble", chain, costs)
    assert list(split.waited_for) == later
    assert split.alive == (min(microbatches, stages),) * stages


@given(stages, st.integers(2, 4), st.integers(1, 3))
def test_activations_that_stages_hold_with_chunks(stages: int, chunks: int, rounds: int) -> None:
    rehearsal = timed("interleaved", Chain(stages, chunks, stages * rounds), Costs())
    assert list(rehearsal.alive) == [
        min(stages * rounds * chunks, 2 * (stages - stage - 1) + (chunks - 1) * stages + 1)
        for stage in range(stages)
    ]


def test_a_table_reads_as_the_papers_draw_it() -> None:
    def drawn(schedule: Schedule, chain: Chain) -> list[str]:
        letters = {
            Pass.FORWARD: "F", Pass.BACKWARD: "B", Pass.BACKWARD_INPUT: "I",
            Pass.BACKWARD_WEIGHT: "W",
        }  # fmt: skip

        def told(action: Action) -> str:
            chunk = "" if chain.chunks == 1 else str(action.chunk)
            return f"{letters[action.work]}{chunk}{action.microbatch}"

        return [" ".join(map(told, stage)) for stage in table_of(schedule, chain).actions]

    assert drawn("gpipe", Chain(2, 1, 2)) == ["F0 F1 B0 B1"] * 2
    assert drawn("1f1b", Chain(2, 1, 3)) == ["F0 F1 B0 F2 B1 B2", "F0 B0 F1 B1 F2 B2"]
    assert drawn("zero_bubble", Chain(2, 1, 3)) == [
        "F0 F1 I0 W0 F2 I1 W1 I2 W2",
        "F0 I0 F1 I1 W0 F2 I2 W1 W2",
    ]
    assert drawn("interleaved", Chain(2, 2, 2)) == [
        "F00 F01 F10 F11 B10 B11 B00 B01",
        "F00 F01 F10 B10 F11 B11 B00 B01",
    ]


def test_chains_without_a_table_are_refused() -> None:
    with pytest.raises(InvariantError, match="whole rounds of 4"):
        table_of("interleaved", Chain(4, 2, 6))
    with pytest.raises(InvariantError, match="one chunk a stage, not 2"):
        table_of("1f1b", Chain(4, 2, 8))
