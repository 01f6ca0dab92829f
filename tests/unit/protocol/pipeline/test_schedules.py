"""Every schedule is sound at every size, and takes the time and the memory that its paper says."""

from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from unit.protocol.pipeline.cases import Size, tables

from qmpi.config.parallel import PipelineSchedule
from qmpi.errors import InvariantError
from qmpi.protocol.pipeline.actions import Action, Pass, Table
from qmpi.protocol.pipeline.player import Costs
from qmpi.protocol.pipeline.programs import programs_of
from qmpi.protocol.pipeline.rehearsal import Rehearsal, rehearse
from qmpi.protocol.pipeline.schedules import forward_table, table_of

times = st.integers(1, 9)
costs = st.builds(
    Costs, forward=times, backward_input=times, backward_weight=times, transfer=st.integers(0, 3)
)
stages = st.integers(1, 6)
microbatches = st.integers(1, 14)


def played(table: Table, costs: Costs, room: int | None = None) -> Rehearsal:
    return rehearse(table.chain, programs_of(table), costs, room)


def timed(schedule: PipelineSchedule, size: Size, costs: Costs) -> Rehearsal:
    return played(table_of(schedule, *size), costs)


@given(tables(), costs, st.sampled_from([2, 3, None]))
def test_every_schedule_is_sound(table: Table, costs: Costs, room: int | None) -> None:
    assert played(table, costs, room).faults == ()


@example(2, 1, 2, Costs(forward=1, backward_input=1, backward_weight=1, transfer=2), 1)
@given(stages, st.integers(1, 3), microbatches, costs, st.sampled_from([1, None]))
def test_forward_passes_alone_come_to_their_end(
    stages: int, chunks: int, microbatches: int, costs: Costs, room: int | None
) -> None:
    table = forward_table(stages, chunks, microbatches)
    found = played(table, costs, room)
    assert not [fault for fault in found.faults if "waits for ever" in fault]
    every = [(chunk, number) for chunk in range(chunks) for number in range(microbatches)]
    for actions in table.actions:
        assert sorted((a.chunk, a.microbatch) for a in actions if a.work == Pass.FORWARD) == every
    # With room for one value a stage waits until the value before has arrived.
    if chunks == 1 and (room is None or costs.transfer <= costs.forward):
        assert found.time == costs.forward * (microbatches + stages - 1) + costs.transfer * (
            stages - 1
        )


@given(tables(("gpipe", "1f1b", "zero_bubble")), costs)
def test_with_one_chunk_one_value_that_waits_is_enough(table: Table, costs: Costs) -> None:
    assume(table.chain.chunks == 1)
    assert played(table, costs, room=1).faults == ()


@given(tables(("gpipe",)), costs)
def test_gpipe_needs_no_value_to_wait(table: Table, costs: Costs) -> None:
    assert played(table, costs, room=0).faults == ()


@pytest.mark.parametrize("schedule", ["1f1b", "interleaved", "zero_bubble"])
def test_the_others_stand_still_if_senders_wait_for_receivers(schedule: PipelineSchedule) -> None:
    rehearsal = played(table_of(schedule, 2, 1, 4), Costs(), room=0)
    assert all("waits for ever to send" in fault for fault in rehearsal.faults[:2])
    assert rehearsal.faults


@given(stages, microbatches, costs)
def test_gpipe_and_1f1b_wait_while_the_pipeline_fills_and_drains(
    stages: int, microbatches: int, costs: Costs
) -> None:
    size, whole = (stages, 1, microbatches), costs.of(Pass.FORWARD) + costs.of(Pass.BACKWARD)
    gpipe = timed("gpipe", size, costs)
    assert gpipe.time == (microbatches + stages - 1) * whole + 2 * (stages - 1) * costs.transfer
    at_once = Costs(
        forward=costs.forward,
        backward_input=costs.backward_input,
        backward_weight=costs.backward_weight,
    )
    one_by_one = timed("1f1b", size, at_once)
    assert one_by_one.time == (microbatches + stages - 1) * whole
    assert one_by_one.bubble == Fraction(stages - 1, microbatches + stages - 1)


@given(stages, st.integers(1, 4), st.integers(1, 3), times, times)
def test_chunks_divide_the_wait(
    stages: int, chunks: int, rounds: int, forward: int, backward: int
) -> None:
    count = stages * rounds
    costs = Costs(forward=forward, backward_input=backward, backward_weight=0)
    rehearsal = timed("interleaved", (stages, chunks, count), costs)
    waited = rehearsal.time - rehearsal.busy[0]
    # A stage takes `chunks` times as long for a microbatch as one of its chunks.
    assert Fraction(waited, rehearsal.busy[0]) == Fraction(stages - 1, count * chunks)
    assert rehearsal.bubble == Fraction(stages - 1, count * chunks + stages - 1)


