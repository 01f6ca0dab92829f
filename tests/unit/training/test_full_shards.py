"""Weights, sums and moments that ranks of a team share out: the bits of ranks that hold all."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from unit.training.line_of_threads import run_all
from unit.training.team_of_threads import teamed
from unit.training.test_teams import four_heads

from qmpi.model.shape import parameter_shapes
from qmpi.training.parallel.borrowed import Bundle
from qmpi.training.parallel.given import Given
from qmpi.training.parallel.owners import Owners
from qmpi.training.whole_state import WholeState, cut_state

SLOW = pytest.mark.slow
CLIPPED = 0.1
"""The norm that gradients are clipped to: below that of any, so its bits are in the weights."""


class Case(NamedTuple):
    """A job on a layout.

    Attributes:
        name: of the model.
        axes: of a team.
        kind: of optimizer.
        train: what of [train] is other.
        teams: how many.
    """

    name: str
    axes: dict
    kind: str = "adamw"
    train: MappingProxyType = MappingProxyType({})
    teams: int = 1


CONTEXT, EXPERT = {"context": 2}, {"expert": 2}

STAGES = CONTEXT | {"pipeline": 2}

QUICK = {
    "dense": Case("dense", CONTEXT),
    "experts of the expert axis": Case("faded", EXPERT),
    "muon in a pipeline": Case("untied", STAGES, "muon"),
}

LONG = {
    "two teams, eight bits": Case("dense", CONTEXT, "adamw8", teams=2),
    "three teams that share moments": Case("experts", CONTEXT, teams=3, train={"lanes": 3}),
    "cut by heads": Case("capped", CONTEXT | {"tensor": 2}, "muon", teams=2),
    "layers computed again": Case("dense", CONTEXT, train={"checkpointing": "full"}),
    "norms behind": Case("olmo2", CONTEXT),
    "in bfloat16": Case("untied", CONTEXT, train={"precision": "bfloat16"}),
    "in float16": Case("untied", CONTEXT, train={"precision": "float16"}),
    "in float8": Case("untied", CONTEXT, train={"precision": "float8"}),
    "backward passes in halves": Case(
        "dense", CONTEXT | {"pipeline": 2, "schedule": "zero_bubble"}
    ),
    "interleaved": Case("dense", CONTEXT | {"pipeline": 2, "schedule": "interleaved", "chunks": 2}),
    "both axes": Case("scored", CONTEXT | EXPERT, "muon"),
    "four ranks": Case("experts", {"context": 4}),
    "four ranks of experts": Case("experts", {"expert": 4}, train={"sequences": 4}),
    "several microbatches": Case("window", CONTEXT, train={"microbatches": 3}),
}


def job_of(case):
    settings = four_heads(case.name, 2)
    train = {"microbatches": 1, "lanes": 2, "steps": 3, **case.train}
    optimizer = replace(settings.optimizer, kind=case.kind, clip_norm=CLIPPED)
    model = settings.model if "pipeline" in case.axes else replace(settings.model, layers=2)
    return replace(
        settings, model=model, optimizer=optimizer, train=replace(settings.train, **train)
    )


def payloads(teams):
    """Return what each position of a team holds."""
    ranks = [teams.engines[seat] for seat in teams.seats if seat.team == 0]
    if ranks[0].at.state.is_shared:
        return [copied(teams, position) for position in range(len(ranks))]
    return [b"".join(engine.snapshot()[1]) for engine in ranks]


def copied(teams, position):
    """Put a position's state together, on its rank of the first team."""
    line = [teams.engines[seat] for seat in teams.seats if seat.position == position]
    calls = [lambda e=e: b"".join(map(bytes, e.copied(0))) for e in line]
    return run_all(calls, teams.lines.values())[0]


def trained(case, shard, steps=2):
    teams = teamed(job_of(case), case.teams, shard=shard, **case.axes)
    return teams, teams.train(steps)


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=name) for name, case in QUICK.items()]
    + [pytest.param(case, id=name, marks=SLOW) for name, case in LONG.items()],
)
def test_the_state_is_that_of_ranks_that_hold_all(case):
    (one, told), (other, found) = (trained(case, shard) for shard in ("none", "full"))
    assert [step[:2] for step in told] == [step[:2] for step in found]
    assert min(step[1] for step in told) > CLIPPED
    held = payloads(other)
    whole, parts = (
        WholeState(teams.settings, list(map(memoryview, given)))
        for teams, given in ((one, payloads(one)), (other, held))
    )
    assert whole.digest() == parts.digest()
    cut = [cut_state(whole, other.settings, position) for position in range(len(held))]
    assert [b"".join(part) for part in cut] == held


