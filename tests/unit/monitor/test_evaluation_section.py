"""The report's part on held-out text: a curve a source, a table, names that break nothing."""

from msgspec.structs import replace

from qmpi.monitor.evaluation_section import SCORE_NAMES, held_out_chart, score_rows
from qmpi.monitor.report import render_report
from qmpi.protocol.evaluation import Evaluation, Scores
from tests.unit.monitor.test_report import STORY, read

NOTHING = Scores(None, {}, {}, {})


def measured(step: int, loss: float, name: str = "python") -> Evaluation:
    return Evaluation(
        step=step,
        loss=Scores(loss, {name: loss, "sums": loss + 1}, {"mathematics": loss + 1}, {}),
        bits_per_byte=Scores(loss / 2, {name: loss / 2}, {}, {}),
        accuracy=Scores(0.25, {"sums": 0.25}, {"mathematics": 0.25}, {"beginner": 0.25}),
        tokens=Scores(2048.0, {name: 1024.0, "sums": 1024.0}, {"mathematics": 1024.0}, {}),
        problems=Scores(8.0, {"sums": 8.0}, {"mathematics": 8.0}, {"beginner": 8.0}),
    )


def test_the_rows_name_all_groups_and_leave_no_cell_empty() -> None:
    rows = score_rows(measured(20, 4.0))
    assert [row[0] for row in rows] == [
        "overall", "source python", "source sums", "type mathematics", "band beginner",
    ]  # fmt: skip
    assert {len(row) for row in rows} == {1 + len(SCORE_NAMES)}
    assert rows[1] == ("source python", "4.000", "2.000", "1,024", "-", "-")
    assert rows[4] == ("band beginner", "-", "-", "-", "25.0%", "8")


def test_the_report_shows_loss_and_accuracy_by_source() -> None:
    told = replace(STORY, evaluations=(measured(40, 5.0), measured(60, 4.0)))
    html = render_report(told)
    read(html)
    assert "Held-out text and problems" in html
    assert "source python" in html
    assert "25.0%" in html
    # Two losses and a share of problems, each with a stroke before its name.
    assert html.count('class="curve ') == 6
    assert "Held-out text and problems" not in render_report(STORY)


def test_one_evaluation_draws_no_curve() -> None:
    html = render_report(replace(STORY, evaluations=(measured(60, 4.0),)))
    assert 'class="curve ' not in html
    assert "Weights before step 60" in html


def test_names_are_escaped_and_numbers_that_are_none_are_not_drawn() -> None:
    hostile = measured(60, 5.0, "</svg><script>")
    hostile = replace(hostile, loss=Scores(None, {"</svg><script>": None, "sums": 6.0}, {}, {}))
    told = replace(STORY, evaluations=(hostile, replace(hostile, step=80)))
    html = render_report(told)
    read(html)
    assert "<script>" not in html
    bare = replace(hostile, loss=NOTHING)
    assert held_out_chart([bare, bare]) == "<p>No held-out loss was measured.</p>"
