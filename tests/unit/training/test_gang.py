"""Trainers as processes over gloo: the same bits for any number, whoever is killed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from unit.training.on_cuda import needs_cuda
from unit.training.small_job import LANES, alone, job, run

MEMBER = Path(__file__).with_name("gang_member.py")
STEPS = 5


def start(spec):
    environment = os.environ | {
        "GLOO_SOCKET_IFNAME": "lo", "TORCH_GLOO_LAZY_INIT": "1", "OMP_NUM_THREADS": "1",
        "TORCH_CPP_LOG_LEVEL": "FATAL", "PYTHONPATH": str(Path(__file__).parents[3]),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, str(MEMBER), json.dumps(spec)], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def gang(
    size, reduction="exact", plans=None, spare=None, device="cpu", precision="float32", **model
):
    """Run a gang; return what each survivor printed, by index."""
    plans = plans or {}
    dead = [index for index, plan in plans.items() if plan != "miss_vote"]
    members = list(range(size))
    survivors = [index for index in members if index not in dead]
    common = {"reduction": reduction, "members": members, "survivors": survivors, "spare": spare}
    common |= {"device": device, "precision": precision, "model": model}
    everyone = members + ([] if spare is None else [spare])
    processes = [start(common | {"index": i, "plan": plans.get(i, "")}) for i in everyone]
    try:
        address = processes[0].stdout.readline()
        for process in processes[1:]:
            process.stdin.write(address)
            process.stdin.flush()
        return {
            index: json.loads(process.communicate(timeout=90)[0])
            for index, process in zip(everyone, processes, strict=True)
            if index not in dead
        }
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def single(reduction, device="cpu", **model):
    settings = job(reduction, device=device, **model)
    engine = alone(settings)
    outcomes = [run(engine, settings, step) for step in range(STEPS)]
    return [STEPS, outcomes[-1].weight_digest, list(outcomes[-1].lane_losses)]


@pytest.fixture(scope="module")
def undisturbed():
    return single("exact")


@pytest.mark.parametrize("size", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_any_number_of_trainers_gives_the_same_bits(size, undisturbed):
    said = gang(size)
    assert len(said) == size
    assert all(row == ["undisturbed", *undisturbed] for row in said.values())


@pytest.mark.slow
def test_with_ahead_modules_any_number_of_trainers_gives_the_same_bits():
    wanted = single("exact", predict_ahead=2)
    said = gang(3, predict_ahead=2)
    assert all(row == ["undisturbed", *wanted] for row in said.values())


@pytest.mark.slow
def test_float_sum_agrees_among_members_and_depends_on_the_deal():
    said = gang(2, "fast")
    assert said[0] == said[1]
    one, two = single("fast"), said[0][1:]
    assert one[1] != two[1]
    assert one[2] == pytest.approx(two[2], abs=1e-4)


@pytest.mark.parametrize("plan", [pytest.param("in_lane", marks=pytest.mark.slow), "before_vote"])
def test_killed_before_the_vote_the_step_ends_with_the_same_bits(plan, undisturbed):
    said = gang(3, plans={2: plan})
    assert all(row[1:] == undisturbed for row in said.values())
    expected = {"in_lane": {"redone"}, "before_vote": {"finished"}}[plan]
    assert {row[0] for row in said.values()} == expected


def test_killed_while_sums_go_on_behind_its_lanes_the_step_ends_with_the_same_bits(undisturbed):
    said = gang(3, plans={2: "in_bucket"})
    assert {row[0] for row in said.values()} == {"redone"}
    assert all(row[1:] == undisturbed for row in said.values())


def test_a_member_that_missed_the_vote_finishes_what_others_applied(undisturbed):
    said = gang(3, plans={1: "miss_vote", 2: "after_vote"})
    assert {index: row[0] for index, row in said.items()} == {0: "applied", 1: "finished"}
    assert all(row[1:] == undisturbed for row in said.values())


def test_a_spare_takes_the_state_from_a_peer(undisturbed):
    said = gang(2, plans={1: "before_vote"}, spare=2)
    assert {index: row[0] for index, row in said.items()} == {0: "finished", 2: "joined"}
    assert all(row[1:] == undisturbed for row in said.values())
    assert len(said) < LANES


@needs_cuda
def test_cuda_trainers_that_share_a_device_give_the_same_bits():
    alone_there = single("exact", "cuda")
    for said in (gang(2, device="cuda"), gang(2, plans={1: "before_vote"}, spare=2, device="cuda")):
        assert all(row[1:] == alone_there for row in said.values())
