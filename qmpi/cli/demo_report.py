"""What the demo concludes from its two runs: digests, audits, recovery, a sample, the report."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from qmpi.launch.strike import Strike

if TYPE_CHECKING:
    from qmpi.protocol.evaluation import Evaluation
    from qmpi.protocol.journal import JournalRecord

PROMPT = "def read("
SAMPLE_TOKENS = 80
SAMPLE_TEMPERATURE = 0.7
SAMPLE_SEED = 1

SHOWN_DIGITS = 32
"""Of a digest on the terminal: two lines of 80 columns compare at a glance; the report has all."""


class Evidence(Struct, frozen=True, kw_only=True):
    """What the two runs show.

    Attributes:
        digest: final weights of the run in which a trainer was killed.
        undisturbed_digest: final weights of the other.
        strikes: kills that were done.
        recovery_seconds: from the kill to the next step of the healed group; None without a kill.
        audit: "ok", or the first fault of either journal.
        steps: steps of each run.
        report: the HTML report.
        root: directory of the demo.
        evaluations: of the run in which a trainer was killed, by step.
    """

    digest: str
    undisturbed_digest: str
    strikes: tuple[Strike, ...]
    recovery_seconds: float | None
    audit: str
    steps: int
    report: Path
    root: Path
    evaluations: "tuple[Evaluation, ...]" = ()

    @property
    def proven(self) -> bool:
        """Whether a kill was survived with equal weights and clean journals."""
        equal = bool(self.digest) and self.digest == self.undisturbed_digest
        return equal and bool(self.strikes) and self.audit == "ok"


def conclude(root: Path, strikes: tuple[Strike, ...], tell: Callable[[str], None]) -> Evidence:
    """Compare and audit both runs, draw a sample, write the report.

    Args:
        root: holds "disturbed" and "undisturbed", both finished.
        strikes: kills that were done in the first.
        tell: told what is being done, in words.

    Returns:
        The evidence.
    """
    from qmpi.corpora.audit import audit_run
    from qmpi.corpora.standing import evaluations_of
    from qmpi.launch.strike import recovery_seconds
    from qmpi.storage.cache import default_cache

    cache = default_cache(os.environ)
    disturbed, undisturbed = root / "disturbed", root / "undisturbed"
    tell("auditing both journals: every block is built anew")
    audits = {run.name: audit_run(run, cache) for run in (disturbed, undisturbed)}
    faults = [f"{name}: {a.audit}" for name, a in audits.items() if a.audit != "ok"]
    pause = recovery_seconds(_records(disturbed), strikes[0].time) if strikes else None
    evidence = Evidence(
        digest=_digest(disturbed),
        undisturbed_digest=_digest(undisturbed),
        strikes=strikes,
        recovery_seconds=None if pause is None else round(pause, 3),
        audit=faults[0] if faults else "ok",
        steps=audits["disturbed"].steps,
        report=root / "report.html",
        root=root,
        evaluations=evaluations_of(_records(disturbed)),
    )
    tell("drawing a sample, writing the report")
    _write(evidence, cache, tell)
    return evidence


def show(evidence: Evidence, seconds: float) -> None:
    """Print the conclusion and what to try next.

    Args:
        evidence: of both runs.
        seconds: wall time of the whole demo.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    rows = [
        ("killed", _killed(evidence)),
        ("weights, trainer killed", evidence.digest[:SHOWN_DIGITS] or "none"),
        ("weights, undisturbed", evidence.undisturbed_digest[:SHOWN_DIGITS] or "none"),
        ("audit of both journals", evidence.audit),
        ("steps", f"{evidence.steps} in each run"),
        ("held-out text and problems", _measured(evidence)),
        ("wall time", f"{seconds:.1f} s"),
        ("report", str(evidence.report)),
    ]
    for name, value in rows:
        table.add_row(Text(name, style="dim"), Text(value, overflow="fold"))
    console.print()
    if evidence.proven:
        console.print(Text("✓ bit-identical: the kill changed nothing", style="bold green"))
    else:
        console.print(Text(f"✗ not proven: {_why(evidence)}", style="bold red"))
    console.print(table)
    run = evidence.root / "disturbed"
    console.print(
        f"\nnext:\n  qmpi sample {run} --prompt 'class '\n  qmpi audit {run}\n"
        "  qmpi init --preset laptop -o job.toml && qmpi train job.toml",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _killed(evidence: Evidence) -> str:
    if not evidence.strikes:
        return "nobody: the run was over too soon, or no trainer could be verified"
    strike = evidence.strikes[0]
    pause = evidence.recovery_seconds
    healed = "" if pause is None else f"; the next step came {pause:.2f} s later"
    return f"rank {strike.rank} ({strike.role}) at step {strike.step}{healed}"


def _measured(evidence: Evidence) -> str:
    if not evidence.evaluations:
        return "nothing was measured"
    newest = evidence.evaluations[-1]
    known = {name: loss for name, loss in newest.loss.source.items() if loss is not None}
    losses = ", ".join(f"{name} {loss:.3f}" for name, loss in known.items()) or "none"
    right = newest.accuracy.overall
    solved = "none was set" if right is None else f"{right:.1%} of {newest.problems.overall:.0f}"
    return f"loss {losses}; problems solved: {solved}"


def _why(evidence: Evidence) -> str:
    if evidence.audit != "ok":
        return f"the audit found a fault: {evidence.audit}"
    if evidence.digest != evidence.undisturbed_digest:
        return "the two runs ended with different weights; please report it"
    return "no trainer was killed; try more --steps"


def _digest(run: Path) -> str:
    from qmpi.storage.status_file import read_end

    marker = read_end(run)
    return "" if marker is None else marker.digest


def _write(evidence: Evidence, cache: Path, tell: Callable[[str], None]) -> None:
    from msgspec.structs import replace

    from qmpi.exchange.sample import sample_run
    from qmpi.monitor.curriculum_story import read_curriculum
    from qmpi.monitor.report import write_report
    from qmpi.monitor.story import story_from_run
    from qmpi.storage.status_file import read_status
    from qmpi.training.draws import Draws

    disturbed, undisturbed = (evidence.root / name for name in ("disturbed", "undisturbed"))
    facts = [("killed", _killed(evidence)), ("directory", str(evidence.root))]
    story = story_from_run(_records(disturbed), read_status(disturbed), facts)
    quiet = story_from_run(_records(undisturbed), read_status(undisturbed))
    draws = Draws(SAMPLE_TOKENS, SAMPLE_TEMPERATURE, SAMPLE_SEED)
    sample = sample_run(disturbed, PROMPT, draws, cache, tell)
    told = replace(
        story,
        title="qmpi demo",
        undisturbed_losses=quiet.losses,
        undisturbed_digest=evidence.undisturbed_digest,
        audit=evidence.audit,
        prompt=PROMPT,
        sample=sample,
        curriculum=read_curriculum(disturbed),
    )
    write_report(evidence.report, told)


def _records(run: Path) -> "Iterable[JournalRecord]":
    from qmpi.storage.journal import read_journal
    from qmpi.storage.run_directory import RunDirectory

    return read_journal(RunDirectory(run).journal)
