"""Each family trains to the same bits on one member and on three, and its cores can be measured."""

import itertools
import time

import pytest
import torch
from msgspec.structs import replace
from unit.model.families import FAMILIES
from unit.training.line_of_threads import run_all
from unit.training.small_job import LANES, alone, job, never, run

from qmpi.protocol.token_kinds import TokenKinds
from qmpi.training.comm.line import Comm
from qmpi.training.comm.store import connect_store, open_store
from qmpi.training.engine import Engine
from qmpi.training.speed import Sample, stand_in

MEMBERS, STEPS = 3, 2


def family_job(name):
    return replace(job(precision="bfloat16"), model=FAMILIES[name].model)


def checkpointed(name, mode):
    settings = family_job(name)
    return replace(settings, train=replace(settings.train, checkpointing=mode))


def together(settings, divider):
    """Run the steps on three members in threads; return the digests that each has seen."""
    store, address = open_store("127.0.0.1")
    seen = [[] for _ in range(MEMBERS)]

    def member(index):
        own = store if index == 0 else connect_store(address, 30)
        engine = Engine(settings, time.monotonic, never, kinds=TokenKinds(divider))
        engine.initialise()
        comm = Comm(
            store=own, name="g", index=index, size=MEMBERS, timeout_seconds=30, aborted=never
        )
        engine.join(comm)
        for step in range(STEPS):
            lanes = [lane for lane in range(LANES) if (lane + step) % MEMBERS == index]
            seen[index].append(run(engine, settings, step, lanes).weight_digest)
        engine.leave()

    run_all([lambda index=index: member(index) for index in range(MEMBERS)])
    return seen


@pytest.mark.parametrize("family", FAMILIES)
def test_three_members_give_the_bits_of_one(family, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    settings, divider = family_job(family), FAMILIES[family].divider
    engine = alone(settings, divider=divider)
    wanted = [run(engine, settings, step).weight_digest for step in range(STEPS)]
    assert len(set(wanted)) == STEPS
    assert together(settings, divider) == [wanted] * MEMBERS


@pytest.mark.parametrize("mode", ["full", "selective"])
@pytest.mark.parametrize("family", [name for name in FAMILIES if not FAMILIES[name].model.experts])
def test_layers_that_keep_less_give_the_same_bits(family, mode):
    wanted, found = (
        run(alone(settings, divider=FAMILIES[family].divider), settings, 0).weight_digest
        for settings in (family_job(family), checkpointed(family, mode))
    )
    assert found == wanted


@pytest.mark.parametrize("family", FAMILIES)
def test_a_layer_can_be_measured(family):
    sample = Sample(stand_in(FAMILIES[family].model), 2, 16, torch.float32)
    for work in (sample.products(), sample.attention(), sample.layer()):
        for _ in itertools.repeat(None, 2):
            work()
    assert sample.product_flops > 0
