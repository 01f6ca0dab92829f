"""The hyperparameter log: what holds for a step, what a change means, and which are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.batch import BatchSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.errors import ConfigError, InvariantError
from qmpi.policy.hyperparameters import (
    Log,
    block_of,
    carried_on,
    changes,
    first_hyperparameters,
    held_before,
    hyperparameters_at,
    lanes_of,
    log_of,
    rate_at,
    with_batch,
    with_halving,
    with_staged,
)
from qmpi.policy.roll_back import rolled_back
from qmpi.protocol.batch import Batch
from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.protocol.journal import RunOpened
from qmpi.protocol.roll_back import RollBack
from qmpi.protocol.staged import Staged
from qmpi.units import Digest, Step

LEVEL = OptimizerSettings(learning_rate=0.1, schedule="wsd", decay_share=0.0, warmup_steps=0)
COSINE = OptimizerSettings(learning_rate=0.1, schedule="cosine", warmup_steps=10)


def job(optimizer: OptimizerSettings = LEVEL, steps: int = 100, rate: float = 0.1) -> Settings:
    return Settings(
        train=TrainSettings(steps=steps), optimizer=replace(optimizer, learning_rate=rate)
    )


def opened(log: Log) -> RunOpened:
    return RunOpened(1.0, "id", 1, Digest("d"), (), (), "", 2, 4, log)


def test_a_run_that_goes_on_as_it_was_changes_nothing() -> None:
    log = (first_hyperparameters(job()),)
    assert carried_on(log, job(), 40) == log
    assert changes(log) == ()


def test_a_journal_without_a_log_means_what_the_run_was_begun_with() -> None:
    begun = (first_hyperparameters(job()),)
    assert log_of([], job()) == begun
    assert log_of([opened(())], job()) == begun
    longer = carried_on(begun, job(steps=200), 40)
    assert log_of([opened(begun), opened(longer)], job()) == longer


def test_each_step_has_what_held_for_it() -> None:
    log = carried_on((first_hyperparameters(job()),), job(steps=200, rate=0.05), 40)
    assert [record.first_step for record in log] == [0, 40]
    assert [rate_at(log, step) for step in (0, 39, 40, 199)] == [0.1, 0.1, 0.05, 0.05]
    assert changes(log) == (
        "from step 40 on: train.steps 100 -> 200, optimizer.learning_rate 0.1 -> 0.05",
    )
    with pytest.raises(InvariantError):
        hyperparameters_at((), 3)


def test_a_change_that_is_taken_back_before_a_step_is_no_change() -> None:
    log = (first_hyperparameters(job()),)
    assert carried_on(carried_on(log, job(rate=0.05), 40), job(), 40) == log


def test_who_goes_back_loses_the_changes_from_there_on() -> None:
    log = (first_hyperparameters(job()),)
    log = carried_on(log, job(rate=0.5), 40)
    log = carried_on(log, job(rate=0.9), 60)
    back = carried_on(log, job(rate=0.01), 40)
    assert [(r.first_step, r.optimizer.learning_rate) for r in back] == [(0, 0.1), (40, 0.01)]
    assert carried_on(log, job(rate=0.01), 0) == (first_hyperparameters(job(rate=0.01)),)


def test_a_run_is_not_made_shorter_than_what_is_done() -> None:
    with pytest.raises(ConfigError, match=r"40 steps are done; give more, or .*--back-to 30$"):
        carried_on((first_hyperparameters(job()),), job(steps=30), 40)


def test_who_is_told_to_go_back_is_told_the_whole_command() -> None:
    log = (first_hyperparameters(job(COSINE)),)
    with pytest.raises(ConfigError, match=r"--back-to 30 --replan$"):
        carried_on(log, job(COSINE, steps=30), 40)
    with pytest.raises(ConfigError, match=r"The run would end here, with the rate at 0\.\d+ of"):
        carried_on(log, job(COSINE, steps=30), 30)
    ended = carried_on(log, job(COSINE, steps=30), 30, replanned=True)
    assert ended[-1].steps == 30
    assert carried_on(ended, job(COSINE), 30) == log, "no step was trained with the change"


def test_a_cosine_is_never_bent_in_silence() -> None:
    log = (first_hyperparameters(job(COSINE)),)
    with pytest.raises(ConfigError, match=r"shape of the schedule would change.*--replan") as told:
        carried_on(log, job(COSINE, steps=200), 60)
    assert "from 100 to 200" in str(told.value)
    planned = carried_on(log, job(COSINE, steps=200), 60, replanned=True)
    assert [rate_at(planned, s) for s in range(60)] == [rate_at(log, s) for s in range(60)]
    assert rate_at(planned, 60) == pytest.approx(rate_at(log, 59), rel=0.02)
    assert rate_at(planned, 199) == pytest.approx(0.01, rel=0.05)
    assert "planned anew" in changes(planned)[0]
    # A lower rate scales the shape and keeps it; the warm-up is not past yet, so length is free.
    carried_on(log, job(COSINE, rate=0.05), 60)
    carried_on(log, job(COSINE, steps=200), 10)


def test_a_warm_up_that_follows_the_steps_is_told_as_their_change() -> None:
    log = (first_hyperparameters(job(replace(COSINE, warmup_steps=50))),)
    with pytest.raises(ConfigError) as told:
        carried_on(log, job(replace(COSINE, warmup_steps=4), steps=40), 20)
    why = "train.steps changes from 100 to 40, and the warm-up from 50 to 4 steps"
    assert why in str(told.value)
    assert "optimizer.warmup_steps" not in str(told.value)
    with pytest.raises(ConfigError, match=r"change: optimizer\.warmup_steps changes"):
        carried_on(log, job(replace(COSINE, warmup_steps=5), steps=40), 20)


def test_another_shape_is_refused_where_the_rate_would_jump() -> None:
    log = (first_hyperparameters(job(COSINE)),)
    with pytest.raises(ConfigError, match=r"optimizer\.schedule"):
        carried_on(log, job(replace(COSINE, schedule="wsd")), 60)
    level = (first_hyperparameters(job()),)
    kept = carried_on(level, job(replace(LEVEL, decay_share=0.2)), 60)
    assert rate_at(kept, 60) == 0.1
    assert rate_at(kept, 99) < 0.1


@given(
    st.lists(
        st.tuples(st.integers(0, 90), st.sampled_from([0.1, 0.2, 0.3]), st.integers(95, 120)),
        max_size=6,
    )
)
def test_a_log_is_always_in_order(wanted: list[tuple[int, float, int]]) -> None:
    log: Log = (first_hyperparameters(job()),)
    for step, rate, steps in wanted:
        before = log
        log = carried_on(log, job(rate=rate, steps=steps), step)
        firsts = [record.first_step for record in log]
        assert firsts == sorted(set(firsts))
        assert firsts[0] == 0
        assert rate_at(log, step) == rate
        assert log[-1].steps == steps
        assert [rate_at(log, s) for s in range(step)] == [rate_at(before, s) for s in range(step)]


def test_a_halving_holds_from_its_step_on_for_later_records_too() -> None:
    log = carried_on((first_hyperparameters(job()),), job(rate=0.5), 40)
    once = with_halving(log, 20)
    assert [(r.first_step, r.halvings) for r in once] == [(0, 0), (20, 1), (40, 1)]
    assert [r.optimizer for r in once] == [log[0].optimizer, *(r.optimizer for r in log)]
    twice = with_halving(once, 30)
    assert [(r.first_step, r.halvings) for r in twice] == [(0, 0), (20, 1), (30, 2), (40, 2)]
    # Steps from before are done again without memory: the record that follows says nothing new.
    anew = with_halving(with_halving((first_hyperparameters(job()),), 13), 11)
    assert [(r.first_step, r.halvings) for r in anew] == [(0, 0), (11, 1)]
    assert [r.halvings for r in with_halving(log, 0)] == [1, 1]
    assert changes(once)[0] == "from step 20 on: microbatches halved"
    resumed = carried_on(once, job(rate=0.25), 60)
    assert resumed[-1].halvings == 1


def test_a_batch_that_changes_begins_where_the_one_before_ended() -> None:
    few = replace(job(), batch=BatchSettings(first_lanes=2, grow="linear", grow_steps=10))
    most = few.train.lanes
    log = carried_on((first_hyperparameters(job()),), few, 40)
    assert [lanes_of(log, step, most) for step in (39, 40, 50)] == [most, 2, most]
    assert block_of(log, 40, 0, most) == 40 * most
    used = sum(lanes_of(log, step, most) for step in range(60))
    assert block_of(log, 60, 0, most) == used
    assert carried_on(log, few, 60) == log, "nothing changes"
    back = carried_on(log, job(), 60)
    assert block_of(back, 60, 1, most) == used + 1
    assert lanes_of(back, 60, most) == most
    assert changes(log)[0] == 'from step 40 on: batch.grow = "linear" from 2 lanes over 10 steps'


def test_what_was_decided_for_later_steps_holds_where_a_run_goes_on() -> None:
    few = replace(job(), batch=BatchSettings(first_lanes=1, grow="noise", grow_steps=5))
    log = (first_hyperparameters(few),)
    grown = replace(log[0].batch, since=Step(48), block=48, lanes=2)
    log = (*log, replace(log[0], first_step=Step(48), batch=grown))
    assert carried_on(log, few, 40, keeps_later=True) == log
    assert carried_on(log, few, 40) == log[:1], "but not where it goes back"
    slower = replace(few, optimizer=replace(few.optimizer, learning_rate=1e-4))
    changed = carried_on(log, slower, 40, keeps_later=True)
    assert [record.first_step for record in changed] == [0, 40]
    # A change of the user from before a loss of state is not made earlier than it was.
    log = carried_on((first_hyperparameters(job()),), job(rate=0.05), 40)
    assert carried_on(log, job(rate=0.05), 30, keeps_later=True) == log


def staged_log(*stages: tuple[int, Staged]) -> Log:
    """A log of 8 lanes in which stages set this from these steps on, the first from step 0."""
    first = first_hyperparameters(job())
    batch = Batch(BatchSettings(), 8, Step(0), 0, stages[0][1].lanes or 8)
    log: Log = (replace(first, staged=stages[0][1], batch=batch),)
    for step, staged in stages[1:]:
        log = with_staged(log, staged, step)
    return log


STAGES = st.lists(
    st.builds(Staged, st.floats(0.1, 2.0), st.integers(1, 8), st.integers(0, 64)),
    min_size=1,
    max_size=6,
).map(lambda told: [(10 * number, staged) for number, staged in enumerate(told)])


@given(STAGES)
def test_stages_set_rate_lanes_and_length_and_each_block_is_taken_once(
    stages: list[tuple[int, Staged]],
) -> None:
    log, block = staged_log(*stages), 0
    assert [held.first_step for held in log] == [step for step, _ in stages]
    for step in range(70):
        staged = stages[min(step // 10, len(stages) - 1)][1]
        assert hyperparameters_at(log, step).staged == staged
        assert rate_at(log, step) == 0.1 * staged.rate
        assert lanes_of(log, step, 8) == staged.lanes
        assert block_of(log, step, 0, 8) == block
        block += staged.lanes


@given(STAGES, st.integers(0, 60), st.booleans())
def test_who_goes_back_keeps_what_stages_have_set_up_to_the_step(
    stages: list[tuple[int, Staged]], step: int, replaces: bool
) -> None:
    log = staged_log(*stages)
    wanted = job(rate=0.3 if replaces else 0.1)
    for went in (held_before(log, step), carried_on(log, wanted, step)):
        firsts = [held.first_step for held in went]
        assert firsts == sorted(set(firsts))
        assert firsts[-1] <= step
        if step:
            kept, told = (
                [hyperparameters_at(each, s) for s in range(step)] for each in (went, log)
            )
            assert kept == told
            assert hyperparameters_at(went, step).staged == hyperparameters_at(log, step).staged
            assert lanes_of(went, step, 8) == lanes_of(log, step, 8)
    rolled = rolled_back(log, job(), RollBack(Step(step + 5), Step(step), 1000))
    assert rolled[-1].first_step == step
    assert block_of(rolled, step, 0, 8) == 1000
    if step:
        assert rolled[-1].staged == hyperparameters_at(log, step).staged
        assert lanes_of(rolled, step, 8) == lanes_of(log, step, 8)


def test_a_batch_that_grows_before_a_stage_that_is_planned_holds_under_it_too() -> None:
    noisy = BatchSettings(first_lanes=2, grow="noise", grow_steps=4)
    first = replace(first_hyperparameters(job()), batch=Batch(noisy, 8, Step(0), 0, 2))
    log = with_staged((replace(first, staged=Staged(0.5)),), Staged(0.7), 30)
    grown = Batch(noisy, 8, Step(20), 40, 4)
    told = with_batch(log, grown)
    assert [held.first_step for held in told] == [0, 20, 30]
    assert [(held.batch or grown).lanes for held in told] == [2, 4, 4]
    assert [(held.staged or Staged()).rate for held in told] == [0.5, 0.5, 0.7]
    same = with_batch(log, replace(grown, since=Step(30)))
    assert [held.first_step for held in same] == [0, 30]
    assert isinstance(same[1], Hyperparameters)
    assert changes(told) == (
        "from step 20 on: lanes 2 -> 4, as the noise scale says",
        "from step 30 on: rate times 0.5 -> 0.7",
    )


def test_what_stages_set_is_told() -> None:
    log = staged_log((0, Staged(0.5, 2, 16)), (10, Staged(1.0, 4)), (20, Staged(1.0, 8)))
    assert changes(log) == (
        "from step 10 on: lanes 2 -> 4, as the stage says, rate times 0.5 -> 1, "
        "sequences of 16 tokens -> whole",
        "from step 20 on: lanes 4 -> 8, as the stage says",
    )
