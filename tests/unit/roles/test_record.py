"""The record of a run, rebuilt from its journal."""

from qmpi.protocol.journal import StepCommitted
from qmpi.roles.coordinator.record import Record
from qmpi.units import Digest, Generation, Seconds, Step


def test_the_speed_of_an_earlier_start_is_not_told_as_this_ones() -> None:
    steps = [
        StepCommitted(95.0 + s, Step(s), Generation(1), 0, (), (1.0, 1.0), 1.0, Digest(""))
        for s in range(4)
    ]
    record = Record(2, 64)
    record.replay(steps)
    status = record.status("starting", Seconds(100.0), 20)
    assert (status.step, status.tokens_per_second, status.eta_seconds) == (4, 0.0, None)
    for step in steps:
        record.take(step)  # those of this start count
    assert record.status("running", Seconds(100.0), 20).tokens_per_second > 0
