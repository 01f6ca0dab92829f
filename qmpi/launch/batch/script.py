"""A batch script: directives, sizes that may be changed by hand, and one body for all schedulers.

Theory of operation. `templates/body.sh` is the body, `templates/SCHEDULER.sh` what differs: who the
job is, how it is queued again, how mpirun reaches other nodes. Marks such as @{run} are replaced
once, by text that `quoting` has made safe for its place; what they are replaced by is not looked at
again. A value never ends its line, so a script has the lines that it should have, whatever the
names in it.

What happens in the script, in short: it starts `qmpi train`, hands on the signals it gets, starts
it again if it was killed itself, and queues the job again if it ended with 75. All else is done by
`qmpi train`, which is tested without a scheduler.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from msgspec import Struct

from qmpi.launch.batch.directives import Request, directives
from qmpi.launch.batch.quoting import setup_line, shell_word, shell_words

TEMPLATES = files("qmpi.launch.batch") / "templates"

INDEX = {"slurm": "${SLURM_ARRAY_TASK_ID:-0}", "lsf": "$((${LSB_JOBINDEX:-1} - 1))"}
"""Number of an element of an array, from 0."""

MARK = re.compile(r"@\{([a-z_]+)\}")
"""A place in a template; no shell text looks so."""


class Variants(Struct, frozen=True):
    """One field of the job with a value for each job of an array.

    Attributes:
        field: as in "job.seed".
        values: texts as `--set` takes them.
    """

    field: str
    values: tuple[str, ...]


class Content(Struct, frozen=True, kw_only=True):
    """What a script starts.

    Attributes:
        job: absolute path of the job file.
        run: absolute directory of the run; of an array, the directory of its runs.
        workdir: absolute directory in which the job was submitted.
        qmpi: words of the command on the nodes.
        options: further arguments of `qmpi train`.
        setup: lines of shell before the start.
        variants: of an array; None: one job.
    """

    job: Path
    run: Path
    workdir: Path
    qmpi: tuple[str, ...]
    options: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    variants: Variants | None = None


def render(request: Request, content: Content) -> str:
    """Return a batch script.

    Args:
        request: what is asked of the scheduler.
        content: what is started.

    Returns:
        The script. Bytes of paths that are not UTF-8 are escaped in it.

    Raises:
        ConfigError: a name, an option or a line could not stand in it.
    """
    layout = request.layout
    values = {
        "directives": directives(request),
        "layout": "\n".join(f"#   {sentence}" for sentence in layout.words),
        "nodes": str(layout.nodes),
        "ranks_per_host": str(layout.ranks_per_host),
        "ranks": str(layout.ranks),
        "seconds": str(request.seconds),
        "warn_seconds": str(request.warn_seconds),
        "job": shell_word(str(content.job)),
        "run": shell_word(str(content.run)),
        "workdir": shell_word(str(content.workdir)),
        "qmpi": shell_words(content.qmpi),
        "options": shell_words(content.options),
        "setup": "\n".join(map(setup_line, content.setup)),
        "scheduler": _text(f"{request.scheduler}.sh"),
        "vary": _vary(request, content.variants),
    }
    return _tidy(_filled(_text("body.sh"), values))


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8").rstrip("\n")


def _filled(text: str, values: Mapping[str, str]) -> str:
    return MARK.sub(lambda mark: values[mark[1]], text)


def _tidy(text: str) -> str:
    # Places that stay empty leave lines behind; no value holds a line break.
    return re.sub(r"\n{3,}", "\n\n", text) + "\n"


def _vary(request: Request, variants: Variants | None) -> str:
    if variants is None:
        return "varied=()"
    return "\n".join(
        [
            "",
            "# One run for each value, in a directory of its own.",
            f"VALUES=({shell_words(variants.values)})",
            f"index={INDEX[request.scheduler]}",
            "RUN=$RUN/$index",
            f'varied=(--set {shell_word(variants.field)}"=${{VALUES[$index]}}")',
        ]
    )
