"""A live job is profiled: traces that keep to the format, the same weights, and clear refusals."""

import json
import threading
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from mpi import trace_engine
from mpi.live_run import TINY_JOB, LiveRun, qmpi
from mpi.trace_check import faults_of, read

pytestmark = pytest.mark.timeout(1200)


def job_of(steps: int) -> str:
    longer = TINY_JOB.replace("steps = 30", f"steps = {steps}")
    return longer.replace("digest_every = 10", "digest_every = 60")


def answer(*arguments: str, timeout: float = 300.0) -> tuple[int, Any]:
    done = qmpi(*arguments, "--json", timeout=timeout)
    return done.returncode, json.loads(done.stdout)


def trainers(run: LiveRun) -> list[int]:
    return [r["rank"] for r in run.status()["ranks"] if r["role"] == "trainer" and r["alive"]]


class Profiled(NamedTuple):
    """A run during which two steps of each trainer were recorded, and what was told."""

    run: LiveRun
    status: dict[str, Any]
    told: dict[str, Any]
    merged: Path
    refused: dict[str, tuple[int, Any]]


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> Profiled:
    folder = tmp_path_factory.mktemp("profiled")
    merged = folder / "both.json.gz"
    with LiveRun(folder, job=job_of(120)) as run:
        run.wait_for_step(5, 300)
        ranks = ",".join(map(str, trainers(run)))
        asked = ("--steps", "2", "--ranks", ranks, "--to", str(merged))
        code, told = answer("profile", str(run.run), *asked)
        assert code == 0, told
        refused = {
            "no trainers": answer("profile", str(run.run), "--ranks", "0"),
            "are left": answer("profile", str(run.run), "--steps", "1000", "--ranks", "all"),
        }
        status = run.finish(400)
    assert status["exit_code"] == 0, run.logs()
    return Profiled(run, status, told, merged, refused)


@pytest.mark.slow
def test_a_profiled_job_comes_to_the_weights_of_one_that_is_not(
    profiled: Profiled, tmp_path: Path
) -> None:
    # One rank is enough: the weights do not depend on the number.
    with LiveRun(tmp_path, "-n", "1", job=job_of(120), name="calm") as calm:
        wanted = calm.finish(400)["digest"]
    assert profiled.status["digest"] == wanted


def test_traces_keep_to_the_format_and_refusals_are_clear(profiled: Profiled) -> None:
    run, told = profiled.run, profiled.told
    for words, (code, fault) in profiled.refused.items():
        assert code == 2
        assert words in fault["error"]
    assert not (run.run / "profile.json").exists()
    check_traces([Path(path) for path in told["files"]], told["ranks"])
    check_joined(profiled.merged, told["ranks"])
    code, fault = answer("profile", str(run.run))
    assert (code, fault["fault"]) == (2, "user")
    assert "finished" in fault["error"]
    check_times(run, profiled.status)


def check_traces(files: list[Path], ranks: list[int]) -> None:
    assert len(files) == len(ranks) == 2
    for path, rank in zip(files, ranks, strict=True):
        trace = read(path)
        assert faults_of(trace) == []
        events = trace["traceEvents"]
        steps = [e for e in events if e["ph"] == "X" and e["name"].startswith("step ")]
        assert len(steps) == 2
        for kernel in ("aten::mm", "aten::_fused_adamw_", "aten::round_"):
            inside = [e for e in events if e["name"] == kernel]
            assert inside, f"{kernel} is not in the trace"
        named = [e["args"]["name"] for e in events if e["name"] == "process_name"]
        assert any(name.startswith(f"rank {rank} on ") for name in named)


def check_joined(path: Path, ranks: list[int]) -> None:
    trace = read(path)
    assert faults_of(trace) == []
    steps = [e for e in trace["traceEvents"] if e["ph"] == "X" and e["name"].startswith("step ")]
    assert len({e["pid"] for e in steps}) == len(ranks)
    # Both trainers run each step together: their clocks are one host's.
    by_name = {name: [e for e in steps if e["name"] == name] for name in {e["name"] for e in steps}}
    for same in by_name.values():
        if len(same) == 2:
            first, second = sorted(same, key=lambda e: e["ts"])
            assert second["ts"] < first["ts"] + first["dur"]


def check_times(run: LiveRun, status: dict[str, Any]) -> None:
    parts = status["times"]
    lines = (run.run / "journal.jsonl").read_text().splitlines()
    records = [json.loads(line)["record"] for line in lines]
    commits = [record["time"] for record in records if "lane_losses" in record][-33:]
    # Of the status's 32 steps; what the report of the first and the last took is not theirs.
    assert sum(parts.values()) == pytest.approx((commits[-1] - commits[0]) / 32, rel=0.1)
    assert min(parts[name] for name in ("forward", "backward", "sweep", "optimizer")) > 0
    assert status["peak_flops"] > 0


def test_perfetto_opens_what_a_profile_writes(profiled: Profiled) -> None:
    if why_not := trace_engine.missing():
        pytest.skip(why_not)
    steps = "select name, dur from slice where name glob 'step *' order by ts"
    kernels = "select count(*) from slice where name = 'aten::mm'"
    flowing = "select count(*) from flow"
    lost = "select name from stats where severity = 'error' and value"
    for path, ranks in ((profiled.merged, 2), (Path(profiled.told["files"][0]), 1)):
        found, products, flows, faults = trace_engine.query(path, steps, kernels, flowing, lost)
        assert len(found) == 2 * ranks
        assert all(nanoseconds > 0 for _, nanoseconds in found)
        assert products[0][0] > 0
        assert flows[0][0] > 0
        assert faults == []


@pytest.mark.slow
def test_a_rank_that_dies_meanwhile_is_named_and_the_job_goes_on(tmp_path: Path) -> None:
    with LiveRun(tmp_path, job=job_of(200)) as run:
        run.wait_for_step(5, 300)
        victim = trainers(run)[0]
        told: list[tuple[int, Any]] = []
        asking = threading.Thread(
            target=lambda: told.append(
                answer("profile", str(run.run), "--steps", "100", "--ranks", str(victim))
            )
        )
        asking.start()
        under_way(run)
        assert run.kill("trainer") == victim
        asking.join()
        ((code, fault),) = told
        assert code == 3, fault
        assert f"rank {victim} died" in fault["error"]
        # The job goes on; that such a job ends well is what test_recovery shows.
        assert run.wait_for_step(run.status()["step"] + 5, 300)["state"] != "failed", run.logs()


def under_way(run: LiveRun) -> None:
    for _ in range(3000):
        if run.status().get("profiles"):
            return
        threading.Event().wait(0.05)
    raise AssertionError(f"the job took no request: {run.logs()}")


@pytest.mark.slow
def test_nobody_answers_in_time(tmp_path: Path) -> None:
    with LiveRun(tmp_path, job=job_of(1000)) as run:
        run.wait_for_step(5, 300)
        code, fault = answer("profile", str(run.run), "--steps", "800", "--timeout", "1")
        assert code == 3
        assert "within 1 s" in fault["error"]
        assert not (run.run / "profile.json").exists()
