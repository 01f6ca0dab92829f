"""What each error and each exit code means, and what to do: the text behind `qmpi explain`.

Theory of operation. The pages are part of the program, so that whoever installed a wheel has them
without a network; docs/errors.md is made of them. An error class finds its page by its name
(`qmpi.errors.QmpiError.page`), so a class without a page fails a test. What a message says, it says
of this case; a page says what all such cases have in common.
"""

import textwrap
from typing import NamedTuple

WIDTH = 88
"""Columns of a page on the screen."""


class Page(NamedTuple):
    """One page.

    Attributes:
        title: what it is about.
        meaning: what such an error means.
        causes: how it usually comes about.
        mends: what to do, the first thing first.
    """

    title: str
    meaning: str
    causes: tuple[str, ...]
    mends: tuple[str, ...]


ERRORS = {
    "usage": Page(
        "the command was called wrongly",
        "A command, an option or an argument is unknown, missing or ill-typed. Nothing was done.",
        ("a misspelt option", "a number where a size such as 1M is wanted", "a missing argument"),
        ("`qmpi COMMAND --help` shows what the command takes, with examples",),
    ),
    "user-error": Page(
        "something that was given is wrong",
        "The command cannot do what was asked for. Its message says what to change.",
        ("an option contradicts another", "the run or the corpus is not what the command needs"),
        ("change what the message names, and give the command again",),
    ),
    "config-error": Page(
        "a job file or an option of a job is wrong",
        "A field is unknown, ill-typed, out of range, or contradicts another; or the run directory "
        "holds a run with other settings of what decides its weights. Nothing was started.",
        (
            "a misspelt field; the nearest known one is named",
            "`--set section.key=value` for a field that a run may not change",
            "a job file that was edited while its run went on",
        ),
        (
            "`qmpi check JOB` tells every mistake at once",
            "`qmpi init --preset laptop` prints a job file with every field explained",
            "for other settings begin another run: `--run-dir DIR`",
        ),
    ),
    "input-error": Page(
        "data cannot be used as given",
        "A text, a corpus, a tokenizer or a path is missing, or not of the kind that is needed.",
        (
            "a path that is not there, or a file where a directory is wanted",
            "a tokenizer without an end token, or with ids that no model has rows for",
            "a corpus with less text than one sequence",
            "a Hugging Face model that qmpi's model cannot represent, or a run's initial weights "
            "that have changed",
        ),
        (
            "look at the path that the message names",
            "`qmpi shards ls DIR` shows what a corpus holds; `qmpi ingest` makes one of text",
        ),
    ),
    "run-in-use": Page(
        "another command has the run",
        "A run is written by one job at a time. The other job goes on; nothing was changed.",
        (
            "the same command was given twice",
            "a batch job and a person work on one run directory",
            "the ranks of a command that was killed still live",
        ),
        (
            "`qmpi train --resume RUN` follows the run to its end instead",
            "stop the other command with SIGTERM: it ends in order, with exit code 75",
            "or choose another run directory: `--run-dir DIR`",
        ),
    ),
    "peer-error": Page(
        "another rank failed or misbehaved",
        "This rank could not go on because of another one. The job heals such failures by itself; "
        "`qmpi status RUN` lists each with what was done about it.",
        ("a rank died", "a link between two hosts was cut"),
        ("`qmpi logs RUN --tail 50` shows what the ranks said last",),
    ),
    "peer-lost": Page(
        "a rank is gone",
        "A rank that this one was waiting for has died, or has left for a new generation.",
        ("it was killed, often for want of memory", "its host is down or cannot be reached"),
        (
            "nothing while the run goes on: a spare takes its place, or the lanes are dealt anew",
            "`dmesg` of its host tells whether the kernel killed it for want of memory",
        ),
    ),
    "protocol-error": Page(
        "a message could not be understood",
        "A message was malformed, too large or of another version. It was not acted on.",
        ("ranks with different versions of qmpi in one job", "damage on the way"),
        ("install the same version on every host; `qmpi --version` prints it",),
    ),
    "machine-error": Page(
        "the machine failed",
        "Disk, memory, network, MPI or the operating system refused. The message says which, and "
        "of which file. What was saved before stays good.",
        ("a full disk", "no memory left", "a host or a mount that cannot be reached"),
        (
            "mend what the message names, and give the same command again: a run goes on from its "
            "newest snapshot",
        ),
    ),
    "out-of-memory": Page(
        "memory was refused",
        "A trainer asked for more memory than its host or its GPU has left, or than a limit lets "
        "it have. The message says how much the allocation that failed wanted. The step in hand "
        "was not applied; checkpoints and journal are whole.",
        (
            "a microbatch whose activations do not fit",
            "a limit on the process: `ulimit -v`, or memory.max of the container or batch job",
            "other programs, or more ranks on the host than its memory is for",
        ),
        (
            "`qmpi plan JOB` shows what a trainer needs, kind by kind",
            "`qmpi train --resume RUN --set train.checkpointing=full`: less memory, the same bits",
            "on a GPU `--set train.offload=all`: the host's memory takes a part, the same bits",
            "smaller microbatches: in a new run halve train.sequences, double train.microbatches",
            "`batch.halve_microbatches = true`: the run halves them itself, where a step needs it",
            "fewer ranks a host, or more memory; then `qmpi train --resume RUN` goes on",
        ),
    ),
    "no-connection": Page(
        "a rank has no room for its connections",
        "To join its group a trainer opens connections to the others. Its own machine refused the "
        "threads, the memory or the descriptors for that. The next group is tried for again, at "
        "once and then later and later. A rank that says this of itself for 15 seconds and 8 tries "
        "counts as dead, and the others go on. If nobody can be spared, or others have part in it, "
        "the job ends after 30 seconds and 10 tries in which no step was done; its reason names "
        "the ranks, their hosts and what each said. Checkpoints and journal are whole.",
        (
            "a limit on the process: `ulimit -v`, `-u` or `-n`, or pids.max of its container",
            "more ranks or threads on a host than it allows one user",
            "where a peer is named as gone: a firewall, or a name that means another host there",
        ),
        (
            "raise the limit on the hosts that the reason names; `qmpi doctor` looks at a machine",
            "fewer ranks a host, or fewer threads a rank",
            "`qmpi train --resume RUN` goes on from the newest snapshot",
        ),
    ),
    "storage-error": Page(
        "a file cannot be read or written",
        "The operating system refused. Files are replaced as a whole, so none is half written.",
        (
            "a full file system, or a quota that is used up",
            "no permission, or a read-only mount",
            "a pipe, a socket or a directory where a file should be",
            "a network file system that is away; data are tried again for memory.patience_seconds",
        ),
        (
            "free space, or choose another directory",
            "then give the same command again: a run goes on from its newest snapshot",
        ),
    ),
    "corrupt-data": Page(
        "a file is damaged",
        "A checksum does not fit, or a file is cut short. It is never used, nor removed: it is "
        "evidence.",
        ("a disk that lies", "a copy that was interrupted", "a file that was edited by hand"),
        (
            "bring the file back from a backup",
            "`qmpi shards verify DIR` finds every damaged block; `qmpi shards repair DIR` makes "
            "those of a generated corpus again",
            "a built-in corpus: remove it, it is made again",
            "snapshots: the run goes on from the newest whole one; if none is left, "
            "`qmpi train --resume RUN --from-scratch` begins at step 0",
        ),
    ),
    "launch-error": Page(
        "the job could not be started, or kept dying",
        "mpirun is missing or cannot start the ranks, or the job died more often than "
        "failure.max_relaunches allows. The message shows what mpirun and the ranks said.",
        (
            "no Open MPI 5 with ULFM on this machine",
            "a module that is missing on another host",
            "too little memory: ranks are killed as soon as they begin to train",
        ),
        (
            "`qmpi logs RUN --tail 50` shows the last words of the ranks and of mpirun",
            "`pip install 'qmpi[mpi]'` brings an Open MPI; QMPI_MPIRUN names another mpirun",
            "once it is mended, `qmpi train --resume RUN` goes on from the newest snapshot",
        ),
    ),
    "invariant-error": Page(
        "a bug in qmpi",
        "Something that must hold does not, so the work was stopped before it could do harm.",
        ("a mistake in qmpi", "rarely a processor or memory that computes wrong bits"),
        (
            "report it with the message, the job file and the run's logs",
            "`qmpi train --resume RUN` goes on from the newest snapshot",
        ),
    ),
    "bug": Page(
        "a bug in qmpi",
        "A command met something that nobody had thought of. Its traceback is in the file that the "
        "message names.",
        ("a mistake in qmpi",),
        ("report it with that file and the command that was given",),
    ),
    "run-failed": Page(
        "a run ended for a reason that a new start would not mend",
        "The job wrote an end marker, RUN/end.json, that says why. Its exit code says whose doing "
        "it was.",
        (
            "data that nobody can read",
            "a disk that takes no journal or no checkpoint",
            "no snapshot that can be read any more",
            "a gradient that was not finite in 20 steps in a row: the run has diverged",
        ),
        (
            "`qmpi status RUN` shows the reason and the failures before it",
            "a run that diverged: the reason names the command that takes it back to before that",
            "mend what it names, then `qmpi train --resume RUN`",
        ),
    ),
}
"""By name; those of error classes as `QmpiError.page` spells it."""

