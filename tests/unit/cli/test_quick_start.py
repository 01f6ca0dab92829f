"""Commands for a login node: what they load, and what they take beside a bare interpreter."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qmpi.protocol.status import RankReport, StatusReport
from qmpi.storage.status_file import write_status

LIGHT = frozenset({"qmpi", "click", "msgspec", "typing_extensions"})
"""Packages beyond the standard library that these commands may load; msgspec loads the last."""

HEAVY_PARTS = (
    *("asyncio", "multiprocessing", "unittest", "email", "http", "urllib.request", "xml"),
    *("dataclasses", "subprocess", "tomllib", "sqlite3", "ssl"),
)
"""Parts of the standard library that take as long as the command itself."""

TIMES_A_BARE_INTERPRETER = 8.0
"""It is about 3.5 where nothing else runs; rich alone would add 2."""


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    ranks = tuple(
        RankReport(rank=rank, role="trainer", host=f"node{rank // 8}", pid=rank, alive=True)
        for rank in range(512)
    )
    report = StatusReport(
        state="running",
        step=1,
        steps=2,
        tokens=0,
        tokens_per_second=0.0,
        loss=None,
        digest="",
        generation=1,
        failures=(),
        ranks=ranks,
        losses=tuple((step, 5.0) for step in range(200)),
        updated=time.time(),
    )
    (tmp_path / "run" / "logs").mkdir(parents=True)
    write_status(tmp_path / "run", report)
    return tmp_path / "run"


@pytest.mark.parametrize(
    "arguments",
    [["status"], ["status", "--json"], ["runs"], ["runs", "--json"], ["logs"], ["explain"]],
    ids=" ".join,
)
def test_nothing_heavy_is_loaded(run_dir: Path, arguments: list[str]) -> None:
    where = [] if arguments[0] == "explain" else [str(run_dir)]
    program = (
        "import sys; before = set(sys.modules)\n"
        "from qmpi.cli.main import run\n"
        f"assert run({[*arguments, *where]!r}) == 0\n"
        "print(*sorted(set(sys.modules) - before), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = done.stderr.split()
    foreign = {name.partition(".")[0] for name in loaded}
    assert foreign - LIGHT - sys.stdlib_module_names == set()
    assert [name for name in HEAVY_PARTS if name in loaded] == []
    for name in ("qmpi.launch", "qmpi.runtime", "qmpi.corpora", "qmpi.config.settings"):
        assert name not in loaded


def seconds(command: list[str]) -> float:
    """Return the processor time of a command, the least of some tries."""
    tries: list[float] = []
    for _ in range(7):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, code, usage = os.wait4(process.pid, 0)
        assert code == 0
        process.returncode = 0
        tries.append(usage.ru_utime + usage.ru_stime)
    return min(tries)


def test_a_status_takes_a_few_bare_interpreters(run_dir: Path) -> None:
    bare = seconds([sys.executable, "-c", "pass"])
    status = seconds([sys.executable, "-m", "qmpi.cli.main", "status", str(run_dir)])
    assert status < TIMES_A_BARE_INTERPRETER * bare + 0.02, (status, bare)
