"""Traces: named after their rank, whole or not at all, several as one without mixing them up."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from qmpi.errors import CorruptData, MachineError, StorageError
from qmpi.storage.trace_file import TraceFolder, joined, read_trace, write_trace
from qmpi.units import Rank

BASE = 1_790_857_026_000_000_000


def trace(base: int = BASE, pid: int = 77) -> dict[str, Any]:
    at = 5072106488567.61
    return {
        "schemaVersion": 1,
        "baseTimeNanoseconds": base,
        "traceEvents": [
            {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": "python"}},
            {"ph": "X", "name": "mm", "cat": "cpu_op", "pid": pid, "tid": 5, "ts": at, "dur": 2.5},
            {"ph": "s", "id": 1, "pid": pid, "tid": 5, "ts": at, "cat": "f", "name": "f"},
            {"ph": "X", "name": "all", "pid": "Spans", "tid": "P", "ts": at, "dur": 9.0},
        ],
    }


def test_a_trace_is_written_whole_and_bears_its_ranks_name(tmp_path: Path) -> None:
    folder = TraceFolder(tmp_path, Rank(3), "node7")
    path = folder.write("p1", lambda plain: plain.write_text(json.dumps(trace())) and None)
    assert path == tmp_path / "p1" / "rank-00003.json.gz"
    assert list(path.parent.iterdir()) == [path]
    told = json.loads(gzip.decompress(path.read_bytes()))
    assert told["traceEvents"][0]["args"] == {"name": "rank 3 on node7"}
    assert told["traceEvents"][1:] == trace()["traceEvents"][1:]
    assert read_trace(path) == told


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"traceEvents": 3}', "\udcff", "[" * 5000])
def test_what_is_no_trace_is_refused_and_leaves_nothing(tmp_path: Path, text: str) -> None:
    folder = TraceFolder(tmp_path, Rank(3), "node7")
    raw = text.encode("utf-8", "surrogateescape")
    with pytest.raises(CorruptData, match="is no trace"):
        folder.write("p1", lambda plain: plain.write_bytes(raw) and None)
    assert list((tmp_path / "p1").iterdir()) == []


def test_a_recorder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def record(plain: Path) -> None:
        plain.write_text("{")
        raise MachineError("torch fell over")

    with pytest.raises(MachineError, match="fell over"):
        TraceFolder(tmp_path, Rank(3), "node7").write("p1", record)
    assert list((tmp_path / "p1").iterdir()) == []


@pytest.mark.parametrize(
    "harm", [lambda b: b[:20], lambda b: b[:30] + b"xx" + b[32:], lambda _: b""]
)
def test_a_damaged_file_is_named(tmp_path: Path, harm: Any) -> None:
    path = tmp_path / "t.json.gz"
    write_trace(path, trace())
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(CorruptData, match=r"t\.json\.gz"):
        read_trace(path)
    with pytest.raises(StorageError, match=r"none\.gz"):
        read_trace(tmp_path / "none.gz")


def test_joined_ranks_keep_their_processes_flows_and_moments_apart() -> None:
    later = trace(BASE + 5_000, pid=77)
    both = joined([{**trace(), "rank": 3}, {**later, "rank": 4}])
    first, second = both["traceEvents"][:4], both["traceEvents"][4:]
    assert {e["pid"] for e in first}.isdisjoint(e["pid"] for e in second)
    assert first[1]["pid"] == first[2]["pid"] != first[3]["pid"]
    ids = first[2]["id"], second[2]["id"]
    assert ids[0] != ids[1]
    assert all(isinstance(number, int) for number in ids)  # Perfetto takes no others
    assert first[1]["ts"] == trace()["traceEvents"][1]["ts"]
    assert second[1]["ts"] == pytest.approx(first[1]["ts"] + 5.0)
    assert both["baseTimeNanoseconds"] == BASE


def test_a_plain_file_is_written_where_the_name_says_so(tmp_path: Path) -> None:
    write_trace(tmp_path / "t.json", trace())
    assert json.loads((tmp_path / "t.json").read_text()) == trace()
