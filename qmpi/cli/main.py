"""The `qmpi` command: a group whose commands are loaded only when they are called.

Importing torch takes seconds and MPI must not start on a login node, so neither the group nor its
help loads anything beyond click. What may be asked to stop is so from its first moment on: signals
are taken before anything else is loaded.
"""

import sys

from qmpi.cli.early import listen

listen(sys.argv)

import importlib
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from qmpi import __version__
from qmpi.cli.output import Fault, open_streams, show_error
from qmpi.errors import ExitCode, QmpiError, pointer

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "demo": "pretrain on this machine, kill a trainer, prove that nothing changed",
    "init": "write a job file with every field explained",
    "check": "check a job file and say what it would do",
    "doctor": "say what this machine lacks, and what to do about it",
    "plan": "say what a job will take: memory, time, energy, money",
    "simulate": "play what a job would read through caches of every policy",
    "curriculum": "show the hundred stages of a job, from easy to hard",
    "ingest": "turn text into a corpus of shards",
    "content": "look at generated documents and check what they say",
    "generate": "write a corpus of generated, machine-checked documents",
    "shards": "list, read, verify, describe and repair shards",
    "train": "run a job, and go on whatever dies",
    "submit": "hand a job in to a batch system",
    "status": "show who is alive and how far a run is",
    "runs": "list runs, the newest first",
    "logs": "show what the ranks of a run have written, by time",
    "profile": "record what the trainers of a live job do, for Perfetto",
    "report": "write what a run has done to one HTML file",
    "audit": "prove that each block was trained on exactly once",
    "recipe": "show what a run draws from, and weigh its sources anew",
    "replay": "train a run anew from its journal, and prove the same bits",
    "checkpoints": "list the checkpoints of a run, whole or not, with their digests",
    "reshape": "go on with a run in another layout of its teams",
    "pack": "pack this Python environment into one file for the nodes of a cluster",
    "unpack": "put a pack in its place on a node, or on every node",
    "evaluate": "measure a checkpoint on held-out text and on problems that can be checked",
    "sample": "write text from a checkpoint of a run",
    "export": "write a checkpoint as a Hugging Face model",
    "import": "write a job that begins with a Hugging Face model",
    "explain": "explain an error or an exit code",
    "completion": "print the script that completes commands in a shell",
}

MODULES = {"import": "importing"}
"""Where a command's name is a word of the language."""

COMPLETE = "_QMPI_COMPLETE"
"""Set by the shell's completion script (`qmpi completion`)."""


class LazyGroup(click.Group):
    """A group that imports `qmpi.cli.NAME` when command NAME is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of a user's first day."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"qmpi.cli.{MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, "command", None) or getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command when there is none of that name."""
        unknown = bool(args) and args[0] not in COMMANDS and not args[0].startswith("-")
        if unknown and not ctx.resilient_parsing:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return the commands and options that begin so, without importing a command."""
        from click.shell_completion import CompletionItem

        named = [
            CompletionItem(name, help=text)
            for name, text in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="First steps: qmpi demo; qmpi init --preset laptop -o job.toml; qmpi train job.toml",
)
@click.version_option(__version__, prog_name="qmpi")
def cli() -> None:
    """Pretrain language models as one MPI job of typed roles that survives any failure."""


def main() -> NoReturn:
    """Run the command line and leave with the exit code of its contract."""
    open_streams()
    if COMPLETE in os.environ:
        from qmpi.cli.complete import answer

        sys.exit(answer(cli, os.environ))
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name.

    Returns:
        Exit code: 0 done, 2 user, 3 peer or machine, 4 our bug, 5 done without damaged input, 75
        to be queued again; as of a signal, 130 after Ctrl-C and 141 when the reader has gone.
    """
    as_json = "--json" in arguments
    try:
        result: Any = cli.main(args=arguments, prog_name="qmpi", standalone_mode=False)
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        return _usage(error, as_json=as_json)
    except QmpiError as error:
        code = int(error.exit_code)
        show_error(Fault(str(error), error.fault, code, error.page()), as_json=as_json)
        return code
    except (BrokenPipeError, SystemExit):
        # The reader has gone, as in `qmpi status | head`; click tells of it by SystemExit alone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (OSError, MemoryError) as error:
        # Wherever a command met the machine without explaining it: still not our bug, and no
        # traceback.
        code = int(ExitCode.MACHINE)
        show_error(Fault(_machine(error), "machine", code, "machine-error"), as_json=as_json)
        return code
    except Exception:
        told = f"this is a bug in qmpi; please report it with {_write_traceback()}"
        show_error(Fault(told, "bug", int(ExitCode.BUG), "bug"), as_json=as_json)
        return int(ExitCode.BUG)
    return result if isinstance(result, int) else int(ExitCode.DONE)


def _usage(error: click.ClickException, *, as_json: bool) -> int:
    if as_json:
        told = Fault(error.format_message(), "user", int(ExitCode.USER), "usage")
        show_error(told, as_json=True)
    else:
        with suppress(OSError):
            error.show()
            click.echo(f"  {pointer('usage')}", err=True)
    return int(ExitCode.USER)


def _machine(error: OSError | MemoryError) -> str:
    if isinstance(error, MemoryError):
        return "out of memory: close other programs, or make the job smaller"
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def _write_traceback() -> Path:
    import tempfile
    import traceback

    handle, name = tempfile.mkstemp(prefix="qmpi-bug-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        traceback.print_exc(file=file)
    return Path(name)


if __name__ == "__main__":
    main()
