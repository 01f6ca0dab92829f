"""`qmpi report`: a run as one HTML file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import RunPath, json_option
from qmpi.cli.output import show_json

if TYPE_CHECKING:
    from qmpi.protocol.specialisation import Specialisation

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

    It shows losses, of generated text by type and band too, what a curriculum did, held-out losses
    and problems solved, who did what when, where a step's time went, and each failure with what was
    done about it.
    """
    from msgspec.structs import replace

    from qmpi.monitor.curriculum_story import read_curriculum
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
    told = replace(
        story,
        evaluations=tuple(whole[step] for step in sorted(whole)),
        curriculum=read_curriculum(run),
        specialisation=_specialisation(run),
    )
    write_report(path, told)
    if as_json:
        show_json({"report": str(path.absolute())})
    else:
        click.echo(str(path))


def _specialisation(run: Path) -> "Specialisation | None":
    from qmpi.errors import StorageError, UserError
    from qmpi.launch.specialisation import hold_against, own_reference
    from qmpi.storage.run_directory import RunDirectory

    if not RunDirectory(run).job.exists():
        return None
    try:
        path = own_reference(run)
        return None if path is None else hold_against(run, path)
    except (UserError, StorageError) as error:
        # The rest of the report is there all the same.
        click.echo(f"qmpi: the run is not held against its reference: {error}", err=True)
        return None
