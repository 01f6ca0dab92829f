"""The bar of a work farm shows this run, not the one before."""

from io import StringIO
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console
from rich.progress import Progress

from qmpi.cli import farm_view
from qmpi.cli.farm_view import FarmView
from qmpi.protocol.status import StatusReport
from qmpi.protocol.work import WorkStatus
from qmpi.storage.status_file import write_status

WORK = WorkStatus(
    stage="generate",
    stages=1,
    stage_number=0,
    units=16,
    units_done=2,
    documents=30,
    tokens=131_072,
    bytes=9,
)
REPORT = StatusReport(
    state="running",
    step=2,
    steps=16,
    tokens=WORK.tokens,
    tokens_per_second=42_000.0,
    loss=None,
    digest="",
    generation=0,
    failures=(),
    ranks=(),
    updated=100.0,
    work=WORK,
)


def test_what_an_earlier_run_left_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farm_view, "LOOK_SECONDS", 0.0)
    write_status(tmp_path, REPORT)
    bar = Progress(console=Console(file=StringIO(), force_terminal=True))
    view = FarmView(
        bar, bar.add_task("starting", total=None, said=""), tmp_path, "tokens", quiet=False
    )
    view.tick()
    assert bar.tasks[0].description == "starting"
    write_status(tmp_path, replace(REPORT, updated=101.0))
    view.tick()
    assert bar.tasks[0].description == "generate"
    assert bar.tasks[0].fields["said"].startswith("2 of 16  131k tokens  42k tokens/s")
