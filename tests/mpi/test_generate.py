"""`qmpi generate` on real ranks: whatever is killed, every shard has the bytes of a quiet run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mpi.live_run import qmpi

from qmpi.storage.corpus import Corpus
from qmpi.storage.rank_files import start_ticks

SIZE = ("--tokens", "1.5M", "--type", "mathematics", "--level", "1-20", "--seed", "5")
SIZE += ("--tokenizer", "builtin:python")  # the usual one takes longer to make than all of this
BLOCKS = 23
BLOCK_TOKENS = 65_536


def generate(out: Path, ranks: int) -> dict[str, Any]:
    done = qmpi("generate", *SIZE, "--out", str(out), "-n", str(ranks), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@contextmanager
def generating(out: Path, ranks: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "qmpi.cli.main", "generate", *SIZE, "--out", str(out)]
    process = subprocess.Popen(
        [*command, "-n", str(ranks), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
        end(rank_pids(out))


def wait_for_shards(out: Path, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while len(list(out.glob("shard-*.h5"))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no shards in time"
        time.sleep(0.01)


def rank_pids(out: Path) -> dict[int, int]:
    files = (out / "work" / "ranks").glob("*.json")
    ranks = [json.loads(path.read_text()) for path in files]
    return {r["rank"]: r["pid"] for r in ranks if start_ticks(r["pid"]) == r["started"] != 0}


def end(pids: dict[int, int]) -> None:
    for pid in pids.values():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def bytes_of(out: Path) -> dict[str, bytes]:
    names = [*sorted(path.name for path in out.glob("shard-*.h5")), "manifest.json", "index.json"]
    # The name of the corpus is that of its directory, and stands in these two.
    own = {name: (out / name).read_bytes().replace(out.name.encode(), b"") for name in names}
    return {name: data for name, data in own.items() if name != "manifest.json"}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("quiet") / "corpus"
    said = generate(out, 1)
    assert (said["tokens"], said["shards"]) == (BLOCKS * BLOCK_TOKENS, BLOCKS)
    return out


def test_a_corpus_is_whole_and_can_be_read(quiet: Path) -> None:
    names = {path.name for path in quiet.iterdir() if not path.name.startswith("shard-")}
    assert names == {"index.json", "manifest.json", "statistics.html", "tokenizer.json"}
    assert (quiet / "statistics.html").stat().st_size > 5000
    corpus = Corpus.open(quiet)
    assert corpus.verify() == []
    assert corpus.rows(1024) == (BLOCKS * BLOCK_TOKENS - 1) // 1024
    addresses = [a for n in range(BLOCKS) for a in corpus.shards.reader(n).addresses]
    assert len({(a.stream, a.block) for a in addresses}) == BLOCKS


def test_a_damaged_block_is_made_again(quiet: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    shutil.copytree(quiet, out)
    shard = out / "shard-000007.h5"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 16
    shard.write_bytes(data)
    found = qmpi("shards", "verify", str(out), "--json")
    faults = json.loads(found.stdout)["faults"]
    assert (found.returncode, len(faults), faults[0]["chunk"]) == (3, 1, 0)
    done = qmpi("shards", "repair", str(out), "--json")
    assert json.loads(done.stdout)["files"][0]["blocks"] == [faults[0]["block"]]
    assert bytes_of(out) == bytes_of(quiet)


def test_given_again_it_finds_the_corpus_there(quiet: Path) -> None:
    assert generate(quiet, 2)["made_now"] is False
    other = qmpi("generate", *SIZE, "--seed", "6", "--out", str(quiet), "--json")
    assert other.returncode == 2
    assert "--force" in json.loads(other.stdout)["error"]


@pytest.mark.slow
def test_a_killed_worker_costs_its_unit_only(quiet: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    with generating(out, 3) as process:
        wait_for_shards(out, 4, process)
        os.kill(rank_pids(out)[2], signal.SIGKILL)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert bytes_of(out) == bytes_of(quiet)


def test_a_worker_then_everything_killed_goes_on_where_it_was(quiet: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    with generating(out, 3) as process:
        wait_for_shards(out, 2, process)
        os.kill(rank_pids(out)[2], signal.SIGKILL)
        wait_for_shards(out, 6, process)
        process.kill()
        end(rank_pids(out))
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("shard-*.h5")}
    assert 6 <= len(before) < BLOCKS
    generate(out, 2)
    kept = [name for name, at in before.items() if (out / name).stat().st_mtime_ns == at]
    assert len(kept) >= len(before) - 2, "what was done is not done again"
    assert bytes_of(out) == bytes_of(quiet)


@pytest.mark.slow
def test_a_killed_dealer_is_started_again(quiet: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    with generating(out, 3) as process:
        wait_for_shards(out, 4, process)
        os.kill(rank_pids(out)[0], signal.SIGKILL)
        output, _ = process.communicate(timeout=90)
    assert process.returncode == 0, output
    assert bytes_of(out) == bytes_of(quiet)


@pytest.mark.slow
def test_a_stop_can_be_resumed(quiet: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    with generating(out, 2) as process:
        wait_for_shards(out, 3, process)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 75, output
    generate(out, 1)
    assert bytes_of(out) == bytes_of(quiet)
