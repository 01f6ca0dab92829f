"""The status for people: what a night operator wants to know, in the order of wanting."""

from collections.abc import Sequence
from datetime import UTC, datetime

from qmpi.monitor.crowd_text import host_lines, role_table
from qmpi.monitor.level_text import level_facts
from qmpi.monitor.paint import Cell, paint, table
from qmpi.monitor.recipe_text import losses_text, recipe_text
from qmpi.monitor.roll_backs import roll_backs_text
from qmpi.monitor.specialisation_text import verdicts
from qmpi.policy.step_split import hidden_share, seconds, shares, utilisation
from qmpi.protocol.evaluation import Evaluation
from qmpi.protocol.progress import StepTimes, is_skipped
from qmpi.protocol.status import FailureReport, RankReport, StatusReport
from qmpi.protocol.work import WorkStatus

COLOURS = {
    "starting": "yellow",
    "running": "green",
    "finished": "bold green",
    "stopped": "bold cyan",
    "failed": "bold red",
    "stale": "bold yellow",
    "damaged": "bold red",
}
ENDED = ("finished", "stopped", "failed")
LEAST_SHARE = 0.005
"""Share of a step below which a part is not named."""

UNSUPERVISED = (
    "none: nothing starts this job again if it dies or is to go back; `qmpi train --resume` will"
)

SHOWN_FAILURES = 5
SHOWN_RANKS = 40


def render(report: StatusReport, *, colour: bool = False) -> str:
    """Return the whole status as text.

    Args:
        report: after `qmpi.monitor.staleness.judge`.
        colour: paint it, for a terminal.

    Returns:
        Lines; the last without a line break.
    """
    head = (
        Cell(report.name or "run", "bold"),
        Cell(report.state, COLOURS[report.state]),
        Cell(report.reason),
    )
    lines = [*table([head], colour=colour), *facts(report, colour=colour)]
    if report.summary is not None:
        lines += role_table(report.summary, colour=colour)
        lines += host_lines(report.summary.hosts, colour=colour)
    if report.ranks:
        lines += rank_table(report, colour=colour)
    if report.failures:
        lines += failure_lines(report.failures, colour=colour)
    return "\n".join(lines)


def facts(report: StatusReport, *, colour: bool) -> list[str]:
    """Return progress as two columns.

    Args:
        report: the status.
        colour: paint it.

    Returns:
        Lines.
    """
    told = work_facts(report, report.work) if report.work else step_facts(report)
    return table([(Cell(name), Cell(value)) for name, value in told], colour=colour)


def step_facts(report: StatusReport) -> list[tuple[str, str]]:
    """Return the progress of a training run.

    Args:
        report: the status.

    Returns:
        Names with their values.
    """
    share = 100.0 * report.step / max(1, report.steps)
    told = [
        ("step", f"{report.step} of {report.steps} ({share:.0f} %)"),
        ("loss", loss_text(report)),
    ]
    if report.gradient_norm is not None and report.learning_rate is not None:
        norm = f"norm {report.gradient_norm:.3g}"
        if is_skipped(report.gradient_norm):
            norm = "not finite: the update was skipped"
        rate = f"{norm}, learning rate {report.learning_rate:.3g}"
        passes = "pass" if report.redone_passes == 1 else "passes"
        again = f", {report.redone_passes} {passes} done again" if report.redone_passes else ""
        scaled = f", loss scale {report.loss_scale:,.0f}" if report.loss_scale != 1.0 else ""
        told.append(("gradient", rate + scaled + again))
    if report.skipped or report.spikes:
        told.append(("updates", f"{report.updates:,} applied, {left_out_text(report)}"))
    if report.roll_backs:
        told.append(("roll backs", roll_backs_text(report.roll_backs)))
    if report.noise_lanes is not None:
        told.append(("noise", f"weighs as much as the gradient at {report.noise_lanes:.3g} lanes"))
    told += recipe_facts(report)
    told += source_facts(report)
    told.append(("tokens", f"{report.tokens:,} ({report.tokens_per_second:,.0f} a second)"))
    if report.wait_share:
        told.append(("waiting", f"{100 * report.wait_share:.0f} % of the time, for blocks"))
    told += level_facts(report.levels)
    told += speed_facts(report)
    told += evaluation_facts(report)
    told += verdicts(report.specialisation) if report.specialisation is not None else []
    told.append(("time to go", duration(report.eta_seconds)))
    if report.digest:
        told.append(("weights", f"{report.digest[:16]} after {report.digest_step} steps"))
    told.append(("generation", f"{report.generation}, start {report.incarnation} of the job"))
    if report.healing:
        told.append(("healing", f"relaunch only: {report.healing}"))
    if report.unsupervised:
        told.append(("supervisor", UNSUPERVISED))
    return told


