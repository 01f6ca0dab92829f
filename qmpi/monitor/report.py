"""The HTML report of a run: one file that shows what happened and what was proven.

Every text that comes from a run (names, reasons, samples) is escaped; a model may write markup.
"""

from datetime import UTC, datetime
from html import escape
from pathlib import Path

from qmpi.monitor.charts import ROLES, loss_chart, role_chart
from qmpi.monitor.curriculum_section import curriculum_sections, specialisation_section
from qmpi.monitor.curves import UNMARKED
from qmpi.monitor.evaluation_section import evaluation_section
from qmpi.monitor.html_page import page, section, table
from qmpi.monitor.roll_backs import rolled_back_text
from qmpi.monitor.split_chart import split_section
from qmpi.monitor.story import RunStory
from qmpi.storage.atomic_file import write_atomic

MOST_FAILURES = 200


def write_report(path: Path, story: RunStory) -> None:
    """Write the report.

    Args:
        path: target; replaced if it exists.
        story: the run.

    Raises:
        StorageError: it cannot be written.
    """
    write_atomic(path, render_report(story).encode("utf-8", "replace"), durable=False)


def render_report(story: RunStory) -> str:
    """Return the report as HTML.

    Args:
        story: the run.

    Returns:
        A self-contained document.
    """
    parts = [_head(story), _tiles(story)]
    if story.specialisation is not None:
        parts.append(specialisation_section(story.specialisation))
    if story.undisturbed_digest:
        parts.append(section("Same job without failures", _comparison(story)))
    parts += [
        section("Loss", loss_chart(story) + _loss_legend(story)),
        *(curriculum_sections(story.curriculum) if story.curriculum is not None else []),
        *_times(story),
        *_evaluation(story),
        section("Who did what", role_chart(story) + _role_legend()),
        section("Failures", _failures(story)),
    ]
    if story.audit:
        parts.append(section("Audit", _audit(story)))
    if story.sample:
        parts.append(section("What the model writes", _sample(story)))
    facts = [(escape(name), escape(value)) for name, value in story.facts]
    parts.append(section("Facts", table((), facts)))
    return page(f"{story.title}: qmpi report", "".join(parts))


