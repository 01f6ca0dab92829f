"""A command that a scheduler may stop is stoppable from its first moment on.

Theory of operation. Loading takes a good part of a second on a busy machine. A SIGTERM in that time
would end the command as by a crash, and whoever started it would not queue it again. Until the
command listens itself (`qmpi.cli.stop_request`), such a signal ends it with exit code 75, at once:
nothing was begun that could not begin again. Ctrl-C stays Ctrl-C.

Only modules of the interpreter are loaded here.
"""

import os
import signal
from collections.abc import Sequence
from types import FrameType

RESUMABLE = ("train", "replay", "generate", "ingest")
ASKING = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)
REQUEUE = 75
"""As `qmpi.errors.ExitCode`, which takes time to load."""


def listen(arguments: Sequence[str]) -> None:
    """Take the signals that ask to stop, if this process is a command that can go on later.

    Args:
        arguments: of the process, its program first.
    """
    program = os.path.basename(arguments[0]) if arguments else ""  # noqa: PTH119 - loads nothing
    if program not in ("qmpi", "main.py", "-m") or arguments[1:2] not in [[c] for c in RESUMABLE]:
        return
    for number in ASKING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, leave)


def leave(number: int, frame: FrameType | None) -> None:
    """End the process; for a signal that came before there was anything to save.

    Args:
        number: which signal.
        frame: where it struck; not used.
    """
    del frame
    name = signal.Signals(number).name
    os.write(2, f"qmpi: {name} before anything was begun; give the command again\n".encode())
    # Not by an exception: it might strike in the middle of an import that takes it for its own.
    os._exit(REQUEUE)