def recipe_facts(report: StatusReport) -> list[tuple[str, str]]:
    """Return what the steps draw from, and what later ones will.

    Args:
        report: the status.

    Returns:
        Names with their values; nothing before the run is open, nor of a single source.
    """
    told = [recipe for recipe in (report.recipe, report.recipe_next) if recipe is not None]
    if not told or len(told[0].weights) < 2:
        return []
    return list(zip(("data", ""), map(recipe_text, told), strict=False))


def source_facts(report: StatusReport) -> list[tuple[str, str]]:
    """Return what the sources cost.

    Args:
        report: the status.

    Returns:
        Names with their values; nothing of a single source without answers.
    """
    told = report.source_losses
    has_answers = any(each.answers for each in told.values())
    return [("by source", losses_text(told))] if len(told) > 1 or has_answers else []


def evaluation_facts(report: StatusReport) -> list[tuple[str, str]]:
    """Return what the newest evaluation found, and what it took.

    Args:
        report: the status.

    Returns:
        Names with their values; nothing before the first.
    """
    told: list[tuple[str, str]] = []
    newest = report.evaluation
    if newest is not None:
        found = newest.result
        words = [f"before step {found.step} in {newest.seconds:.3g} s: {_held_out(found)}"]
        right, many = found.accuracy.overall, found.problems.overall
        if right is not None and many:
            words.append(f"{100 * right:.1f} % of {many:.0f} problems solved")
        told.append(("evaluation", ", ".join(words)))
    if report.evaluations_missed:
        told.append(("", f"{report.evaluations_missed} evaluations are missing: see the report"))
    return told


def _held_out(found: Evaluation) -> str:
    if found.loss.overall is None:
        return "no held-out loss" if found.tokens.overall else "no held-out text"
    return f"held-out loss {found.loss.overall:.4f}"


def speed_facts(report: StatusReport) -> list[tuple[str, str]]:
    """Return where a step's time goes, and how near the machine's peak the job is.

    Args:
        report: the status.

    Returns:
        Names with their values; nothing before the first step.
    """
    told: list[tuple[str, str]] = []
    if report.times is not None:
        told.append(("step time", f"{seconds(report.times):.3g} s: {split_text(report.times)}"))
        hidden = hidden_share(report.times)
        if hidden is not None:
            spent = f"{report.times.hidden:.3g} s behind gradients"
            told.append(("hidden", f"{spent}, {100 * hidden:.0f} % of the communication"))
    share = utilisation(report.flops_per_second, report.peak_flops)
    if share is not None:
        rates = f"{rate_text(report.flops_per_second)} of {rate_text(report.peak_flops)}"
        told.append(("utilisation", f"{100 * share:.0f} %: {rates} in products"))
    return told


def split_text(times: StepTimes) -> str:
    """Return the parts of a step as text, the largest first.

    Args:
        times: seconds by part.

    Returns:
        Text such as "backward 52 %, forward 31 %"; parts below half a percent are left out.
    """
    parts = sorted(shares(times).items(), key=lambda part: -part[1])
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in parts if share >= LEAST_SHARE)


def rate_text(flops_per_second: float) -> str:
    """Return a rate of operations with its unit, as "12.3 TFLOP/s"."""
    for factor, unit in ((1e15, "P"), (1e12, "T"), (1e9, "G")):
        if flops_per_second >= factor:
            return f"{flops_per_second / factor:.3g} {unit}FLOP/s"
    return f"{flops_per_second / 1e6:.3g} MFLOP/s"


def loss_text(report: StatusReport) -> str:
    """Return the loss of the last step, and of how many lanes it is not.

    Args:
        report: the status.

    Returns:
        Text such as "3.2100, 2 lanes not finite".
    """
    number = report.undefined_lanes
    lanes = f"{number} lane{'s' if number > 1 else ''} not finite" if number else ""
    if report.loss is None:
        return f"none: {lanes}" if lanes else "none yet"
    return f"{report.loss:.4f}" + (f", {lanes}" if lanes else "")


def skips_text(report: StatusReport) -> str:
    """Return how many updates were skipped, in words that fit the count.

    Args:
        report: the status of a run with skips.

    Returns:
        Text such as "3 of 20 updates skipped: the gradient was not finite".
    """
    most = ", most of them" if 2 * report.skipped > report.step else ""
    counted = f"{report.skipped:,} of {report.step:,} updates skipped"
    return f"{counted}{most}: the gradient was not finite"


