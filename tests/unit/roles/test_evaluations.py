"""The coordinator's book of evaluations: whole, made again, missing."""

from msgspec.structs import replace

from qmpi.config.evaluation import EvaluationSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.protocol.evaluation import EvaluationPart, Marks
from qmpi.protocol.journal import EvaluationDone, EvaluationMissed
from qmpi.roles.coordinator.evaluations import GRACE_STEPS, LATE, Evaluations, newest

SETTINGS = Settings(
    train=TrainSettings(steps=25), evaluation=EvaluationSettings(every_steps=10, tokens=8)
)
NAME = SETTINGS.data.sources[0].name


def part(step, number=0, generation=1, parts=2, **more):
    marks = (Marks(NAME, nats=(number + 1) << 20, tokens=2),)
    told = EvaluationPart(generation, step, number, parts, marks, seconds=1.0 + number)
    return replace(told, **more)


def book(step=0, settled=0):
    made = Evaluations(SETTINGS, settled)
    made.begin(step, settled)
    return made


def test_it_is_done_when_all_shares_are_there_and_its_steps_are_committed():
    made = book()
    made.take(part(10, 0))
    assert made.settle(10, 5.0) == []
    made.take(part(10, 1))
    assert made.settle(9, 5.0) == []
    (done,) = made.settle(10, 5.0)
    assert isinstance(done, EvaluationDone)
    assert (done.step, done.time, done.seconds) == (10, 5.0, 2.0)
    assert done.result.loss.source == {NAME: 3 / 4}
    assert made.settle(10, 5.0) == []
    made.take(part(10, 1))
    assert made.settle(11, 5.0) == []


def test_shares_of_an_older_group_count_no_more():
    made = book()
    made.take(part(10, 0))
    made.take(part(10, 0, generation=2, parts=1, seconds=9.0))
    made.take(part(10, 1))
    (done,) = made.settle(10, 5.0)
    assert done.seconds == 9.0


def test_what_does_not_come_is_missing_after_a_while_or_when_no_more_can_come():
    for grace in (GRACE_STEPS, 1):
        made = book()
        made.take(part(10, 0))
        assert made.settle(10 + grace - 1, 5.0, grace) == []
        assert made.settle(10 + grace, 5.0, grace) == [EvaluationMissed(5.0, 10, LATE)]


def test_a_fault_is_told_as_the_reason():
    made = book()
    made.take(part(10, 0))
    made.take(part(10, 1, fault="shard 3 is damaged"))
    assert made.settle(10, 5.0) == [EvaluationMissed(5.0, 10, "shard 3 is damaged")]


def test_a_group_that_goes_back_makes_it_again():
    made = book()
    for number in range(2):
        made.take(part(10, number))
    assert len(made.settle(12, 5.0)) == 1
    made.begin(8, 0)
    assert made.settled < 10
    for number in range(2):
        made.take(part(10, number, generation=2))
    assert len(made.settle(10, 6.0)) == 1


def test_a_start_says_nothing_of_weights_that_it_never_had():
    made = book(step=21)
    assert made.settle(24, 5.0) == []
    assert made.awaited(25)
    made.take(part(25, parts=1))
    assert len(made.settle(25, 5.0)) == 1
    assert not made.awaited(25)


def test_nothing_is_awaited_of_a_run_that_does_not_measure():
    made = Evaluations(Settings(), 0)
    made.begin(0, 0)
    assert not made.awaited(Settings().train.steps)
    assert made.settle(100, 1.0) == []
    assert newest([]) == 0