def test_gradients_go_as_soon_as_there_are_enough(monkeypatch):
    case = QUICK["dense"]
    _, told = trained(case, "full", 1)
    monkeypatch.setattr(Given.__init__, "__defaults__", (1,))
    assert trained(case, "full", 1)[1] == told


class Watched(NamedTuple):
    """What ranks gave each other in a step, and what they held.

    Attributes:
        received: bytes that came to a rank, of all ranks together.
        most: largest size of what was borrowed, of any rank.
    """

    received: list
    most: list


def watched(monkeypatch):
    found, exchanged, bring = Watched([], []), Owners.exchanged, Bundle.bring
    members = dict[int, list]()

    def counted(owners, given, wanted):
        found.received.append(sum(form.bytes for forms in wanted for form in forms))
        return exchanged(owners, given, wanted)

    def brought(bundle):
        bring(bundle)
        mine = members.setdefault(id(bundle._state), [])
        mine += [] if any(bundle is one for one in mine) else [bundle]
        found.most.append(sum(one.size for one in mine))

    monkeypatch.setattr(Owners, "exchanged", counted)
    monkeypatch.setattr(Bundle, "bring", brought)
    return found


def test_what_travels_is_what_is_lacked_and_one_layer_is_there_at_a_time(monkeypatch):
    settings = job_of(QUICK["dense"])
    counts = {False: 0, True: 0}
    for name, shape in parameter_shapes(settings.model).items():
        counts[name.startswith("model.layers.")] += torch.Size(shape).numel()
    of_layers, others = 4 * counts[True], 4 * counts[False]
    teams = teamed(settings, shard="full", **CONTEXT)
    found = watched(monkeypatch)
    (outcome, _) = teams.step(0).values()
    lanes, passes = settings.train.lanes, 1 + outcome.redone
    # A layer twice a microbatch, gradients once a lane, the ends of the model once a step. Of two
    # ranks one lacks what the other holds.
    lacked = passes * lanes * (2 * of_layers + of_layers + others) + others
    assert sum(found.received) == lacked
    assert max(found.most) == of_layers // settings.model.layers + others


def test_a_rank_has_room_for_its_part_alone():
    settings = job_of(QUICK["dense"])
    ranks = [
        list(teamed(settings, shard=shard, **CONTEXT).engines.values())
        for shard in ("none", "full")
    ]
    held, less = ([engine.at.state.held_bytes for engine in some] for some in ranks)
    assert sum(less) <= held[0] + 2 * 4096
    sums, fewer = ([engine._sum.place.numel() for engine in some] for some in ranks)
    assert sum(fewer) == sums[0]
    largest = max(slot.size for slot in ranks[0][0].at.state.layout.slots)
    assert abs(fewer[0] - fewer[1]) <= largest


@SLOW
def test_gradients_are_those_of_fully_shard_and_no_more_travels(tmp_path, monkeypatch):
    job = job_of(QUICK["dense"])
    settings = replace(job, optimizer=replace(job.optimizer, clip_norm=0.0))
    teams = teamed(settings, shard="full", **CONTEXT)
    shapes = parameter_shapes(settings.model)
    weights = {name: teams.parameter(name).numpy().copy() for name in shapes}
    np.savez(tmp_path / "weights.npz", **weights)
    members = [start(rank, tmp_path) for rank in range(2)]
    found = watched(monkeypatch)
    (outcome, _) = teams.step(0).values()
    told = [json.loads(member.communicate(timeout=300)[0]) for member in members]
    with np.load(tmp_path / "gradients.npz") as others:
        for name in shapes:
            torch.testing.assert_close(
                teams.gradient(name), torch.from_numpy(others[name]), rtol=0, atol=1e-6
            )
    # It brings the ends once a lane, and a pass that is done again is ours alone.
    ends = 4 * sum(torch.Size(s).numel() for n, s in shapes.items() if "layers" not in n)
    lanes, passes = settings.train.lanes, 1 + outcome.redone
    assert sum(found.received) == passes * (sum(told) - lanes * ends) + ends


def start(rank, folder):
    environment = os.environ | {
        "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "FATAL",
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }  # fmt: skip
    command = [sys.executable, str(Path(__file__).with_name("fsdp_member.py")), str(rank)]
    return subprocess.Popen(
        [*command, str(folder)], env=environment, text=True, stdout=subprocess.PIPE
    )