@given(stages, microbatches, times)
def test_a_split_backward_pass_leaves_a_third_of_the_wait(
    stages: int, more: int, time: int
) -> None:
    size = (stages, 1, stages + more - 1)
    costs = Costs(forward=time, backward_input=time, backward_weight=time)
    split, whole = timed("zero_bubble", size, costs), timed("1f1b", size, costs)
    assert split.busy == whole.busy
    assert 3 * (split.time - split.busy[0]) == whole.time - whole.busy[0]
    assert split.time - split.busy[0] == (stages - 1) * time


@given(st.integers(2, 6), microbatches, times)
def test_a_chain_that_turns_back_leaves_half_of_that(stages: int, more: int, time: int) -> None:
    count = 2 * stages - 2 + more
    half = Costs(forward=time, backward_input=time, backward_weight=time)
    whole = Costs(forward=2 * time, backward_input=2 * time, backward_weight=2 * time)
    turned = timed("zero_bubble", (stages, 2, count), half)
    straight = timed("zero_bubble", (stages, 1, count), whole)
    assert turned.busy == straight.busy
    assert turned.time - turned.busy[0] == (stages - 1) * time
    assert 2 * (turned.time - turned.busy[0]) == straight.time - straight.busy[0]
    # In chunks, which are half as large: the memory of 1F1B.
    assert max(turned.alive) == 2 * stages


@given(stages, microbatches, times, times, times)
def test_a_split_backward_pass_never_waits_longer(
    stages: int, microbatches: int, forward: int, backward: int, weight: int
) -> None:
    size = (stages, 1, microbatches)
    costs = Costs(forward=forward, backward_input=backward, backward_weight=weight)
    assert timed("zero_bubble", size, costs).time <= timed("1f1b", size, costs).time


@given(stages, microbatches)
def test_activations_that_stages_hold(stages: int, microbatches: int) -> None:
    size, costs = (stages, 1, microbatches), Costs()
    later = [min(microbatches, stages - stage) for stage in range(stages)]
    assert timed("gpipe", size, costs).alive == (microbatches,) * stages
    assert list(timed("1f1b", size, costs).alive) == later
    split = timed("zero_bubble", size, costs)
    assert list(split.waited_for) == later
    assert split.alive == (min(microbatches, stages),) * stages


@given(stages, st.integers(2, 4), st.integers(1, 3))
def test_activations_that_stages_hold_with_chunks(stages: int, chunks: int, rounds: int) -> None:
    rehearsal = timed("interleaved", (stages, chunks, stages * rounds), Costs())
    assert list(rehearsal.alive) == [
        min(stages * rounds * chunks, 2 * (stages - stage - 1) + (chunks - 1) * stages + 1)
        for stage in range(stages)
    ]


def test_a_table_reads_as_the_papers_draw_it() -> None:
    def drawn(schedule: PipelineSchedule, size: Size) -> list[str]:
        letters = {
            Pass.FORWARD: "F", Pass.BACKWARD: "B", Pass.BACKWARD_INPUT: "I",
            Pass.BACKWARD_WEIGHT: "W",
        }  # fmt: skip

        def told(action: Action) -> str:
            chunk = "" if size[1] == 1 else str(action.chunk)
            return f"{letters[action.work]}{chunk}{action.microbatch}"

        return [" ".join(map(told, stage)) for stage in table_of(schedule, *size).actions]

    assert drawn("gpipe", (2, 1, 2)) == ["F0 F1 B0 B1"] * 2
    assert drawn("1f1b", (2, 1, 3)) == ["F0 F1 B0 F2 B1 B2", "F0 B0 F1 B1 F2 B2"]
    assert drawn("zero_bubble", (2, 1, 3)) == [
        "F0 F1 I0 W0 F2 I1 W1 I2 W2",
        "F0 I0 F1 I1 W0 F2 I2 W1 W2",
    ]
    assert drawn("interleaved", (2, 2, 2)) == [
        "F00 F01 F10 F11 B10 B11 B00 B01",
        "F00 F01 F10 B10 F11 B11 B00 B01",
    ]


@pytest.mark.parametrize(
    ("schedule", "size"),
    [("interleaved", (4, 2, 6)), ("1f1b", (4, 2, 8)), ("zero_bubble", (4, 3, 8))],
)
def test_pipelines_without_a_table_are_refused(schedule: PipelineSchedule, size: Size) -> None:
    with pytest.raises(InvariantError, match=f"{schedule} has no table for {size[2]} microbatches"):
        table_of(schedule, *size)
