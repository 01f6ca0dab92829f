"""Where bytes lie when moments and activations wait on the host, and what the bus costs."""

from typing import Any

import pytest
from msgspec.structs import replace

from qmpi.config.load import parse_job
from qmpi.config.machine import Machine, load_machine
from qmpi.config.presets import preset
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.monitor.plan_text import plan_text
from qmpi.planning.estimate import Details, make_plan
from qmpi.planning.limits import limits
from qmpi.planning.memory import on_host, trainer_memory
from qmpi.planning.offload import LAYERS_THERE, PIECE_ELEMENTS, ROOMS
from qmpi.planning.sweeps import hidden_elements
from qmpi.planning.team import heaviest
from qmpi.planning.workload import HOST_LINK_BYTES, Counts, Workload, workload
from qmpi.training.offload import activations
from qmpi.training.optimizer import CARRIED

H100 = load_machine("h100")


def job(machine: Machine = H100, kind: str = "adamw", **train: Any) -> Workload:
    settings: Settings = preset("quintillion")
    settings = replace(
        settings,
        optimizer=replace(settings.optimizer, kind=kind),
        train=replace(settings.train, device="auto", **train),
    )
    return workload(settings, Counts(ranks=64, trainers=32), machine, None, None)


def planned(**train: Any) -> Details:
    return make_plan(job(**train))


def test_its_constants_are_the_engines() -> None:
    assert CARRIED["cuda"] == PIECE_ELEMENTS
    assert LAYERS_THERE == activations.AHEAD + 1
    assert ROOMS == 2


@pytest.mark.parametrize("kind", ["adamw", "muon", "adamw8"])
def test_moments_leave_the_gpu_and_are_on_the_host(kind: str) -> None:
    none, some = (job(kind=kind, offload=what) for what in ("none", "optimizer"))
    before, after = trainer_memory(none), trainer_memory(some)
    there = on_host(some)
    assert there.host_bytes == before["moments"] == some.state_bytes - some.weight_bytes
    assert after["moments"] == there.rooms < before["moments"] / 4
    assert {k: v for k, v in before.items() if k != "moments"} == {
        k: v for k, v in after.items() if k != "moments"
    }


def test_activations_leave_the_gpu_but_for_some_layers() -> None:
    none, some = (job(offload=what) for what in ("none", "activations"))
    before, after = (trainer_memory(one)["activations"] for one in (none, some))
    assert after < before * (LAYERS_THERE + 1) / none.shape.layers
    assert on_host(some).host_bytes == 2 * (before - after)
    full = job(offload="activations", checkpointing="full")
    assert trainer_memory(full)["activations"] < after


def test_nothing_is_on_the_host_of_a_cpu() -> None:
    here = job(Machine(), offload="all")
    assert on_host(here).host_bytes == 0
    assert trainer_memory(here) == trainer_memory(job(Machine()))


def test_copies_take_the_time_of_the_bus_and_are_told() -> None:
    none, moments, both = (planned(offload=what) for what in ("none", "optimizer", "all"))
    assert none.time is not None
    assert moments.time is not None
    assert both.time is not None
    assert none.time.offload == 0
    there = on_host(moments.job).moments
    assert moments.time.offload == pytest.approx(there / HOST_LINK_BYTES)
    assert moments.time.total - none.time.total == pytest.approx(moments.time.offload)
    assert both.time.offload >= moments.time.offload
    assert moments.plan.layout["host_bytes_by_kind"] == {"moments": there}
    assert "of the host's, pinned" in plan_text(moments, "h100")
    assert "pinned" not in plan_text(none, "h100")


def test_the_momentum_of_muon_comes_twice() -> None:
    muon = planned(kind="muon", offload="optimizer")
    assert muon.time is not None
    moved = on_host(muon.job).moments + 4 * hidden_elements(muon.job.shape)
    assert muon.time.offload == pytest.approx(moved / HOST_LINK_BYTES)


@pytest.mark.parametrize(
    ("checkpointing", "what"), [("full", "optimizer"), ("full", "all"), ("none", "all")]
)
def test_a_job_that_does_not_fit_is_told_what_to_offload(checkpointing: str, what: str) -> None:
    wanted = trainer_memory(job(checkpointing="full", offload=what))
    room = (sum(wanted.values()) + 2**20) / 2**30
    tight = replace(H100, gpu=replace(H100.gpu, memory_gib=room))
    given = job(tight, checkpointing=checkpointing)
    told = limits(given, heaviest(given), None, None, None)[0]
    changed = f'train.offload = "{what}" makes that'
    if checkpointing == "none":
        changed = f'train.checkpointing = "full" and {changed}'
    assert changed in told


def test_a_host_that_is_too_small_is_told() -> None:
    small = replace(H100, node=replace(H100.node, memory_gib=8.0))
    given = job(small, offload="optimizer")
    told = limits(given, heaviest(given), None, None, None)
    assert any("host memory: 8 trainers of a node" in line for line in told)
    assert TrainSettings().offload == "none"
    assert parse_job("").train.offload == "none"