def _head(story: RunStory) -> str:
    moment = datetime.fromtimestamp(story.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return (
        f"<h1>{escape(story.title)}</h1>\n"
        f'<p class="lead">{escape(story.state)} · started {moment} · '
        f"{story.ended - story.started:.1f} s</p>\n"
    )


def _tiles(story: RunStory) -> str:
    deaths = sum(mark.kind == "death" for mark in story.marks)
    promoted = sum(mark.kind == "promotion" for mark in story.marks)
    loss = f"{story.losses[0][1]:.3f} → {story.losses[-1][1]:.3f}" if story.losses else "none"
    tiles = [
        ("steps committed", f"{story.steps:,}"),
        ("loss, nats a token", loss),
        ("ranks that died", str(deaths)),
        ("ranks promoted to trainer", str(promoted)),
        ("weights", story.digest[:16] or "none"),
    ]
    cells = "".join(
        f'<div class="tile"><span>{escape(name)}</span><strong>{escape(value)}</strong></div>'
        for name, value in tiles
    )
    return f'<div class="tiles">{cells}</div>\n' + _skips(story)


def _skips(story: RunStory) -> str:
    told = _nothing_finite(story)
    if story.spikes:
        stood = "1 step was a spike" if story.spikes == 1 else f"{story.spikes:,} steps were spikes"
        told += _verdict(f"{stood}: left out, as [guard] says.", good=False)
    for back in story.roll_backs:
        told += _verdict(f"The run was {rolled_back_text(back)}, as [guard] says.", good=False)
    return told


def _nothing_finite(story: RunStory) -> str:
    if not story.skipped:
        return ""
    most = "Most updates were skipped: " if 2 * story.skipped > story.steps else ""
    words = (
        f"{most}{story.skipped:,} of {story.steps:,} steps had a gradient that is not finite and "
        "changed no weights."
    )
    return _verdict(words, good=False)


def _times(story: RunStory) -> list[str]:
    if story.times is None:
        return []
    return [section("Where a step's time goes", split_section(story.times, story.speed))]


def _comparison(story: RunStory) -> str:
    equal = story.digest == story.undisturbed_digest
    verdict = (
        _verdict("Bit-identical weights: the failures changed nothing.", good=True)
        if equal
        else _verdict("The weights differ. This must not happen; please report it.", good=False)
    )
    rows = [
        ("with failures", f"<code>{escape(story.digest)}</code>"),
        ("without", f"<code>{escape(story.undisturbed_digest)}</code>"),
    ]
    return verdict + table(("run", "SHA-256 of the final weights"), rows)


def _verdict(words: str, *, good: bool) -> str:
    return f'<p class="{"good" if good else "bad"}">{"✓" if good else "✗"} {escape(words)}</p>\n'


def _loss_legend(story: RunStory) -> str:
    drawn = '<svg viewBox="0 0 22 14" aria-hidden="true"><line x1="1" y1="7" x2="21" y2="7" class='
    items = [f'{drawn}"loss"/></svg>this run']
    if story.undisturbed_losses:
        items.append(f'{drawn}"ghost"/></svg>without failures (wide, beneath)')
    if any(mark.kind == "death" for mark in story.marks):
        items.append(f'{drawn}"strike"/></svg>a rank died')
    return _legend(items)


def _role_legend() -> str:
    box = '<svg viewBox="0 0 22 14" aria-hidden="true">'
    items = [
        f'{box}<rect x="1" y="1" width="20" height="12" rx="3" class="{role}"/></svg>{role}'
        for role in ROLES
    ]
    items += [
        f'{box}<path d="M6,2 L16,12 M6,12 L16,2" class="death"/></svg>death',
        f'{box}<path d="M11,1 L17,13 L5,13 Z" class="promotion"/></svg>promotion',
        f'{box}<circle cx="11" cy="7" r="3" class="snapshot"/></svg>copy of the state kept',
        f'{box}<line x1="11" y1="0" x2="11" y2="14" class="generation"/></svg>new trainer group',
    ]
    return _legend(items)


def _legend(items: list[str]) -> str:
    return '<div class="legend">' + "".join(f"<span>{item}</span>" for item in items) + "</div>"


def _evaluation(story: RunStory) -> list[str]:
    marked = story.curriculum.marked if story.curriculum is not None else UNMARKED
    shown = evaluation_section(story.evaluations, marked) if story.evaluations else ""
    missing = [f"before step {step:,}: {reason}" for step, reason in story.unmeasured]
    if missing:
        words = f"{len(missing)} are missing, the last {missing[-1]}"
        shown += f'<p class="note">{escape(words)}</p>'
    return [section("Held-out text and problems", shown)] if shown else []


def _failures(story: RunStory) -> str:
    if not story.failures:
        return "<p>Nothing failed.</p>"
    rows = [
        (
            f"{failure.time - story.started:.1f} s",
            escape(failure.what),
            escape(failure.reason),
            escape(failure.action),
        )
        for failure in story.failures[-MOST_FAILURES:]
    ]
    hidden = len(story.failures) - len(rows)
    note = f'<p class="note">The {hidden} oldest are not shown.</p>' if hidden else ""
    return table(("after", "what failed", "how it is known", "what was done"), rows) + note


def _audit(story: RunStory) -> str:
    if story.audit == "ok":
        words = "Each block of the stream was built anew and was trained on exactly once."
        return _verdict(words, good=True)
    return _verdict(story.audit, good=False)


def _sample(story: RunStory) -> str:
    continued = story.sample.removeprefix(story.prompt)
    prompt = story.prompt if len(continued) != len(story.sample) else ""
    return f"<pre><b>{escape(prompt)}</b>{escape(continued)}</pre>"
