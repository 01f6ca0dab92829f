"""The report of a curriculum: curves by type and band, weights of arms, stages, probes, the end."""

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.config.arms import with_arms
from qmpi.config.bands import BANDS
from qmpi.config.data import ContentSource
from qmpi.corpora.standing import StandingSteps, replay
from qmpi.monitor.curriculum_section import curriculum_sections, stage_chart
from qmpi.monitor.curriculum_story import (
    LOOKS,
    MOST_RECIPES,
    STRETCHES,
    CurriculumStory,
    curriculum_story,
    read_curriculum,
)
from qmpi.monitor.curves import MOST_CURVES, MOST_PROBES, Frame, Marked, curves_chart
from qmpi.monitor.evaluation_section import solved_charts
from qmpi.monitor.report import render_report
from qmpi.policy.scoring import Label, answer_marks, evaluation_of
from qmpi.protocol.specialisation import Specialisation, TypeExcess
from qmpi.simulator.scenario import parse_scenario, play
from tests.unit.launch.balanced_runs import STEPS, TYPES, job_of, journal_of, write_run
from tests.unit.monitor.test_report import STORY, read

SCENARIOS = Path(__file__).parents[2] / "simulation" / "scenarios"


@pytest.fixture(scope="module")
def adaptive() -> CurriculumStory:
    """What an adaptive run did, as the simulator plays it."""
    scenario = parse_scenario((SCENARIOS / "curriculum.txt").read_text())
    outcome, missed = play(scenario)
    assert not missed
    story = curriculum_story(with_arms(scenario.settings), replay(outcome.journal))
    assert story is not None
    return story


def static(steps: int = STEPS) -> tuple[CurriculumStory | None, StandingSteps]:
    settings = job_of(3)
    told = replay(journal_of(settings, {}, steps))
    return curriculum_story(settings, told), told


def test_an_adaptive_run_has_curves_of_types_bands_answers_and_arms(
    adaptive: CurriculumStory,
) -> None:
    bands = [name for name, _, _ in BANDS]
    assert set(adaptive.types) == {"corpus python", "mathematics"}
    assert set(adaptive.bands) == set(bands)
    assert set(adaptive.answers) == {"mathematics"}
    assert list(adaptive.weights) == ["mathematics"]
    assert list(adaptive.weights["mathematics"]) == bands
    for points in adaptive.weights["mathematics"].values():
        assert points[0] == (0, pytest.approx(1.0, abs=0.05))
        assert points[-1][0] == 90
        assert [step for step, _ in points] == sorted(step for step, _ in points)
    assert [step for step, _ in adaptive.stages] == [11 * n for n in range(1, 9)]
    assert adaptive.marked.probes[:2] == ((0, 11), (11, 22))
    assert (33, 44) in adaptive.marked.probes
    assert adaptive.marked.off == -1
    assert [name for name, _, _ in adaptive.ladder] == bands
    assert adaptive.ladder[-1][2] == 100


def test_sources_of_one_type_have_a_chart_of_their_arms_each() -> None:
    scenario = parse_scenario((SCENARIOS / "curriculum.txt").read_text())
    sources = tuple(
        ContentSource(name=name, type="drills", families=(name,), max_level=28)
        for name in ("copy", "sort")
    )
    plain = replace(scenario.settings, data=replace(scenario.settings.data, sources=sources))
    settings = with_arms(plain)
    outcome, _ = play(replace(scenario, settings=settings, faults=()))
    story = curriculum_story(settings, replay(outcome.journal))
    assert story is not None
    assert list(story.weights) == ["drills, copy", "drills, sort"]
    assert all(list(arms) == ["beginner", "elementary"] for arms in story.weights.values())


def test_the_cards_are_a_page_without_scripts(adaptive: CurriculumStory) -> None:
    hostile = replace(adaptive, marked=Marked(((0, 11),), 44, "</svg><script>alert(1)</script>"))
    html = render_report(replace(STORY, curriculum=hostile))
    read(html)
    assert "<script>" not in html
    for name in ("Loss by type", "Loss by band of levels", "Loss of the answers", "Stage"):
        assert f"<h2>{name}</h2>" in html
    assert "From step 44 on:" in html
    assert 'class="probe"' in html
    assert html.count('class="rung"') == len(BANDS)


