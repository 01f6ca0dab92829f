"""`qmpi unpack`: a pack in its place, on this machine or on every one of an allocation."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.half_done import cleared_away
from qmpi.cli.options import HomePath, json_option
from qmpi.cli.output import show_json
from qmpi.errors import ExitCode, QmpiError

if TYPE_CHECKING:
    from qmpi.launch.pack.everywhere import HostResult
    from qmpi.launch.pack.place import Placed

EPILOG = """\b
Examples:
  qmpi unpack env.qmpi.tar.zst /dev/shm/qmpi-env
  qmpi unpack --everywhere env.qmpi.tar.zst "$TMPDIR/env"
  qmpi unpack --everywhere --hostfile hosts.txt env.qmpi.tar.zst /tmp/env
"""


@click.command("unpack", epilog=EPILOG)
@click.argument("pack", type=HomePath())
@click.argument("directory", metavar="DIR", type=HomePath())
@click.option("--everywhere", is_flag=True, help="On each host of the allocation, by mpirun.")
@click.option("--hostfile", type=HomePath(), help="With --everywhere: hosts, as mpirun takes them.")
@click.option("--verify", is_flag=True, help="If it is there already, compare every digest.")
@click.option("--replace", is_flag=True, help="Replace another pack in DIR.")
@click.option("--for-many", is_flag=True, hidden=True, help="Tell the outcome, leave with 0.")
@json_option
def command(
    *,
    pack: Path,
    directory: Path,
    everywhere: bool,
    hostfile: Path | None,
    verify: bool,
    replace: bool,
    for_many: bool,
    as_json: bool,
) -> int:
    """Unpack PACK into DIR, unless it is there already.

    DIR appears whole or not at all, each file compared with its digest, the interpreter tried. Any
    number of processes may do this at once: one unpacks, the others wait and use what is there.
    """
    if hostfile is not None and not everywhere:
        raise click.UsageError("--hostfile is for --everywhere")
    if everywhere:
        options = [*(["--verify"] * verify), *(["--replace"] * replace)]
        return _everywhere(pack, directory, hostfile, options, as_json=as_json)
    placed: Placed | QmpiError
    try:
        placed = _placed(pack, directory, verify=verify, replace=replace)
    except QmpiError as error:
        if not for_many:
            raise
        placed = error
    _show(placed, as_json=as_json or for_many)
    return int(ExitCode.DONE)


def _placed(pack: Path, directory: Path, *, verify: bool, replace: bool) -> "Placed":
    from qmpi.launch.pack.machine import this_machine
    from qmpi.launch.pack.place import Insistence, place
    from qmpi.launch.pack.trial import try_out

    with cleared_away():
        return place(pack, directory, this_machine(), try_out, Insistence(verify, replace))


def _show(placed: "Placed | QmpiError", *, as_json: bool) -> None:
    if isinstance(placed, QmpiError):
        show_json({"host": os.uname().nodename, "error": str(placed)})
    elif as_json:
        show_json(_facts(placed))
    else:
        done = "is there already" if placed.reused else "unpacked"
        click.echo(
            f"{placed.directory}: {done}, {placed.files} files, {placed.bytes / 1e6:.0f} MB, "
            f"pack {placed.pack[:16]}\n  {placed.directory}/bin/qmpi train JOB.toml"
        )


def _facts(placed: "Placed") -> dict[str, object]:
    return {
        "host": os.uname().nodename,
        "directory": placed.directory,
        "pack": placed.pack,
        "reused": placed.reused,
        "files": placed.files,
        "bytes": placed.bytes,
    }


def _everywhere(
    pack: Path, directory: Path, hostfile: Path | None, options: list[str], *, as_json: bool
) -> int:
    from qmpi.launch.pack.everywhere import unpack_everywhere

    # Every host sees the same names only if they are absolute.
    results = unpack_everywhere(
        pack.absolute(), directory.absolute(), hostfile, options, os.environ
    )
    if as_json:
        show_json({"hosts": [_host_facts(result) for result in results]})
    for result in results if not as_json else ():
        click.echo(f"{result.host}: {result.told}", err=not result.done)
    return int(ExitCode.DONE if all(result.done for result in results) else ExitCode.MACHINE)


def _host_facts(result: "HostResult") -> dict[str, object]:
    return {"host": result.host, "done": result.done, "reused": result.reused, "told": result.told}
