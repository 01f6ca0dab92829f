"""What the launcher and the ranks printed: RUN/logs/job-N.log, one file a start.

Theory of operation. The reason stands at the beginning when MPI or the loader says it, at the end
when Python does; every rank repeats it. So what is shown is the distinct lines, those of both ends.
"""

from pathlib import Path

from qmpi.storage.run_directory import RunDirectory

SHOWN_LINES = 12


def next_log(directory: RunDirectory) -> Path:
    """Return where the next start shall log.

    Args:
        directory: of the run.

    Returns:
        A path; counted over the whole run, so that a resumed run does not overwrite the log of how
        it had ended.
    """
    return directory.log_dir / f"job-{len(list(directory.log_dir.glob('job-*.log'))) + 1}.log"


def excerpt(log: Path, lines: int = SHOWN_LINES) -> str:
    """Return what a log says, for an error message.

    Args:
        log: a text file.
        lines: how many of either end.

    Returns:
        Text; says so if there is none.
    """
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    said = [line for line in dict.fromkeys(text.splitlines()) if line.strip(" -=*")]
    if not said:
        return f"(nothing was written to {log})"
    cut = len(said) - 2 * lines
    shown = said if cut <= 0 else [*said[:lines], f"({cut} lines left out)", *said[-lines:]]
    return f"from {log}:\n" + "\n".join(shown)
