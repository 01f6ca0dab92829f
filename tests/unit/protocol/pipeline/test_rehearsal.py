"""What is wrong with a pipeline is found, and named."""

from itertools import combinations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from unit.protocol.pipeline.cases import SCHEDULES, Size, tables

from qmpi.config.parallel import PipelineSchedule
from qmpi.protocol.pipeline.actions import Action, Chain, Pass, Table
from qmpi.protocol.pipeline.player import Costs
from qmpi.protocol.pipeline.programs import Compute, Program, Receive, Send, programs_of
from qmpi.protocol.pipeline.rehearsal import rehearse
from qmpi.protocol.pipeline.schedules import table_of

SIZE: Size = (2, 1, 3)
CHAIN = Chain(*SIZE)


def faults(chain: Chain, programs: list[Program]) -> str:
    return "\n".join(rehearse(chain, programs, Costs()).faults)


def damaged(stage: int, number: int, *, schedule: PipelineSchedule = "1f1b") -> list[Program]:
    """Return programs of two stages without one step."""
    programs = list(programs_of(table_of(schedule, *SIZE)))
    programs[stage] = programs[stage][:number] + programs[stage][number + 1 :]
    return programs


def where(program: Program, kind: type, nth: int = 0) -> int:
    return [number for number, step in enumerate(program) if isinstance(step, kind)][nth]


@given(tables(), st.data())
def test_any_step_that_is_missing_is_missed(table: Table, data: st.DataObject) -> None:
    programs = list(programs_of(table))
    stage = data.draw(st.integers(0, len(programs) - 1))
    number = data.draw(st.integers(0, len(programs[stage]) - 1))
    programs[stage] = programs[stage][:number] + programs[stage][number + 1 :]
    assert faults(table.chain, programs)


@given(tables(), st.data())
def test_any_step_that_is_done_twice_is_found(table: Table, data: st.DataObject) -> None:
    programs = list(programs_of(table))
    stage = data.draw(st.integers(0, len(programs) - 1))
    number = data.draw(st.integers(0, len(programs[stage]) - 1))
    programs[stage] = programs[stage][: number + 1] + programs[stage][number:]
    assert faults(table.chain, programs)


@given(tables(), st.data())
def test_swapped_values_of_one_way_are_found(table: Table, data: st.DataObject) -> None:
    programs = list(programs_of(table))
    stage = data.draw(st.integers(0, len(programs) - 1))
    kind = data.draw(st.sampled_from([Send, Receive]))
    steps = list(programs[stage])
    numbers = [number for number, step in enumerate(steps) if isinstance(step, kind)]
    pairs = [(a, b) for a, b in combinations(numbers, 2) if steps[a].peer == steps[b].peer]
    assume(pairs)
    one, other = data.draw(st.sampled_from(pairs))
    steps[one], steps[other] = steps[other], steps[one]
    programs[stage] = tuple(steps)
    assert faults(table.chain, programs)


@given(tables(), st.data())
def test_gradients_of_weights_out_of_order_are_found(table: Table, data: st.DataObject) -> None:
    stage = data.draw(st.integers(0, table.chain.stages - 1))
    actions = list(table.actions[stage])
    ends = [n for n, action in enumerate(actions) if action.work.ends_backward]
    chunk = data.draw(st.integers(0, table.chain.chunks - 1))
    ends = [n for n in ends if actions[n].chunk == chunk]
    assume(len(ends) > 1)
    one, other = sorted(data.draw(st.permutations(ends))[:2])
    actions[one], actions[other] = actions[other], actions[one]
    changed = (*table.actions[:stage], tuple(actions), *table.actions[stage + 1 :])
    programs = list(programs_of(Table(table.chain, changed)))
    assert faults(table.chain, programs)


def test_gradients_of_weights_in_the_order_of_gpipes_paper_are_named() -> None:
    table = table_of("gpipe", *SIZE)
    half = CHAIN.microbatches
    turned = tuple((*stage[:half], *reversed(stage[half:])) for stage in table.actions)
    told = faults(CHAIN, list(programs_of(Table(CHAIN, turned))))
    assert "microbatch 2 before backward weight of chunk 0 for microbatch 1" in told


def test_a_backward_pass_before_its_forward_pass_is_named() -> None:
    table = table_of("1f1b", *SIZE)
    last = list(table.actions[1])
    last[0], last[1] = last[1], last[0]
    programs = list(programs_of(Table(CHAIN, (table.actions[0], tuple(last)))))
    said = "stage 1 does backward of chunk 0 for microbatch 0 before forward of chunk 0"
    assert said in faults(CHAIN, programs)


def test_stages_that_wait_for_each_other_are_named() -> None:
    table = table_of("1f1b", *SIZE)
    # The first stage wants a gradient before it feeds the last one.
    eager = (Action(Pass.BACKWARD, 0, 0), *(a for a in table.actions[0] if a[0] != Pass.BACKWARD))
    programs = list(programs_of(Table(CHAIN, (eager, table.actions[1]))))
    told = faults(CHAIN, programs)
    assert "stage 0 waits for ever to receive from stage 1 the gradient for place 0" in told
    assert "stage 1 waits for ever to receive from stage 0 the activation for place 1" in told


@pytest.mark.parametrize(
    ("kind", "stage", "said"),
    [
        (Send, 0, "stage 1 expects activation for place 1, microbatch 0 of stage 0, and gets"),
        (Receive, 1, "stage 1 lacks the activation for place 1, microbatch 0"),
        (Compute, 0, "stage 0 sends what it has not: activation for place 1, microbatch 0"),
    ],
)
def test_a_step_that_is_missing_is_named(kind: type, stage: int, said: str) -> None:
    number = where(programs_of(table_of("1f1b", *SIZE))[stage], kind)
    assert said in faults(CHAIN, damaged(stage, number))


def test_a_value_that_nobody_takes_is_named() -> None:
    programs = list(programs_of(table_of("1f1b", *SIZE)))
    programs[0] = programs[0][:-2]
    assert "stage 0 leaves out backward" in faults(CHAIN, programs)
    assert "stage 0 never receives from stage 1 the gradient for place 0, microbatch 2" in faults(
        CHAIN, programs
    )


def test_an_action_of_another_pipeline_is_named() -> None:
    programs = list(programs_of(table_of("1f1b", *SIZE)))
    programs[1] += (Compute(Action(Pass.FORWARD, 0, 3)),)
    assert "stage 1 has no forward of chunk 0 for microbatch 3" in faults(CHAIN, programs)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_one_stage_exchanges_nothing(schedule: PipelineSchedule) -> None:
    (program,) = programs_of(table_of(schedule, 1, 1, 3))
    assert all(isinstance(step, Compute) for step in program)
