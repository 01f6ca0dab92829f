"""The doctor's report for people: a line a check, aligned, with what to do below it."""

from collections import Counter
from collections.abc import Sequence

from rich.text import Text

from qmpi.doctor.amounts import plural
from qmpi.doctor.finding import Finding

STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}
STATE_WIDTH = max(map(len, STYLES))


def line_of(finding: Finding, width: int) -> Text:
    """Write one finding.

    Args:
        finding: of a check.
        width: of the column of names.

    Returns:
        One line, or two if there is something to do.
    """
    text = Text(f"{finding.state:{STATE_WIDTH}}", style=STYLES[finding.state])
    text.append(f"  {finding.check:{width}}  ", style="bold" if finding.advice else "default")
    text.append(finding.found, style="default")
    if finding.advice:
        text.append(f"\n{' ' * (STATE_WIDTH + width + 4)}-> {finding.advice}", style="cyan")
    return text


def summary_of(findings: Sequence[Finding]) -> Text:
    """Sum all findings up.

    Args:
        findings: of all checks.

    Returns:
        One line.
    """
    count = Counter(finding.state for finding in findings)
    parts = [plural(count["error"], "error"), plural(count["warning"], "warning")]
    worst = next((state for state in ("error", "warning") if count[state]), "ok")
    named = ", ".join(one.check for one in findings if one.state == worst and worst != "ok")
    text = f"{plural(len(findings), 'check')}: {', '.join(parts)}"
    return Text(f"{text} ({named})" if named else text, style=STYLES[worst])
