"""`qmpi explain`: the page behind an error, or what an exit code says."""

import difflib
import re

import click

from qmpi.cli.error_pages import ERRORS, EXITS, exit_text, page_text
from qmpi.cli.options import json_option
from qmpi.cli.output import show_json
from qmpi.errors import InputError

EPILOG = """\b
Examples:
  qmpi explain                    all pages and exit codes
  qmpi explain launch-error
  qmpi explain 75
"""


class PageName(click.ParamType):
    """The name of a page, or an exit code."""

    name = "page"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list["click.shell_completion.CompletionItem"]:
        """Return the names that begin so."""
        from click.shell_completion import CompletionItem

        del ctx, param
        return [CompletionItem(name) for name in ERRORS if name.startswith(incomplete)]


@click.command("explain", epilog=EPILOG)
@click.argument("name", required=False, type=PageName())
@json_option
def command(*, name: str | None, as_json: bool) -> None:
    """Explain the error or the exit code NAME."""
    if name is None:
        _show_all(as_json=as_json)
        return
    code = int(name) if name.isdecimal() and len(name) < 4 else -1
    if code in EXITS:
        _show_exit(code, as_json=as_json)
        return
    wanted = spelled(name)
    if wanted not in ERRORS:
        near = difflib.get_close_matches(wanted, ERRORS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"no page {name!r}; {hint}`qmpi explain` lists them all")
    if as_json:
        show_json({"page": wanted, **ERRORS[wanted]._asdict()})
    else:
        click.echo(page_text(wanted, ERRORS[wanted]))


def spelled(name: str) -> str:
    """Return a name as pages are named.

    Args:
        name: such as "LaunchError", "launch error" or "launch-error".

    Returns:
        Small letters and hyphens.
    """
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name.strip())
    return re.sub(r"[\s_-]+", "-", apart).lower()


def _show_all(*, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "pages": {name: page.title for name, page in ERRORS.items()},
                "exit_codes": {str(code): name for code, (name, _) in EXITS.items()},
            }
        )
        return
    width = max(map(len, ERRORS))
    for name, page in ERRORS.items():
        click.echo(f"{name:{width}}  {page.title}")
    for code, (name, _) in EXITS.items():
        click.echo(f"{code:<{width}}  {name}")


def _show_exit(code: int, *, as_json: bool) -> None:
    if as_json:
        name, meaning = EXITS[code]
        show_json({"exit_code": code, "title": name, "meaning": meaning})
    else:
        click.echo(exit_text(code))
