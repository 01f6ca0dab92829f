"""`qmpi report`: a run as one HTML file."""

from pathlib import Path

import click

from qmpi.cli.options import RunPath, json_option
from qmpi.cli.output import show_json

EPILOG = """\b
Examples:
  qmpi report runs/laptop
  qmpi report runs/laptop --to laptop.html
"""


@click.command("report", epilog=EPILOG)
@click.argument("run", type=RunPath())
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write it; default: RUN/report.html.",
)
@json_option
def command(*, run: Path, to: Path | None, as_json: bool) -> None:
    """Write what RUN has done to one HTML file that needs no network.

    It shows losses, held-out losses and problems solved by source, who did what when, where a
    step's time went, and each failure with what was done about it.
    """
    from msgspec.structs import replace

    from qmpi.monitor.report import write_report
    from qmpi.monitor.status_text import recipe_facts
    from qmpi.monitor.story import story_from_run
    from qmpi.storage.evaluation_file import read_evaluations
    from qmpi.storage.journal import read_journal
    from qmpi.storage.run_directory import RunDirectory
    from qmpi.storage.status_file import read_status

    directory = RunDirectory(run)
    status = read_status(run)
    story = story_from_run(read_journal(directory.journal), status, recipe_facts(status))
    # The run's own count where both have measured: they stand in its journal.
    asked = {kept.result.step: kept.result for kept in read_evaluations(directory.evaluations)}
    whole = {**asked, **{own.step: own for own in story.evaluations}}
    path = to or run / "report.html"
    write_report(path, replace(story, evaluations=tuple(whole[step] for step in sorted(whole))))
    if as_json:
        show_json({"report": str(path.absolute())})
    else:
        click.echo(str(path))
