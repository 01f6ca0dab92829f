"""The status of a work farm speaks of units, not of steps and losses."""

from qmpi.monitor.status_text import render
from qmpi.protocol.status import FailureReport, StatusReport
from qmpi.protocol.work import WorkStatus


def test_units_are_shown() -> None:
    work = WorkStatus(
        stage="generate",
        stages=2,
        stage_number=1,
        units=40,
        units_done=10,
        documents=1234,
        tokens=655_360,
        bytes=0,
        dealt_again=2,
    )
    report = StatusReport(
        state="running",
        step=10,
        steps=40,
        tokens=655_360,
        tokens_per_second=1000.0,
        loss=None,
        digest="",
        generation=0,
        failures=(FailureReport(0.0, (3,), "rank 3 is gone", "2 units are dealt again", "killed"),),
        ranks=(),
        work=work,
        eta_seconds=65.0,
    )
    text = render(report)
    for words in ("10 of 40 (25 %)", "stage 2 of 2", "1,234", "1 min 05 s", "dealt again"):
        assert words in text
    assert "loss" not in text
