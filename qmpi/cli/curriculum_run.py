"""What `qmpi curriculum` tells of runs: a path, how one stands beside a reference, a reference."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.output import show_json
from qmpi.config.curriculum import STAGES

if TYPE_CHECKING:
    from qmpi.launch.curriculum import ArmLine, Story
    from qmpi.protocol.specialisation import Specialisation

ARM_HEADS = ("source", "in the job", "now", "times", "loss", "answers", "solved")

SHOWN_PATH = 10
"""Newest changes of the weights that are told, unless all are asked for."""


def make_reference(path: Path, runs: Sequence[Path], *, as_json: bool) -> None:
    """Write a reference, and say what it is made of.

    Args:
        path: of its file.
        runs: directories of finished runs.
        as_json: for scripts.
    """
    from qmpi.launch.reference import make_reference as made
    from qmpi.storage.specialisation_file import write_reference

    told = made(runs)
    write_reference(path, told)
    tokens, types = told.tokens[-1], list(told.types)
    if as_json:
        figures = {"runs": len(runs), "tokens": tokens, "types": types}
        show_json({"reference": str(path.absolute()), **figures})
        return
    click.echo(f"{path}: {len(runs)} runs of {tokens:,} tokens")
    for name, known in told.types.items():
        spread = f"{known.end.mean:.3f}, {known.end.deviation:.3f} from run to run"
        click.echo(f"  {name}: {spread}, {known.relative.deviation:.3f} beside the other types")


def show_run(run: Path, against: Path | None, *, is_all: bool, as_json: bool) -> None:
    """Print the path of a run.

    Args:
        run: its directory.
        against: reference that it is held against; None: that of its job, if it names one.
        is_all: all of it.
        as_json: for scripts.
    """
    from msgspec.structs import replace

    from qmpi.launch.curriculum import story_of

    story = replace(story_of(run), specialisation=_held_against(run, against))
    if as_json:
        show_json(story)
        return
    for line in story_text(story, is_all=is_all):
        click.echo(line)


def _held_against(run: Path, against: Path | None) -> "Specialisation | None":
    from qmpi.launch.specialisation import hold_against, keep_judgement

    if against is not None:
        return hold_against(run, against)
    return keep_judgement(run)


def story_text(story: "Story", *, is_all: bool) -> Iterator[str]:
    """Say in words what a curriculum has done.

    Args:
        story: of a run.
        is_all: all of its path.

    Yields:
        Lines.
    """
    yield f"{story.kind} curriculum, step {story.step:,}, windows of {story.every_steps} steps"
    if story.stage:
        told = "the first that is not mastered" if story.stage <= STAGES else "all are mastered"
        yield f"stage {min(story.stage, STAGES)} of {STAGES}, {story.band}: {told}"
    if story.staged:
        now = story.staged[-1]
        yield (
            f"since step {now.first_step} stages set: rate times {now.rate:g}, {now.lanes} lanes, "
            f"sequences of {now.tokens} tokens"
        )
    if story.advantage is not None:
        yield (
            f"beside {story.probes} probes the loss fell by {story.advantage:+.5f} nats a token "
            "more a window"
        )
    if story.off:
        yield story.off
    yield from _columns([ARM_HEADS, *map(_arm_row, story.arms)])
    path = story.path if is_all else story.path[-SHOWN_PATH:]
    if len(path) < len(story.path):
        yield f"{len(story.path) - len(path)} earlier changes of the weights: --all shows them"
    for line in path:
        yield f"from step {line.first_step} on: {line.reason}"
    if story.solved:
        yield from _solved_text(story)
    if story.specialisation is not None:
        yield from specialisation_text(story.specialisation)


def _solved_text(story: "Story") -> Iterator[str]:
    from qmpi.monitor.evaluation_section import level_cells, level_name

    yield "problems solved, as the newest evaluation found"
    for each in story.solved:
        share, many = level_cells(each)
        yield f"{level_name(each).ljust(13)}  {share.rjust(6)}  of {many}"


def specialisation_text(told: "Specialisation") -> Iterator[str]:
    """Say in words how a run stands beside a reference.

    Args:
        told: how it stands.

    Yields:
        Lines.
    """
    from qmpi.monitor.specialisation_text import HEADS, excess_rows, measure_text, verdicts

    yield from _columns([HEADS, *excess_rows(told)])
    yield measure_text(told)
    for name, words in verdicts(told):
        yield f"{name}: {words}"


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells)


def _arm_row(arm: "ArmLine") -> tuple[str, ...]:
    losses = ["" if loss is None else f"{loss:.3f}" for loss in (arm.loss, arm.answer_loss)]
    ratio = f"{arm.weight / arm.share:.2f}" if arm.share else ""
    shares = [f"{100 * share:.1f} %" for share in (arm.share, arm.weight)]
    solved = "" if arm.solved is None else f"{100 * arm.solved:.0f} %"
    return (arm.name, *shares, ratio, *losses, solved)
