"""The Slurm that the proofs run under: nodes of their own, and nothing left behind."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from slurm.cluster import Cluster
from slurm.missing import missing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def networks(processes: Iterable[object]) -> set[Path]:
    found = set()
    for process in processes:
        with contextlib.suppress(OSError):
            found.add(Path(f"/proc/{process}/ns/net").readlink())
    return found


def everywhere() -> set[Path]:
    return networks(path.name for path in Path("/proc").glob("[0-9]*"))


def assert_gone(own: set[Path]) -> None:
    assert len(own) > 1
    assert not own & everywhere()


@pytest.mark.parametrize("size", [1, 2, 5])
def test_nothing_is_left_behind(size: int) -> None:
    if missing():
        pytest.skip(missing())
    with Cluster(size) as cluster:
        own = networks(cluster.hosts._firsts.values())
        assert set(cluster.states()) == set(cluster.nodes)
        cluster.run("sbatch", f"-N{size}", "--wrap", "sleep 1000", "-o", "/dev/null")
        cluster.wait_for_job(1, lambda job: job["JobState"] == "RUNNING", 30)
        shown = cluster.run("srun", "--overlap", f"-N{size}", "--jobid=1", "hostname")
        assert sorted(shown.split()) == cluster.nodes
    assert_gone(own)
    assert not cluster.folder.exists()


def test_nothing_is_left_behind_by_a_failure() -> None:
    if missing():
        pytest.skip(missing())
    cluster = Cluster(2)
    own: set[Path] = set()

    def fail() -> None:
        with cluster:
            own.update(networks(cluster.hosts._firsts.values()))
            cluster.crash_node("node1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert_gone(own)
    assert not cluster.folder.exists()


def test_a_node_is_a_machine_of_its_own(cluster: Cluster) -> None:
    each = ("srun", f"-N{len(cluster.nodes)}", "--ntasks-per-node=1", "sh", "-c")
    names = cluster.run(*each, "echo $(hostname) $(ls /dev/shm | wc -l) > /dev/shm/$(hostname)")
    seen = cluster.run(*each, "echo $(hostname) $(ls /dev/shm)")
    assert names == ""
    assert sorted(seen.splitlines()) == [f"{name} {name}" for name in cluster.nodes]


@pytest.fixture
def short() -> Iterator[Path]:
    """Return a folder for sockets: their paths have 108 characters, and pytest's are deep."""
    with tempfile.TemporaryDirectory(prefix="q") as folder:
        yield Path(folder)


@pytest.mark.parametrize("silently", [False, True])
def test_a_node_goes_down_and_comes_back(cluster: Cluster, *, silently: bool) -> None:
    cluster.crash_node("node2", silently=silently)
    cluster.run("scontrol", "ping")
    with pytest.raises(RuntimeError):
        cluster.run("srun", "--immediate=1", "-w", "node2", "true", timeout=120)
    cluster.boot_node("node2")
    cluster.wait_for_nodes(timeout=120)
    assert cluster.run("srun", "-w", "node2", "hostname").strip() == "node2"


def test_nothing_lives_on_after_its_maker_was_killed(tmp_path: Path, short: Path) -> None:
    if missing():
        pytest.skip(missing())
    script = tmp_path / "maker.py"
    script.write_text(
        "import os, sys, tempfile\n"
        f"tempfile.tempdir = {str(short)!r}\n"
        "from slurm.cluster import Cluster\n"
        "with Cluster(2) as cluster:\n"
        "    for first in cluster.hosts._firsts.values():\n"
        "        print(os.readlink(f'/proc/{first}/ns/net'))\n"
        "    sys.stdout.flush()\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    maker = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert maker.returncode == -signal.SIGKILL, maker.stderr
    own = {Path(line) for line in maker.stdout.split()}
    deadline = time.monotonic() + 10
    while own & everywhere() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert_gone(own)
