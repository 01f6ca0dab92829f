"""Whether lines of shell that a user gives end where they should, said by the shell itself.

Theory of operation. An open quote or an open `if` would swallow the script around the lines, which
nobody sees before the job has waited for its nodes. `bash -n` reads and runs nothing; it is on
every machine where the script can run.
"""

import shutil
import subprocess
from collections.abc import Sequence

from qmpi.errors import ConfigError

SECONDS = 20.0


def require_whole(lines: Sequence[str]) -> None:
    """Refuse lines that bash cannot read on their own.

    Args:
        lines: of shell, in the order in which they stand in the script.

    Raises:
        ConfigError: a quote, a bracket or a command is open at their end, or makes no sense.
    """
    program = shutil.which("bash")
    if program is None or not lines:
        return  # what is handed in elsewhere is read there
    try:
        done = subprocess.run(
            [program, "--norc", "--noprofile", "-n"],
            input="\n".join(lines) + "\n",
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env={"LC_ALL": "C"},
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    # An open here-document is a warning only.
    if done.returncode != 0 or done.stderr:
        said = (done.stderr.splitlines() or ["it makes no sense"])[0].removeprefix("bash: ")
        raise ConfigError(
            f"--setup {', '.join(map(repr, lines))}: bash cannot read it: {said}; give whole "
            "commands"
        )
