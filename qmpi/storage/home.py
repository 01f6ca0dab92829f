"""Where a user is at home, also where the environment does not say so, as under cron."""

import os
import pwd
from collections.abc import Mapping
from pathlib import Path


def home_directory(environment: Mapping[str, str]) -> Path:
    """Return the home directory of this process's user.

    Args:
        environment: of the process; its HOME wins.

    Returns:
        HOME, else what the user database says, else a folder of the user's own among the temporary
        files; it need not exist.
    """
    named = environment.get("HOME")
    if named:
        return Path(named)
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:  # a container may run under a number that nobody has
        import tempfile  # at the head it would cost each rank some files at its start

        return Path(tempfile.gettempdir()) / f"qmpi-{os.getuid()}"
