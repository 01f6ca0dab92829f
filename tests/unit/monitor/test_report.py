import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.monitor.drawing import RIGHT, WIDTH
from qmpi.monitor.html_page import STYLE
from qmpi.monitor.report import render_report, write_report
from qmpi.monitor.split_chart import EDGE, MEANINGS
from qmpi.monitor.story import Mark, RunStory, Span
from qmpi.policy.step_split import PARTS
from qmpi.protocol.progress import StepTimes
from qmpi.protocol.status import FailureReport

HOSTILE = "</title></style><script>alert('x')</script><img src=x onerror=alert(1)>\"'&"
VOID = {"meta", "link", "img", "br"}

STORY = RunStory(
    title="demo",
    state="finished",
    started=1000.0,
    ended=1060.0,
    steps=60,
    skipped=0,
    losses=tuple((step, 8.0 - step / 20) for step in range(60)),
    spans=(
        Span(0, "coordinator + memory", 1000.0, 1060.0),
        Span(1, "trainer", 1000.0, 1020.0),
        Span(2, "spare", 1000.0, 1021.0),
        Span(2, "trainer", 1021.0, 1060.0),
    ),
    marks=(
        Mark(1000.0, -1, "launch", "start 1 of the job, 3 ranks"),
        Mark(1010.0, 1, "snapshot", "copy of step 5 kept (ram)"),
        Mark(1020.0, 1, "death", "rank 1 (trainer) died", 20),
        Mark(1021.0, 2, "promotion", "rank 2 became a trainer"),
    ),
    failures=(FailureReport(1020.0, (1,), "rank 1 died", "rank 2 takes its place", "MPI told"),),
    facts=(("steps", "60"),),
    digest="ab" * 32,
    undisturbed_losses=tuple((step, 8.0 - step / 20) for step in range(60)),
    undisturbed_digest="ab" * 32,
    audit="ok",
    prompt="def ",
    sample="def f(x): return x < 3",
)


class Reader(HTMLParser):
    """Notes what a browser would load or run, and whether tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.stack: list[str] = []
        self.loads: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [str(v) for k, v in attrs if k in ("src", "href", "xlink:href", "data")]
        self.handlers += [k for k, _ in attrs if k.startswith("on")]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack.pop() == tag


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.stack == []
    return reader


def test_loads_nothing_and_runs_nothing() -> None:
    html = render_report(STORY)
    reader = read(html)
    assert reader.loads == []
    assert reader.handlers == []
    assert not {"script", "link", "img", "iframe", "object"} & set(reader.tags)
    assert not re.search(r"https?:|url\(|@import", html)


def test_hostile_text_stays_text() -> None:
    failure = FailureReport(1020.0, (1,), HOSTILE, HOSTILE, HOSTILE)
    story = replace(
        STORY,
        title=HOSTILE,
        state=HOSTILE,
        spans=(Span(1, HOSTILE, 1000.0, 1060.0),),
        marks=(Mark(1020.0, 1, "death", HOSTILE, 20),),
        failures=(failure,),
        facts=((HOSTILE, HOSTILE),),
        digest=HOSTILE,
        undisturbed_digest=HOSTILE,
        audit=HOSTILE,
        prompt=HOSTILE,
        sample=HOSTILE * 2,
    )
    reader = read(render_report(story))
    assert not {"script", "img"} & set(reader.tags)
    assert reader.handlers == []


def test_equal_and_unequal_weights_are_told_apart() -> None:
    assert "Bit-identical" in render_report(STORY)
    unequal = render_report(replace(STORY, undisturbed_digest="cd" * 32))
    assert "Bit-identical" not in unequal
    assert "The weights differ" in unequal
    alone = render_report(replace(STORY, undisturbed_digest="", undisturbed_losses=()))
    assert "Bit-identical" not in alone
    assert "differ" not in alone


def test_an_audit_fault_is_shown_in_words() -> None:
    html = render_report(replace(STORY, audit="block (3, 1) is not what was trained on"))
    assert "block (3, 1) is not what was trained on" in html
    assert "exactly once" not in html


def test_marks_are_drawn_for_death_promotion_and_snapshot() -> None:
    html = render_report(replace(STORY, marks=()))
    quiet = {kind: html.count(f'class="{kind}"') for kind in ("death", "promotion", "snapshot")}
    html = render_report(STORY)
    for kind, before in quiet.items():
        assert html.count(f'class="{kind}"') == before + 1


def test_a_run_that_never_began_still_has_a_report() -> None:
    empty = replace(
        STORY, losses=(), spans=(), marks=(), failures=(), digest="", sample="", audit="",
        undisturbed_losses=(), undisturbed_digest="", started=0.0, ended=0.0,
    )  # fmt: skip
    html = render_report(empty)
    read(html)
    assert "No step was committed" in html
    assert "Nothing failed" in html


def test_a_long_run_of_many_ranks_stays_small() -> None:
    spans = tuple(Span(rank, "trainer", 1000.0, 1060.0) for rank in range(8000))
    losses = tuple((step, 5.0) for step in range(200_000))
    dead = Mark(1020.0, 7000, "death", "rank 7000 (trainer) died", 9)
    html = render_report(replace(STORY, spans=spans, losses=losses, marks=(dead,)))
    assert len(html) < 200_000
    assert "trainer 7000" in html
    assert "7936 quieter ranks" in html


def test_lone_surrogates_do_not_stop_the_report(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, replace(STORY, sample="def \udcff"))
    read(path.read_text(encoding="utf-8"))


def test_the_times_of_a_step_are_one_bar_of_all_parts() -> None:
    times = StepTimes(*(float(part) for part in range(1, 10)))
    speed = (("utilisation", HOSTILE),)
    html = render_report(replace(STORY, times=times, speed=speed))
    read(html)
    assert "Where a step" in html
    assert HOSTILE not in html
    widths = [float(w) for w in re.findall(r'width="([0-9.]+)" height="36" class="part-', html)]
    assert len(widths) == 9
    assert sum(widths) == pytest.approx(WIDTH - RIGHT - EDGE, abs=1.0)
    assert widths == sorted(widths)
    assert "hidden behind" not in html
    hidden = render_report(replace(STORY, times=StepTimes(communication=0.001, hidden=0.003)))
    assert "hidden behind gradients: 3.00 ms, 75 % of the communication" in hidden
    assert "Where a step" not in render_report(STORY)
    assert "No time was measured" in render_report(replace(STORY, times=StepTimes()))


def test_every_part_has_a_meaning_and_a_colour() -> None:
    assert tuple(MEANINGS) == PARTS
    for part in PARTS:
        assert f"rect.part-{part} " in STYLE
