"""Where a run goes by itself: never too far, onto data that no step that is given up has seen."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.batch import BatchSettings
from qmpi.config.guard import GuardSettings
from qmpi.config.settings import Settings, SnapshotSettings
from qmpi.config.train import TrainSettings
from qmpi.policy.hyperparameters import (
    Log,
    block_of,
    carried_on,
    changes,
    first_hyperparameters,
    hyperparameters_at,
    lanes_of,
    rate_at,
)
from qmpi.policy.roll_back import (
    may_roll_back,
    roll_back_text,
    roll_back_to,
    rolled_back,
    step_before,
    step_with_copy,
)
from qmpi.protocol.roll_back import RollBack

MOST = 9
GUARD = GuardSettings(loss_spike=4.0, action="roll_back", back_steps=10, most_roll_backs=2)


@st.composite
def jobs(draw: st.DrawFn) -> Settings:
    grow = draw(st.sampled_from(["none", "linear", "doubling", "noise"]))
    first = draw(st.integers(1, MOST))
    rule = BatchSettings(first_lanes=first, grow=grow, grow_steps=draw(st.integers(1, 60)))
    batch = draw(st.sampled_from([BatchSettings(), rule]))
    return Settings(train=TrainSettings(steps=400, lanes=MOST), batch=batch, guard=GUARD)


def blocks(log: Log, steps: range) -> list[int]:
    """Return the blocks that some steps train on."""
    return [
        block
        for step in steps
        for first in [block_of(log, step, 0, MOST)]
        for block in range(first, first + lanes_of(log, step, MOST))
    ]


@given(jobs(), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), max_size=3))
def test_the_stream_goes_on_behind_each_spike_and_lanes_grow_as_they_would(job, spikes):
    log: Log = (first_hyperparameters(job),)
    given_up: set[int] = set()
    step = spike = 0
    for later, back in spikes:
        # What was done before going back stands, so the next spike comes no earlier.
        spike = step + later
        step = max(0, spike - back)
        told = roll_back_to(log, spike, step, MOST)
        longer = rolled_back(log, job, told)
        assert blocks(longer, range(step)) == blocks(log, range(step))
        given_up.update(blocks(log, range(step, spike + 1)))
        first = block_of(longer, step, 0, MOST)
        assert first == told.block == max(blocks(log, range(spike + 1))) + 1
        for ahead in range(0, 90, 7):
            assert lanes_of(longer, ahead, MOST) == lanes_of(log, ahead, MOST)
            assert rate_at(longer, ahead) == rate_at(log, ahead)
        log = longer
    used = blocks(log, range(90))
    assert len(set(used)) == len(used), "each block once"
    assert given_up.isdisjoint(blocks(log, range(step, 90)))
    first_steps = [record.first_step for record in log]
    assert first_steps == sorted(set(first_steps))
    assert first_steps[0] == 0


@given(jobs(), st.integers(0, 90), st.integers(0, 40))
def test_a_run_that_goes_on_as_it_is_keeps_what_a_roll_back_wrote(job, spike, back):
    log = (first_hyperparameters(job),)
    step = max(0, spike - back)
    longer = rolled_back(log, job, roll_back_to(log, spike, step, MOST))
    assert carried_on(longer, job, 95) == longer
    # Also if nothing was trained since.
    assert carried_on(longer, job, step, keeps_later=True) == longer
    slower = replace(job, optimizer=replace(job.optimizer, learning_rate=1e-4))
    changed = carried_on(longer, slower, step, keeps_later=True)
    assert block_of(changed, step, 0, MOST) == block_of(longer, step, 0, MOST)


@given(st.integers(0, 300), st.lists(st.integers(1, 301), max_size=6))
def test_a_run_goes_back_as_far_as_told_or_to_its_oldest_copy(spike, copies):
    job = Settings(guard=GUARD, snapshot=SnapshotSettings(disk_every_steps=20))
    step, wanted = step_with_copy(spike, job, copies), step_before(spike, GUARD)
    before = [copy for copy in copies if copy <= spike]
    assert wanted == max(0, spike - 10)
    assert wanted <= step <= spike
    if step > wanted:
        assert step == min(before)
    elif wanted >= 20 and before:
        assert min(before) <= wanted


def test_it_goes_back_so_often_and_only_where_the_guard_says_so():
    assert [may_roll_back(GUARD, done) for done in (0, 1, 2, 3)] == [True, True, False, False]
    assert not may_roll_back(replace(GUARD, action="stop"), 0)
    assert not may_roll_back(replace(GUARD, loss_spike=0.0), 0)


def test_what_changed_is_told_and_changes_of_the_user_stay():
    job = Settings(train=TrainSettings(steps=400, lanes=4), guard=GUARD)
    begun = (first_hyperparameters(job),)
    slower = replace(job, optimizer=replace(job.optimizer, learning_rate=1e-4))
    log = carried_on(begun, slower, 50)
    longer = rolled_back(log, slower, RollBack(55, 45, 224))
    assert changes(longer) == (
        f"from step 45 on: optimizer.learning_rate {job.optimizer.learning_rate} -> 0.0001, "
        "blocks 180 to 223 of the stream are passed over",
    )
    assert hyperparameters_at(longer, 45).optimizer == slower.optimizer
    again = rolled_back(longer, slower, RollBack(52, 42, 256))
    assert [record.first_step for record in again] == [0, 42]
    assert changes(again)[0].endswith("blocks 168 to 255 of the stream are passed over")


@given(st.integers(1, 500), st.integers(1, 90), st.integers(1, 12), st.integers(1, 900))
def test_where_no_warning_is_given_a_checkpoint_so_old_is_there(back, every, keep, spike):
    job = Settings(
        guard=replace(GUARD, back_steps=back),
        snapshot=SnapshotSettings(disk_every_steps=every, keep=keep),
    )
    written = [*range(every, spike + 1, every), spike + 1]
    kept = [step for step in written[-keep:] if step <= spike]
    reached = step_with_copy(spike, job, kept) == step_before(spike, job.guard)
    assert reached or "WARNING" in roll_back_text(job)


def test_a_job_says_how_far_it_goes_back():
    job = Settings(guard=replace(GUARD, back_steps=100))
    told = roll_back_text(job)
    assert told.startswith("100 steps before a spike, 2 times at most; WARNING")
    assert "snapshot.keep to 4 or more" in told
    enough = replace(job, snapshot=SnapshotSettings(keep=4))
    assert roll_back_text(enough) == "100 steps before a spike, 2 times at most"
    assert roll_back_text(Settings()) == ""
