"""Where a step's time goes: laps of a stopwatch, and a real engine whose parts make up its step."""

import itertools
import time

import pytest
import torch
from msgspec.structs import asdict
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from unit.training.on_cuda import CUDA, needs_cuda
from unit.training.small_job import alone, block, digest, job, never

from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.errors import PeerLost
from qmpi.policy.step_split import seconds
from qmpi.protocol.progress import StepTimes
from qmpi.training.comm.line import Comm
from qmpi.training.engine import Engine
from qmpi.training.stopwatch import DeviceStopwatch, HostStopwatch, make_stopwatch


def test_each_lap_counts_for_the_part_that_it_ends() -> None:
    moments = iter([1.0, 2.0, 4.0, 7.0, 8.0])
    watch = HostStopwatch(lambda: next(moments))
    watch.begin()
    watch.lap("forward")
    watch.lap("backward")
    watch.lap("sweep")
    watch.lap("backward")
    assert watch.times() == StepTimes(forward=1.0, backward=3.0, sweep=3.0)


def test_the_time_before_it_goes_on_counts_for_nothing() -> None:
    moments = iter([1.0, 2.0, 50.0, 51.0, 60.0, 61.0])
    watch = HostStopwatch(lambda: next(moments))
    watch.begin()
    watch.lap("forward")
    watch.resume()
    watch.lap("optimizer")
    assert watch.times() == StepTimes(forward=1.0, optimizer=1.0)
    watch.begin()
    watch.lap("digest")
    assert watch.times() == StepTimes(digest=1.0)


def larger() -> Settings:
    return Settings(
        model=ModelSettings(vocab_size=2048, layers=2, width=128, heads=2, kv_heads=1),
        train=TrainSettings(
            steps=8, lanes=2, sequences=4, sequence_tokens=128, precision="float32", device="cpu"
        ),
    )


def with_clock(settings: Settings, clock: object) -> Engine:
    engine = Engine(settings, clock, never)  # pyright: ignore[reportArgumentType]
    engine.initialise()
    engine.join(Comm(store=None, name="g1", index=0, size=1, timeout_seconds=5, aborted=never))
    return engine


class Operations(TorchDispatchMode):
    """A clock that goes on by the bytes that each operation of torch makes, and by one."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        made = [one for one in tree_leaves(result) if isinstance(one, torch.Tensor)]
        self.now += 1 + sum(one.numel() * one.element_size() for one in made)
        return result


@pytest.mark.parametrize("reduction", ["exact", "fast"])
def test_the_parts_of_a_real_step_add_up_to_it_within_two_percent(reduction: str) -> None:
    base = larger()
    train = {**asdict(base.train), "reduction": reduction, "compile": "off"}
    settings = Settings(model=base.model, train=TrainSettings(**train))
    # What is done, not how long it takes: no machine is the same twice.
    clock = Operations()
    engine = with_clock(settings, lambda: clock.now)
    spent = measured = 0.0
    for step in range(4):
        frames = [block(settings, step, lane) for lane in range(2)]
        began = clock.now
        with clock:
            outcome = engine.run_step(
                step, [0, 1], frames, list(map(digest, frames)), digest_due=step % 2 == 1
            )
        spent += clock.now - began
        measured += seconds(outcome.times)
        times = asdict(outcome.times)
        assert [times[part] for part in ("data", "snapshot", "other")] == [0.0, 0.0, 0.0]
        assert (outcome.times.digest > 0) == (step % 2 == 1)
        assert min(times[part] for part in ("forward", "backward", "sweep", "optimizer")) > 0
    assert 0.98 * spent <= measured <= spent


def test_a_step_finished_after_a_failure_leaves_the_failures_time_out() -> None:
    class Deaf(Comm):
        def vote(self) -> None:
            raise PeerLost("gone")

    settings, waits = job(), itertools.count()
    late = [0.0]
    engine = with_clock(settings, lambda: late[0] + next(waits) * 1e-6)
    engine.join(Deaf(store=None, name="g2", index=0, size=1, timeout_seconds=5, aborted=never))
    frames = [block(settings, 0, lane) for lane in range(4)]
    with pytest.raises(PeerLost):
        engine.run_step(0, range(4), frames, list(map(digest, frames)), digest_due=True)
    engine.leave()
    late[0] = 1000.0
    finished = engine.apply_held()
    assert finished.times.forward > 0
    assert finished.times.optimizer > 0
    assert seconds(finished.times) < 1.0


def test_a_measured_engine_gives_the_same_bits() -> None:
    settings = job()
    frames = [block(settings, 0, lane) for lane in range(4)]
    slow = iter(range(10_000_000))
    engines = [with_clock(settings, lambda: float(next(slow))), alone(settings)]
    ran = [
        engine.run_step(0, range(4), frames, list(map(digest, frames)), digest_due=True)
        for engine in engines
    ]
    assert ran[0].weight_digest == ran[1].weight_digest


def test_a_device_without_a_queue_is_measured_by_the_clock() -> None:
    assert isinstance(make_stopwatch(torch.device("cpu"), time.monotonic), HostStopwatch)
    assert isinstance(make_stopwatch(CUDA, time.monotonic), DeviceStopwatch)


@needs_cuda
def test_cuda_is_measured_by_events_in_its_queue() -> None:
    device = CUDA
    watch = make_stopwatch(device, time.monotonic)
    left = torch.ones(4096, 4096, device=device)
    torch.mm(left, left)
    torch.cuda.synchronize()
    began = time.monotonic()
    watch.begin()
    for _ in range(20):
        torch.mm(left, left)
    watch.lap("forward")
    torch.ones(1, device=device)
    watch.lap("optimizer")
    times = watch.times()
    assert times.forward > 100 * times.optimizer > 0
    assert seconds(times) == pytest.approx(time.monotonic() - began, rel=0.1)
