import io

from msgspec.structs import replace
from rich.console import Console

from qmpi.monitor.live_view import LiveView, frame
from qmpi.protocol.progress import StepTimes
from qmpi.protocol.roll_back import RollBack
from qmpi.protocol.status import FailureReport, RankReport, StatusReport
from qmpi.units import Step

REPORT = StatusReport(
    state="running",
    step=20,
    steps=60,
    tokens=61440,
    tokens_per_second=5120.0,
    loss=5.25,
    digest="ab" * 32,
    generation=2,
    failures=(
        FailureReport(100.0, (6,), "rank 6 (trainer) died", "rank 8 took its place", "MPI told"),
    ),
    ranks=(
        RankReport(0, "coordinator", "here", 10, alive=True, activity="counting"),
        RankReport(4, "trainer", "here", 14, alive=True, activity="step [bold]20"),
        RankReport(6, "trainer", "here", 16, alive=False, activity="dead"),
    ),
    eta_seconds=42.0,
    losses=((0, 8.3), (10, 6.0), (19, 5.25)),
)


def plain_console() -> Console:
    return Console(file=io.StringIO(), force_terminal=False, width=100)


def written(console: Console) -> str:
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_elsewhere_than_on_a_terminal_a_line_every_few_seconds() -> None:
    console = plain_console()
    with LiveView(console, "demo") as view:
        for tick in range(100):
            view.update(replace(REPORT, step=tick), now=1000.0 + tick * 0.1)
    lines = written(console).splitlines()
    assert len(lines) == 3  # at 1000 s, at 1005 s, and the last report
    assert lines[0].startswith("demo: running, step 0 of 60, loss 5.2500, 5,120 tokens/s, 42 s")
    assert lines[1].startswith("demo: running, step 50 of 60")
    assert lines[2].startswith("demo: running, step 99 of 60")


def test_lines_hold_no_control_codes_and_no_markup() -> None:
    console = plain_console()
    with LiveView(console, "demo") as view:
        view.say("killed rank 6 [red]")
        view.update(REPORT, now=0.0)
    assert "\x1b" not in written(console)
    assert "demo: killed rank 6 [red]\n" in written(console)


def test_nothing_to_show_before_the_first_report() -> None:
    console = plain_console()
    with LiveView(console, "demo"):
        pass
    assert written(console) == ""


def test_the_picture_tells_who_died_and_what_was_done() -> None:
    console = plain_console()
    console.print(frame("demo", REPORT, ["starting 9 ranks"]))
    text = written(console)
    for words in (
        "20/60 steps",
        "6†",
        "rank 6 (trainer) died",
        "rank 8 took its place",
        "8.300 → 5.250",
        "step [bold]20",
        "starting 9 ranks",
    ):
        assert words in text


def test_on_a_terminal_it_is_drawn_in_place() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with LiveView(console, "demo") as view:
        view.update(REPORT, now=0.0)
        drawn = len(written(console))
        view.update(REPORT, now=0.01)
        assert len(written(console)) == drawn  # too soon to draw again
        view.update(REPORT, now=1.0)
        assert len(written(console)) > drawn


def test_the_view_says_where_the_time_goes() -> None:
    console = Console(file=io.StringIO(), width=120)
    report = replace(
        REPORT, times=StepTimes(forward=1.0, backward=3.0), flops_per_second=2e12, peak_flops=4e12
    )
    console.print(frame("demo", report, []))
    text = written(console)
    assert "step time  4 s: backward 75 %, forward 25 %" in text
    assert "utilisation  50 %: 2 TFLOP/s of 4 TFLOP/s" in text


def test_skipped_updates_are_said() -> None:
    skipping = replace(REPORT, skipped=3, updates=17)
    console = plain_console()
    with LiveView(console, "demo") as view:
        view.update(skipping, now=0.0)
    assert "loss 5.2500, 3 updates skipped, " in written(console)
    console = plain_console()
    console.print(frame("demo", skipping, ()))
    assert "! 3 of 20 updates skipped: the gradient was not finite" in written(console)


def test_roll_backs_are_counted_and_named() -> None:
    backs = (RollBack(Step(74), Step(66), 450), RollBack(Step(90), Step(82), 600))
    console = plain_console()
    with LiveView(console, "demo") as view:
        view.update(replace(REPORT, roll_backs=backs), now=0.0)
    assert "loss 5.2500, 2 roll backs, " in written(console)
    console = plain_console()
    console.print(frame("demo", replace(REPORT, roll_backs=backs), ()))
    assert "! roll backs 2: from step 74 to 66, from step 90 to 82" in written(console)
