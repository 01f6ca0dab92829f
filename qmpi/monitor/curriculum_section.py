"""The curriculum in the report: losses by type and band, weights of arms, stages, a verdict."""

from html import escape

from qmpi.config.curriculum import STAGES
from qmpi.monitor.curriculum_story import CurriculumStory
from qmpi.monitor.curves import Frame, curves_chart
from qmpi.monitor.html_page import section, table
from qmpi.monitor.specialisation_text import HEADS, excess_rows, measure_text, verdicts
from qmpi.protocol.specialisation import Specialisation

ARMS = Frame(beside="times", height=200)


def curriculum_sections(story: CurriculumStory) -> list[str]:
    """Return what a run lost by type and band, and what its curriculum did.

    Args:
        story: of the run.

    Returns:
        Cards.
    """
    marked = story.marked
    charts = [
        (
            "Loss by type",
            curves_chart(story.types, "loss by type of text", marked=marked),
            "Training loss; sources of one type by the shares that the job gives them.",
        ),
        (
            "Loss by band of levels",
            curves_chart(story.bands, "loss by band of levels", marked=marked),
            "Training loss of sources that lie within one band.",
        ),
        (
            "Loss of the answers",
            curves_chart(story.answers, "loss of answers by type of text", marked=marked),
            "Of generated problems, their answers alone.",
        ),
        ("Weights of the arms", _arms(story), "Times what the job gives each arm."),
        (
            "Stage",
            stage_chart(story),
            "First of the hundred stages whose answers are not mastered, by their loss.",
        ),
    ]
    note = _marks_note(story)
    return [
        section(name, f'{drawn}<p class="note">{words}{note}</p>')
        for name, drawn, words in charts
        if drawn
    ]


def _marks_note(story: CurriculumStory) -> str:
    marked = story.marked
    told = " Shaded: probes, windows that drew what the job says." if marked.probes else ""
    if marked.off >= 0:
        told += f" From step {marked.off:,} on: {escape(marked.why)}."
    return told


def _arms(story: CurriculumStory) -> str:
    drawn: list[str] = []
    for name, arms in story.weights.items():
        label = f"weights of the arms of {name}"
        chart = curves_chart(arms, label, ARMS, story.marked)
        drawn.append(f'<p class="note">{escape(name)}</p>{chart}')
    return "".join(drawn)


def stage_chart(story: CurriculumStory) -> str:
    """Draw stage and band over steps.

    Args:
        story: of the run.

    Returns:
        An SVG element; "" if no window is whole.
    """
    rungs = tuple((name, first - 0.5, last + 0.5) for name, first, last in story.ladder)
    frame = Frame(beside="stage", range=(0.5, STAGES + 1.5), rungs=rungs)
    return curves_chart({"": story.stages}, "stage over steps", frame, story.marked)


def specialisation_section(told: Specialisation) -> str:
    """Return how a run stands beside its reference.

    Args:
        told: how.

    Returns:
        A card.
    """
    lines = "".join(
        f"<p><strong>{escape(name)}</strong>: {escape(words)}</p>\n"
        for name, words in verdicts(told)
    )
    rows = [tuple(map(escape, row)) for row in excess_rows(told)]
    note = f'<p class="note">{escape(measure_text(told))}</p>'
    return section("Beside balanced runs", lines + table(HEADS, rows) + note)