EXITS = {
    0: ("done", "What was asked for is done."),
    1: ("no Python", "The interpreter could not even start the command; see what it printed."),
    2: ("the user's mistake", "Something that was given is wrong; nothing was done."),
    3: (
        "a peer or the machine",
        "Disk, memory, network, MPI or another rank failed. Mend it; the same command goes on.",
    ),
    4: ("a bug in qmpi", "Please report it."),
    5: ("done in part", "`qmpi ingest` left damaged input out, and is done with the rest."),
    75: (
        "stopped in order",
        "The run was asked to stop, and can go on: queue the same command again.",
    ),
    130: ("Ctrl-C", "The command was interrupted before it had begun what can be resumed."),
    141: ("the reader has gone", "The program that read the output ended first, as in `| head`."),
}
"""Name and meaning by exit code."""


def page_text(name: str, page: Page) -> str:
    """Return a page as text.

    Args:
        name: of the page.
        page: what it says.

    Returns:
        Paragraphs.
    """
    causes, mends = _listed(page.causes), _listed(page.mends)
    meaning = textwrap.fill(page.meaning, WIDTH)
    return f"{name}: {page.title}\n\n{meaning}\n\nUsually:\n{causes}\n\nWhat to do:\n{mends}"


def _listed(items: tuple[str, ...]) -> str:
    wrap = textwrap.TextWrapper(
        WIDTH,
        initial_indent="  - ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(map(wrap.fill, items))


def exit_text(code: int) -> str:
    """Return what an exit code says.

    Args:
        code: a key of `EXITS`.

    Returns:
        A line.
    """
    name, meaning = EXITS[code]
    return f"exit code {code}, {name}: {meaning}"


def as_markdown(faults: dict[str, tuple[str, int]]) -> str:
    """Return all pages as one document.

    Args:
        faults: whose fault the errors of a page are, and their exit code.

    Returns:
        Markdown.
    """
    head = (
        "# Errors and exit codes\n\n"
        "Every error that a command shows names its page here; `qmpi explain NAME` prints the same "
        "page\nwithout a network, `qmpi explain CODE` what an exit code says. With `--json` the "
        "field `page` is the name.\n"
    )
    codes = "".join(f"| {code} | {name} | {text} |\n" for code, (name, text) in EXITS.items())
    table = f"\n## Exit codes\n\n| code | means | |\n|---|---|---|\n{codes}"
    pages = "".join(_section(name, page, faults.get(name)) for name, page in ERRORS.items())
    return head + table + pages


def _section(name: str, page: Page, fault: tuple[str, int] | None) -> str:
    whose = f" Fault: {fault[0]}, exit code {fault[1]}." if fault is not None else ""
    title = page.title[0].upper() + page.title[1:]
    causes = "; ".join(page.causes)
    mends = "".join(f"- {mend}\n" for mend in page.mends)
    body = f"{title}.{whose} {page.meaning}\n\nUsually: {causes}.\n\n{mends}"
    return f"\n## {name}\n\n{body}"
