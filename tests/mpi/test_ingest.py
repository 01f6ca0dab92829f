"""`qmpi ingest -n RANKS` on real ranks: the bytes of one process, also when ranks are killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mpi.live_run import qmpi

from qmpi.storage.rank_files import start_ticks

OPTIONS = ("--vocab-size", "600", "--accept-damage")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("texts") / "in"
    root.mkdir()
    draw = random.Random(4)
    lexicon = ["".join(draw.choices("abcdefghijkl", k=draw.randint(2, 8))) for _ in range(4000)]
    for name in "abc":
        lines = [json.dumps({"text": " ".join(draw.choices(lexicon, k=150))}) for _ in range(400)]
        (root / f"{name}.jsonl").write_text("\n".join([*lines, lines[7], "{broken"]))
    return root


def _alone(texts: Path, folder: Path) -> dict[str, bytes]:
    out = folder / "alone" / "corpus"
    done = qmpi("ingest", str(texts), "--out", str(out), *OPTIONS)
    assert done.returncode == 0, done.stdout + done.stderr
    return _bytes_of(out)


def _bytes_of(out: Path) -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in out.iterdir()}
    assert found.pop("ingest-report.json")
    return found


def _rank_pids(work: Path) -> dict[int, int]:
    ranks = [json.loads(path.read_text()) for path in (work / "ranks").glob("*.json")]
    return {r["rank"]: r["pid"] for r in ranks if start_ticks(r["pid"]) == r["started"] != 0}


def test_ranks_make_the_bytes_of_one_process(texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    done = qmpi("ingest", str(texts), "--out", str(out), *OPTIONS, "-n", "3", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["facts"]["left_out"] == {"duplicate": 3, "not JSON": 3}
    assert _bytes_of(out) == _alone(texts, tmp_path)


@pytest.mark.slow
def test_everything_killed_then_gone_on_with(texts: Path, tmp_path: Path) -> None:
    # Over one unit: cut by bytes, so that two ranks read it.
    draw = random.Random(5)
    with (texts / "long.txt").open("w") as file:
        for _ in range(1500):
            file.write(" ".join(f"{draw.getrandbits(24):x}" for _ in range(1000)) + "\n")
    alone = _alone(texts, tmp_path)
    out = tmp_path / "corpus"
    command = [sys.executable, "-m", "qmpi.cli.main", "ingest", str(texts), "--out", str(out)]
    process = subprocess.Popen([*command, *OPTIONS, "-n", "3"], start_new_session=True)
    work = tmp_path / "corpus.partial" / "work"
    deadline = time.monotonic() + 60
    try:
        while not list(work.glob("clean/*.meta")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()
        for pid in _rank_pids(work).values():
            os.kill(pid, signal.SIGKILL)
        process.wait()
    done = qmpi("ingest", str(texts), "--out", str(out), *OPTIONS, "-n", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "going on" in done.stderr
    assert _bytes_of(out) == alone
