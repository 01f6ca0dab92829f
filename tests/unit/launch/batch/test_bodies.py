"""Scripts run by bash, with commands that only write down how they were called."""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.launch.batch.sandbox import KINDS, Sandbox, end
from unit.launch.batch.test_quoting import HOSTILE, texts

from qmpi.launch.batch.script import Variants

NAMES = st.lists(st.sampled_from([text for text in HOSTILE if text]) | texts, max_size=3).map(
    lambda parts: os.fsdecode(os.fsencode("".join(parts).replace("/", ""))[:120]) or "x"
)
"""Names of files, hostile ones above all; what is cut in the middle of a letter is no text."""

kinds = pytest.mark.parametrize("kind", KINDS)
RESUBMITS = ("pbs", "flux")
WARNING = {"slurm": "USR1", "pbs": "USR1", "lsf": "USR2", "flux": "USR1"}


def train(box: Sandbox, run: Path) -> list[bytes]:
    """Arguments of the first start of a run."""
    words = ["train", str(box.root / "job.toml"), "--run-dir", str(run), "--quiet", "-n", "5"]
    words += ["--ranks-per-host", "2", "--stop-before", "180"]
    return [os.fsencode(word) for word in words]


@kinds
@given(data=st.data())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
def test_hostile_names_arrive_unchanged_and_nothing_else_runs(
    kind: str, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        box = Sandbox(Path(folder))
        job, run, work = (box.root / f"{mark}{data.draw(NAMES)}" for mark in "jrw")
        options = tuple(data.draw(st.lists(texts, max_size=4)))
        work.mkdir()
        script = box.script(
            kind, run=run, name=data.draw(texts), job=job, workdir=work, options=options
        )
        assert box.run(kind, script) == 0, (run / "batch").exists()
        words = ["train", str(job), "--run-dir", str(run), "--quiet", "-n", "5"]
        words += ["--ranks-per-host", "2", "--stop-before", "180", *options]
        assert box.calls("qmpi") == [list(map(os.fsencode, words))]
        assert not any(box.calls(name) for name in ("scontrol", "qsub", "blaunch", "pbs_tmrsh"))
        made = {path.name for path in box.root.iterdir()}
        assert made == {"bin", "calls", "does", "script.sh", run.name, work.name}
        assert list(work.iterdir()) == []


@kinds
def test_a_run_that_is_done_is_done(kind: str, tmp_path: Path) -> None:
    box = Sandbox(tmp_path)
    run = tmp_path / "run"
    assert box.run(kind, box.script(kind, run=run)) == 0
    assert box.calls("qmpi") == [train(box, run)]
    (log,) = (run / "batch").glob("*.log")
    assert "ended with exit code 0" in log.read_text()


@kinds
@pytest.mark.parametrize("code", [2, 3, 4])
def test_a_run_that_failed_is_not_queued_again(kind: str, code: int, tmp_path: Path) -> None:
    box = Sandbox(tmp_path, str(code))
    assert box.run(kind, box.script(kind, run=tmp_path / "run")) == code
    assert len(box.calls("qmpi")) == 1
    assert requeues(box, kind) == []


@kinds
def test_75_queues_the_job_again(kind: str, tmp_path: Path) -> None:
    box = Sandbox(tmp_path, "75")
    run = tmp_path / "run"
    script = box.script(kind, run=run, seconds=3600)
    (run / "batch").mkdir(parents=True)
    (run / "batch" / f"{kind}.sh").write_text(script)
    assert box.run(kind, script) == 75
    kept = os.fsencode(run / "batch" / f"{kind}.sh")
    assert (
        requeues(box, kind)
        == {
            "slurm": [[b"requeue", b"77"]],
            "pbs": [[b"-W", b"depend=afterany:77.server", b"-v", b"QMPI_REQUEUES=1", kept]],
            "lsf": [],  # its own `-Q 75` sees the exit code
            "flux": [
                [
                    b"--parent",
                    b"batch",
                    b"--dependency=afterany:f77",
                    b"--env=QMPI_REQUEUES=1",
                    kept,
                ]
            ],
        }[kind]
    )


@pytest.mark.parametrize("kind", RESUBMITS)
def test_a_script_that_was_not_kept_hands_itself_in(kind: str, tmp_path: Path) -> None:
    box = Sandbox(tmp_path, "75")
    assert box.run(kind, box.script(kind, run=tmp_path / "run"), QMPI_REQUEUES="6") == 75
    (call,) = requeues(box, kind)
    assert call[-1] == os.fsencode(tmp_path / "script.sh")
    assert any(b"QMPI_REQUEUES=7" in word for word in call)


@pytest.mark.parametrize("kind", RESUBMITS)
def test_queueing_again_has_an_end(kind: str, tmp_path: Path) -> None:
    box = Sandbox(tmp_path, "75")
    assert box.run(kind, box.script(kind, run=tmp_path / "run"), QMPI_REQUEUES="1000") == 3
    assert requeues(box, kind) == []


@kinds
def test_a_command_that_was_killed_follows_its_ranks(kind: str, tmp_path: Path) -> None:
    box = Sandbox(tmp_path, "kill kill 0")
    run = tmp_path / "run"
    run.mkdir()
    (run / "job.toml").touch()
    assert box.run(kind, box.script(kind, run=run)) == 0
    first, *again = box.calls("qmpi")
    assert first == train(box, run)
    assert len(again) == 2
    assert all(call[:3] == [b"train", b"--resume", os.fsencode(run)] for call in again)


@kinds
def test_a_command_that_is_killed_each_time_is_given_up(kind: str, tmp_path: Path) -> None:
    box = Sandbox(tmp_path, " ".join(["kill"] * 9))
    assert box.run(kind, box.script(kind, run=tmp_path / "run")) == 137
    assert len(box.calls("qmpi")) == 5
    assert requeues(box, kind) == []


@kinds
def test_a_warning_reaches_the_command_and_queues_the_job_again(kind: str, tmp_path: Path) -> None:
    box = Sandbox(tmp_path, "wait")
    assert signalled(box, kind, WARNING[kind]) == 75
    assert box.signals.read_text().split() == ["ready", "USR1"]
    assert len(requeues(box, kind)) == (0 if kind == "lsf" else 1)


@kinds
def test_a_cancelled_job_is_not_queued_again(kind: str, tmp_path: Path) -> None:
    box = Sandbox(tmp_path, "wait")
    assert signalled(box, kind, "TERM") == 143
    assert box.signals.read_text().split() == ["ready", "TERM"]
    assert requeues(box, kind) == []


@kinds
def test_a_limit_after_its_warning_is_no_cancelling(kind: str, tmp_path: Path) -> None:
    box = Sandbox(tmp_path, "slow")
    assert signalled(box, kind, WARNING[kind], "TERM") == 75
    assert box.signals.read_text().split() == ["ready", "USR1", "TERM"]


@pytest.mark.parametrize("kind", ["pbs", "lsf"])
def test_the_command_is_told_when_the_job_ends(kind: str, tmp_path: Path) -> None:
    box = Sandbox(tmp_path)
    setup = ("trap 'echo \"$QMPI_END_TIME\" >end' EXIT",)
    before = int(time.time())
    script = box.script(kind, run=tmp_path / "run", seconds=1000, warn_seconds=30, setup=setup)
    assert box.run(kind, script) == 0
    end = int((tmp_path / "end").read_text())
    assert before + 1000 <= end <= time.time() + 1000
    (call,) = box.calls("qmpi")
    assert call[-2:] == [b"--stop-before", b"30"]


def test_an_array_has_a_run_for_each_value(tmp_path: Path) -> None:
    for kind, number in (("slurm", "SLURM_ARRAY_TASK_ID"), ("lsf", "LSB_JOBINDEX")):
        root = tmp_path / kind
        root.mkdir()
        box = Sandbox(root, "75 75")
        variants = Variants("job.name", ("a b", "$(touch pwned)"))
        script = box.script(kind, run=root / "run", variants=variants, values=2)
        offset = int(kind == "lsf")
        for index in (0, 1):
            more = {number: str(index + offset), "SLURM_ARRAY_JOB_ID": "70"}
            assert box.run(kind, script, **more) == 75
        runs = [root / "run" / str(index) for index in (0, 1)]
        assert box.calls("qmpi") == [
            [*train(box, run), b"--set", f"job.name={value}".encode()]
            for run, value in zip(runs, variants.values, strict=True)
        ]
        if kind == "slurm":
            assert requeues(box, kind) == [[b"requeue", b"70_0"], [b"requeue", b"70_1"]]


@pytest.mark.parametrize(("kind", "agent"), [("pbs", "pbs_tmrsh"), ("lsf", "blaunch")])
def test_mpirun_reaches_other_nodes_by_the_scheduler(kind: str, agent: str, tmp_path: Path) -> None:
    box = Sandbox(tmp_path, "0 0")
    script = box.script(kind, run=tmp_path / "run", setup=("trap 'echo $AGENT >agent' EXIT",))
    script = script.replace("$AGENT", "$PRTE_MCA_plm_ssh_agent")
    assert box.run(kind, script) == 0
    assert (tmp_path / "agent").read_text().strip() == agent
    assert box.run(kind, script, PRTE_MCA_plm_ssh_agent="mine") == 0
    assert (tmp_path / "agent").read_text().strip() == "mine"


def test_the_agent_of_flux_is_called_as_ssh_is(tmp_path: Path) -> None:
    box = Sandbox(tmp_path)
    assert box.run("flux", box.script("flux", run=tmp_path / "run")) == 0
    agent = tmp_path / "run" / "batch" / "flux-agent"
    environ = box.environ("flux")
    subprocess.run([str(agent), "node7", "echo 'a b'"], env=environ, check=True, timeout=20)
    *_, find, ask = box.calls("flux")
    assert find == [b"hostlist", b"--find=node7", b"instance"]
    assert ask[-3:] == [b"/bin/sh", b"-c", b"echo 'a b'"]


def requeues(box: Sandbox, kind: str) -> list[list[bytes]]:
    """Return the calls that queue a job again."""
    name = {"slurm": "scontrol", "pbs": "qsub", "lsf": "bsub", "flux": "flux"}[kind]
    return [call for call in box.calls(name) if b"requeue" in call or b"QMPI" in b"".join(call)]


def signalled(box: Sandbox, kind: str, *names: str) -> int:
    """Run a script whose qmpi waits, and signal the script alone.

    Returns:
        Its exit code.
    """
    script = box.script(kind, run=box.root / "run")
    with box.start(kind, script) as process:
        try:
            for number, name in enumerate(names, 1):
                await_lines(box.signals, number)
                process.send_signal(getattr(signal, f"SIG{name}"))
            process.communicate(timeout=20)
        finally:
            end(process)
    return process.returncode


def await_lines(path: Path, number: int) -> None:
    """Wait until a file has so many lines."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if path.exists() and len(path.read_text().splitlines()) >= number:
            return
        time.sleep(0.02)
    raise AssertionError(f"{path} has no {number} lines")
