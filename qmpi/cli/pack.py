"""`qmpi pack`: the running environment as one file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.half_done import cleared_away
from qmpi.cli.options import HomePath, json_option
from qmpi.cli.output import show_json

if TYPE_CHECKING:
    from qmpi.launch.pack.make import Packed

EPILOG = """\b
Examples:
  qmpi pack
  qmpi pack --output env.qmpi.tar.zst --without pyarrow
  qmpi pack --level 15 --json
"""


@click.command("pack", epilog=EPILOG)
@click.option(
    "-o",
    "--output",
    type=HomePath(file_okay=True),
    default="env.qmpi.tar.zst",
    show_default=True,
    help="File; replaced if it exists.",
)
@click.option(
    "--without",
    multiple=True,
    metavar="PACKAGE",
    help="Leave a package out, with what nothing else requires; repeatable.",
)
@click.option("--whole", is_flag=True, help="Headers, type stubs and test programs too.")
@click.option(
    "--level",
    type=click.IntRange(1, 19),
    default=6,
    show_default=True,
    help="Of zstd; higher is smaller and slower.",
)
@json_option
def command(
    *, output: Path, without: tuple[str, ...], whole: bool, level: int, as_json: bool
) -> None:
    """Pack the environment that runs this command into one file.

    The file holds the interpreter, its standard library, qmpi, and what qmpi requires, all modules
    compiled. `qmpi unpack` puts it on the local disk or in the memory of each node, where
    `bin/qmpi` and `bin/python -m qmpi.main` run without touching the shared file system.
    """
    from packaging.utils import canonicalize_name

    from qmpi.launch.pack.make import Choice, make_pack

    names = frozenset(str(canonicalize_name(name)) for name in without)
    with cleared_away():
        packed = make_pack(output, Choice(names, whole, level))
    if as_json:
        show_json(_facts(packed))
        return
    manifest = packed.manifest
    click.echo(
        f"{packed.path}: {packed.bytes / 1e6:.0f} MB, {len(manifest.files)} files of "
        f"{manifest.total_bytes() / 1e6:.0f} MB, Python {manifest.python}, "
        f"{len(manifest.distributions)} packages, pack {packed.pack[:16]}"
    )
    for note in manifest.notes:
        click.echo(f"not inside, so each node must have it: {note}")
    click.echo(f"next, on each node: qmpi unpack {packed.path} DIR")


def _facts(packed: "Packed") -> dict[str, object]:
    manifest = packed.manifest
    return {
        "path": packed.path,
        "pack": packed.pack,
        "bytes": packed.bytes,
        "files": len(manifest.files),
        "unpacked_bytes": manifest.total_bytes(),
        "python": manifest.python,
        "system": manifest.system,
        "machine": manifest.machine,
        "libc": manifest.libc,
        "qmpi": manifest.qmpi,
        "distributions": manifest.distributions,
        "left_out": manifest.left_out,
        "notes": manifest.notes,
    }
