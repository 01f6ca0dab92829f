"""Microbatches that are halved between steps: the bits of a job that had them so from the start."""

import pytest
from msgspec.structs import replace
from unit.training.small_job import alone, block, digest, job, run

from qmpi.config.batch import BatchSettings
from qmpi.errors import OutOfMemory
from qmpi.protocol.hyperparameters import can_halve, first_hyperparameters, halved
from qmpi.training.lanes import LaneRunner

HALVING = BatchSettings(halve_microbatches=True)


def wide(**fields):
    settings = job(**fields)
    return replace(settings, train=replace(settings.train, sequences=4), batch=HALVING)


def step_of(engine, settings, step, halvings):
    held = replace(first_hyperparameters(settings), halvings=halvings)
    blocks = [block(settings, step, lane) for lane in range(4)]
    digests = list(map(digest, blocks))
    return engine.run_step(step, range(4), blocks, digests, digest_due=True, hyperparameters=held)


@pytest.mark.parametrize("microbatches", [1, 2])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_halved_microbatches_are_those_of_a_job_that_has_them_so(microbatches, precision):
    settings = wide(microbatches=microbatches, precision=precision)
    small = replace(settings, train=halved(settings.train, 1))
    assert (small.train.sequences, small.train.microbatches) == (2, 2 * microbatches)
    engine, other = alone(settings), alone(small)
    assert step_of(engine, settings, 0, 1).weight_digest == run(other, small, 0).weight_digest
    # And back: a step that was done before the halving is done again as it was.
    ahead, whole = alone(settings), alone(settings)
    kept = b"".join(ahead.snapshot()[1])
    first = step_of(ahead, settings, 0, 0).weight_digest
    assert step_of(ahead, settings, 1, 1).updates == 2
    ahead.load_snapshot(0, kept)
    assert step_of(ahead, settings, 0, 0).weight_digest == first
    assert first == run(whole, settings, 0).weight_digest


def short(monkeypatch, most):
    """Let microbatches of more than so many sequences find no memory, in a rehearsal too."""
    whole, rehearse = LaneRunner.run, LaneRunner._rehearse

    def check(self):
        if self._train.sequences > most:
            raise MemoryError

    def run_lane(self, *given):
        check(self)
        return whole(self, *given)

    def rehearsed(self, layers):
        check(self)
        return rehearse(self, layers)

    monkeypatch.setattr(LaneRunner, "run", run_lane)
    monkeypatch.setattr(LaneRunner, "_rehearse", rehearsed)


def test_what_does_not_fit_is_told_by_the_step_and_fits_when_halved(monkeypatch):
    settings = wide()
    wanted = step_of(alone(settings), settings, 0, 1).weight_digest
    short(monkeypatch, 2)
    engine = alone(settings)
    engine.warm_up()
    assert "eager" in engine.identity()
    with pytest.raises(OutOfMemory):
        step_of(engine, settings, 0, 0)
    assert (engine.state_step, engine.holds_reduced) == (0, False)
    assert step_of(engine, settings, 0, 1).weight_digest == wanted


def test_without_leave_or_with_one_sequence_a_rank_that_does_not_fit_does_not_start(monkeypatch):
    settings = wide()
    short(monkeypatch, 2)
    with pytest.raises(OutOfMemory):
        alone(replace(settings, batch=BatchSettings())).warm_up()
    short(monkeypatch, 0)
    with pytest.raises(OutOfMemory):
        alone(settings).warm_up()


def test_how_often_a_microbatch_can_be_halved():
    train = replace(job().train, sequences=12)
    assert [can_halve(train, halvings) for halvings in range(3)] == [True, True, False]
    assert halved(train, 2).sequences * halved(train, 2).microbatches == 12
