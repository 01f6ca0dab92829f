"""Tries whether an unpacked environment runs here, before anyone relies on it."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from qmpi.errors import LaunchError

TRIAL_SECONDS = 120.0
"""The first start reads its libraries from a cold disk."""

_PROGRAM = (
    "import ctypes, msgspec, numpy, qmpi.main, qmpi.runtime.bootstrap\n"
    "assert type(qmpi.main.__spec__.loader).__name__ == 'PackedLoader', 'no table of modules'\n"
)


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which nothing points an interpreter elsewhere.

    Args:
        environ: of this process.
    """
    return {name: value for name, value in environ.items() if not name.startswith("PYTHON")}


def try_out(directory: Path) -> None:
    """Start the interpreter of an environment and load the modules of a rank.

    Args:
        directory: the environment.

    Raises:
        LaunchError: it does not run here; the message says what it said.
    """
    python = directory / "bin" / "python"
    try:
        done = subprocess.run(
            [str(python), "-P", "-c", _PROGRAM],
            env=clean_environment(os.environ),
            cwd="/",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TRIAL_SECONDS,
            check=False,
        )
    except PermissionError as error:
        raise LaunchError(
            f"programs cannot be run from {directory.parent} ({error.strerror}): it is mounted "
            "noexec; unpack into another directory, such as one on a local disk"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LaunchError(f"the unpacked interpreter does not run here: {error}") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise LaunchError(
            f"the unpacked environment does not run here: {said}; make the pack on a machine like "
            "this one, with the same system libraries"
        )
