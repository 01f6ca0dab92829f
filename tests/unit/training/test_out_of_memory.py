"""A refusal of memory is an error of its own, and costs no more than the step in hand."""

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from unit.training.small_job import alone, job, run

from qmpi.errors import ExitCode, OutOfMemory
from qmpi.training.lanes import LaneRunner
from qmpi.training.optimizer import Optimizer
from qmpi.training.out_of_memory import refused_bytes, with_memory_told

TOO_MANY = 2**44
"""Elements that no machine has memory for."""


def of_torch():
    torch.empty(TOO_MANY, dtype=torch.float32)


def of_numpy():
    np.empty(TOO_MANY, dtype=np.float32)


def of_python():
    bytearray(2**62)


@pytest.mark.parametrize(
    ("work", "wanted"), [(of_torch, 4 * TOO_MANY), (of_numpy, 4 * TOO_MANY), (of_python, 0)]
)
def test_real_refusals_are_known_with_their_size(work, wanted):
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        work()
    assert refused_bytes(caught.value) == wanted


def test_a_gpus_refusal_is_known_with_its_size():
    said = (
        "CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total capacity of 7.79 GiB of "
        "which 512.00 MiB is free."
    )
    assert refused_bytes(torch.OutOfMemoryError(said)) == 3 * 2**29


def test_one_dnn_does_not_say_how_much_it_was_refused():
    assert refused_bytes(RuntimeError("could not create a primitive")) == 0


@pytest.mark.parametrize(
    "error",
    [RuntimeError("the size of tensor a must match"), ValueError("out of memory"), OSError(12, "")],
)
def test_other_errors_are_left_alone(error):
    assert refused_bytes(error) is None

    def fail():
        raise error

    with pytest.raises(type(error)):
        with_memory_told(job().train, "step 1", fail)


def test_it_is_the_machines_fault_and_says_what_helps_and_keeps_no_frame():
    with pytest.raises(OutOfMemory) as caught:
        with_memory_told(job().train, "step 3", of_torch)
    error = caught.value
    assert (error.exit_code, error.wanted_bytes) == (ExitCode.MACHINE, 4 * TOO_MANY)
    assert "step 3: there is no memory for 64 TiB more" in str(error)
    assert "2 x 16 tokens, halve train.sequences" in str(error)
    assert 'Resume with train.checkpointing = "full"' in str(error)
    assert error.__context__ is None
    assert error.__cause__ is None


def test_a_single_sequence_cannot_be_halved():
    train = replace(job().train, sequences=1, checkpointing="full")
    with pytest.raises(OutOfMemory, match=r"helps: .*shorten train\.sequence_tokens"):
        with_memory_told(train, "step 3", of_torch)


def test_a_step_without_memory_leaves_the_state_and_can_be_done_again(monkeypatch):
    settings = job()
    wanted = [run(engine, settings, step) for engine in [alone(settings)] for step in (0, 1)]
    engine, whole = alone(settings), LaneRunner.run
    assert run(engine, settings, 0).weight_digest == wanted[0].weight_digest
    done = []

    def short_of_memory(self, *given):
        loss = whole(self, *given)  # the first lane is in the sum when memory ends
        done.append(loss)
        if len(done) > 1:
            of_torch()
        return loss

    with monkeypatch.context() as patch:
        patch.setattr(LaneRunner, "run", short_of_memory)
        with pytest.raises(OutOfMemory, match="step 1"):
            run(engine, settings, 1)
    assert (engine.state_step, engine.holds_reduced) == (1, False)
    assert run(engine, settings, 1).weight_digest == wanted[1].weight_digest


def test_an_update_without_memory_leaves_no_state_that_could_be_taken_for_whole(monkeypatch):
    settings = job()
    engine = alone(settings)
    with monkeypatch.context() as patch:
        patch.setattr(Optimizer, "apply", lambda *_: of_torch())
        with pytest.raises(OutOfMemory):
            run(engine, settings, 0)
    assert (engine.state_step, engine.holds_reduced) == (-1, False)


def test_a_rehearsal_without_memory_is_not_taken_for_a_missing_compiler(monkeypatch):
    settings = job()
    settings = replace(settings, train=replace(settings.train, compile="auto", lanes=4096))
    engine = alone(settings)
    monkeypatch.setattr("qmpi.training.compiler.wants_compiling", lambda *_: True)
    monkeypatch.setattr("qmpi.training.compiler.toolchain", lambda _: "none")
    monkeypatch.setattr(LaneRunner, "_rehearse", lambda *_: of_torch())
    # "auto" computes eagerly where nothing can be compiled.
    with pytest.raises(OutOfMemory, match="a microbatch"):
        engine.warm_up()