def test_a_static_run_has_types_and_no_arms() -> None:
    story, told = static()
    assert story is not None
    assert set(story.types) == set(TYPES)
    assert (story.bands, story.answers, story.weights, story.marked) == ({}, {}, {}, Marked())
    names = re.findall("<h2>(.*?)</h2>", "".join(curriculum_sections(story)))
    assert names == ["Loss by type"]
    assert stage_chart(story) == ""  # no window of 50 steps is whole
    bare = {n: replace(record, sources=()) for n, record in told.steps.items()}
    assert curriculum_story(job_of(3), StandingSteps(bare, told.opened, "", 0)) is None


def test_a_loss_by_type_is_the_mean_of_a_stretch() -> None:
    story, told = static()
    assert story is not None
    own = [entry for entry in told.steps[0].sources if entry.source == 1]
    assert story.types["code"][0] == (1, pytest.approx(own[0].loss / 1024 / own[0].tokens))


def test_long_runs_are_thinned() -> None:
    story, _ = static(3000)
    assert story is not None
    assert all(len(points) == STRETCHES for points in story.types.values())
    assert len(story.stages) == 60 <= LOOKS
    assert MOST_RECIPES < 1000


def test_a_run_is_read_from_its_directory(tmp_path: Path) -> None:
    root = write_run(tmp_path / "run", job_of(3))
    story = read_curriculum(root)
    assert story is not None
    assert set(story.types) == set(TYPES)
    (root / "job.toml").write_text("[nothing]\n")
    assert read_curriculum(root) is None


def measured(step: int, right: int) -> list[str]:
    marks = [
        answer_marks(Label("sums", "mathematics", "beginner", level), right=level <= right)
        for level in (1, 5, 10, 11, 100)
    ]
    return [solved_charts([evaluation_of(s, marks, {}) for s in (step, step + 5)], Marked())]


def test_problems_solved_are_drawn_by_type_and_by_ten_levels() -> None:
    (drawn,) = measured(5, 6)
    names = re.findall(r'class="row"[^>]*>(.*?)<', drawn)
    assert names == ["mathematics", "levels 1-10", "levels 11-20", "levels 91-100"] or set(
        names
    ) == {"mathematics", "levels 1-10", "levels 11-20", "levels 91-100"}
    assert solved_charts([evaluation_of(1, [], {})], Marked()) == ""


def test_many_curves_have_names_that_do_not_lie_on_one_another() -> None:
    curves = {f"c{n}": [(0, 1.0), (9, 2.0)] for n in range(30)}
    drawn = curves_chart(curves, "many", Frame(), Marked(((3, 3), (20, 30)), 50, "later"))
    heights = [float(y) for y in re.findall(r'y="([\d.]+)" class="row"', drawn)]
    assert len(heights) == MOST_CURVES
    assert len(set(heights)) == MOST_CURVES
    assert "probe" not in drawn
    assert "strike" not in drawn
    assert 'class="curve trainer again"' in drawn
    probes = Marked(tuple((n, n + 1) for n in range(1000)), -1)
    long = curves_chart({"a": [(0, 1.0), (1000, 1.0)]}, "long", Frame(), probes)
    assert long.count('class="probe"') <= MOST_PROBES
    assert curves_chart({"a": [], "b": [(1, float("nan"))]}, "nothing") == ""


def test_a_verdict_is_told_with_its_figures() -> None:
    excess = TypeExcess(
        type="<b>mathematics", loss=2.0, reference=2.4, excess=-0.4, z=-8.0, relative=-0.41,
        bound=0.1, relative_z=-9.1, probability=1e-6, verdict="specialised",
    )  # fmt: skip
    told = Specialisation(
        reference="small.json", runs=8, step=40, tokens=100, end_tokens=100, is_judged=True,
        confidence=0.98, specialised=("mathematics",), weak=(), types=(excess,),
    )  # fmt: skip
    html = render_report(replace(STORY, specialisation=told))
    read(html)
    assert "mathematics (loss 0.41 below the reference, z = -9.1)" in html
    assert "<b>mathematics" not in html
    assert "±0.100" in html
    assert "98 % of balanced runs" in html