def spikes_text(report: StatusReport) -> str:
    """Return how many updates were left out as spikes, in words that fit the count.

    Args:
        report: the status of a run with spikes.

    Returns:
        Text such as "1 of 20 updates left out: a spike".
    """
    what = "a spike" if report.spikes == 1 else "spikes"
    return f"{report.spikes:,} of {report.step:,} updates left out: {what}"


def left_out_text(report: StatusReport) -> str:
    """Return how many updates were not applied, and why.

    Args:
        report: the status of a run with skips or spikes.

    Returns:
        Both counts, as far as they are not zero.
    """
    told = [skips_text(report)] if report.skipped else []
    return ", ".join([*told, *([spikes_text(report)] if report.spikes else [])])


def work_facts(report: StatusReport, work: WorkStatus) -> list[tuple[str, str]]:
    """Return the progress of a work farm.

    Args:
        report: the status.
        work: its part about units.

    Returns:
        Names with their values.
    """
    share = 100.0 * work.units_done / max(1, work.units)
    many = f", stage {work.stage_number + 1} of {work.stages}" if work.stages > 1 else ""
    told = [
        ("work", work.stage + many),
        ("units", f"{work.units_done:,} of {work.units:,} ({share:.0f} %)"),
        ("tokens", f"{work.tokens:,} ({report.tokens_per_second:,.0f} a second)"),
        ("documents", f"{work.documents:,}"),
        ("time to go", duration(report.eta_seconds)),
    ]
    if work.dealt_again:
        told.append(("dealt again", f"{work.dealt_again:,} units"))
    return told


def _left_out(report: StatusReport) -> str:
    """Return what is said of ranks that the table has no room for."""
    more = len(report.ranks) - SHOWN_RANKS
    if report.summary is None:
        return f"and {more} more, all alive or listed by --json" if more > 0 else ""
    more += report.summary.exceptions_left_out
    return f"and {more} more exceptions" if more > 0 else ""


def rank_table(report: StatusReport, *, colour: bool) -> list[str]:
    """Return who is there: the dead first, since they are what one looks for.

    Args:
        report: in a large job its ranks are the exceptions only.
        colour: paint it.

    Returns:
        Lines.
    """
    living = Cell("left") if report.state in ENDED else Cell("alive", "green")
    names = ("rank", "role", "seat", "host", "pid", "state", "doing")
    rows = [[Cell(name, "bold") for name in names]]
    shared = any(rank.position for rank in report.ranks)
    ordered = sorted(report.ranks, key=lambda rank: (rank.alive, rank.rank, rank.role))
    for rank in ordered[:SHOWN_RANKS]:
        state = living if rank.alive else Cell("dead", "red")
        told = (str(rank.rank), rank.role, _seat(rank, shared=shared), rank.host, str(rank.pid))
        rows.append([*map(Cell, told), state, Cell(rank.activity)])
    left_out = _left_out(report)
    if left_out:
        rows.append([Cell(""), Cell(left_out)])
    return table(rows, right=(0, 4), colour=colour)


def _seat(rank: RankReport, *, shared: bool) -> str:
    if rank.team is None:
        return ""
    return f"team {rank.team}.{rank.position}" if shared else f"team {rank.team}"


def failure_lines(failures: Sequence[FailureReport], *, colour: bool) -> list[str]:
    """Return the last failures, and what was done about each, in words.

    Args:
        failures: oldest first.
        colour: paint them.

    Returns:
        Two lines each.
    """
    more = len(failures) - SHOWN_FAILURES
    counted = "1 failure" if len(failures) == 1 else f"{len(failures)} failures"
    lines = [f"{counted}, the last {SHOWN_FAILURES} of them:" if more > 0 else f"{counted}:"]
    for failure in failures[-SHOWN_FAILURES:]:
        moment = datetime.fromtimestamp(failure.time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        what = paint(f"{moment}  {failure.what}", "red", colour=colour)
        lines.append(f"  {what} ({paint(failure.reason, '', colour=colour)})")
        lines.append(f"    -> {paint(failure.action, '', colour=colour)}")
    return lines


def duration(seconds: float | None) -> str:
    """Return a duration in the two largest units.

    Args:
        seconds: how long; None: unknown.

    Returns:
        Text such as "2 h 05 min".
    """
    if seconds is None:
        return "unknown"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"
