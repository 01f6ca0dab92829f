"""The lines at the head of a script that the scheduler reads: what to allocate, when to warn.

Each line is made of numbers, of words that `quoting` has found plain, and of options that the user
means as they stand. Paths stand in none: the script itself opens what it writes.

What the lines ask for, by scheduler; sources are the manuals named.

    slurm   sbatch(1): `--signal=B:USR1@S` warns the script alone, S seconds before the limit, up to
            a minute early; `--requeue` lets `scontrol requeue` begin the same job again;
            `--no-kill` keeps the allocation when a node dies; `--mem=0` is a node's whole memory;
            `--array` makes one job a value
    pbs     OpenPBS qsub(1B): whole hosts one chunk each (`select`, `place=scatter:exclhost`);
            `-r y` lets the server begin it again when a node dies. There is no warning before the
            limit; `qmpi train` stops by the clock
    lsf     IBM Spectrum LSF bsub(1): `-wa USR2 -wt M` warns M minutes before the limit, `-Q 75`
            queues again what exits with 75, `-r` what lost its host; `span[ptile=K]` is K slots a
            host, `-x` whole hosts
    flux    flux-batch(1): `--signal=SIGUSR1@Ss`; `-o exit-timeout=none` and a flat tree of brokers
            (`tbon.topo=kary:0`, once `tbon.fanout=0`) so that a dead node takes nobody along
            (flux-core's own test t/issues/t4583-free-range-test.sh)
"""

from collections.abc import Callable

from msgspec import Struct

from qmpi.errors import ConfigError
from qmpi.launch.batch.layout import Layout
from qmpi.launch.batch.quoting import label, option_line, plain_word

LABEL_LIMIT = {"slurm": 60, "pbs": 15, "lsf": 60, "flux": 60}
"""Longest name of a job; 15 in PBS before version 12 and in Torque."""

ARRAYS = ("slurm", "lsf")
"""Schedulers that queue one value of an array again by itself."""


class Request(Struct, frozen=True, kw_only=True):
    """What is asked of a scheduler.

    Attributes:
        scheduler: slurm, pbs, lsf or flux.
        name: of the run.
        layout: nodes and what they carry.
        seconds: limit of time; 0: that of the queue.
        warn_seconds: how long before the limit the job is warned.
        queue: partition or queue; empty: the default one.
        account: who is charged; empty: nobody is named.
        options: more options of the scheduler.
        values: how many jobs an array has; 0: it is none.
    """

    scheduler: str
    name: str
    layout: Layout
    seconds: int = 0
    warn_seconds: int = 180
    queue: str = ""
    account: str = ""
    options: tuple[str, ...] = ()
    values: int = 0


def directives(request: Request) -> str:
    """Return the directive lines of a script.

    Args:
        request: what is asked for.

    Returns:
        Lines, joined; each begins with the scheduler's mark.

    Raises:
        ConfigError: a name or an option could not stand there.
    """
    if request.values and request.scheduler not in ARRAYS:
        raise ConfigError(
            f"--vary is for {' and '.join(ARRAYS)}; with {request.scheduler} submit once a value, "
            "each with a --run-dir of its own"
        )
    mark, lines = _KINDS[request.scheduler]
    options = [option_line(option, request.scheduler) for option in request.options]
    return "\n".join(f"{mark} {line}" for line in [*lines(request), *options])


def _slurm(request: Request) -> list[str]:
    layout = request.layout
    lines = [
        f"--job-name={_label(request)}",
        f"--nodes={layout.nodes}",
        # More than its cores Slurm would refuse; mpirun starts as many as RANKS_PER_HOST says.
        f"--ntasks-per-node={min(layout.ranks_per_host, layout.cores)}",
        "--exclusive",
        "--mem=0",
        "--no-kill",
        "--requeue",
        "--open-mode=append",
    ]
    if request.seconds:
        lines.append(f"--time={clock(request.seconds)}")
        lines.append(f"--signal=B:USR1@{request.warn_seconds}")
    if layout.gpus and not _asks(request, "--gpu", "--gres", "-G"):
        lines.append(f"--gpus-per-node={layout.gpus}")
    if request.values:
        lines.append(f"--array=0-{request.values - 1}")
    return lines + _names(request, "--partition={}", "--account={}")


def _pbs(request: Request) -> list[str]:
    layout = request.layout
    gpus = f":ngpus={layout.gpus}" if layout.gpus else ""
    # A site with resources of its own names its chunks itself.
    chunk = f"{layout.nodes}:ncpus={layout.cores}:mpiprocs={layout.ranks_per_host}{gpus}"
    own = any(option.startswith("-l") and "select=" in option for option in request.options)
    lines = [f"-N {_label(request)}"]
    lines += [] if own else [f"-l select={chunk}", "-l place=scatter:exclhost"]
    lines += ["-j oe", "-r y"]
    if request.seconds:
        lines.append(f"-l walltime={clock(request.seconds)}")
    return lines + _names(request, "-q {}", "-A {}")


def _lsf(request: Request) -> list[str]:
    layout = request.layout
    name = _label(request) + (f"[1-{request.values}]" if request.values else "")
    lines = [
        f'-J "{name}"',
        f"-n {layout.nodes * layout.ranks_per_host}",
        f'-R "span[ptile={layout.ranks_per_host}]"',
        "-x",
        "-r",
        '-Q "75"',
    ]
    if request.seconds:
        lines.append(f"-W {_minutes(request.seconds)}")
        lines.append(f"-wa USR2 -wt {_minutes(request.warn_seconds)}")
    if layout.gpus and not _asks(request, "-gpu"):
        lines.append(f'-gpu "num={layout.gpus}"')
    return lines + _names(request, "-q {}", "-P {}")


def _flux(request: Request) -> list[str]:
    lines = [
        f"--job-name={_label(request)}",
        f"--nodes={request.layout.nodes}",
        "--exclusive",
        "-o exit-timeout=none",
        "--broker-opts=-Stbon.topo=kary:0",
    ]
    if request.seconds:
        lines.append(f"--time-limit={request.seconds}s")
        lines.append(f"--signal=SIGUSR1@{request.warn_seconds}s")
    return lines + _names(request, "--queue={}", "--bank={}")


_KINDS: dict[str, tuple[str, Callable[[Request], list[str]]]] = {
    "slurm": ("#SBATCH", _slurm),
    "pbs": ("#PBS", _pbs),
    "lsf": ("#BSUB", _lsf),
    "flux": ("#flux:", _flux),
}


def _asks(request: Request, *beginnings: str) -> bool:
    """Return whether the user's own options ask for it already, in the way of the site."""
    return any(option.startswith(beginnings) for option in request.options)


def _label(request: Request) -> str:
    return label(request.name, LABEL_LIMIT[request.scheduler])


def _names(request: Request, queue: str, account: str) -> list[str]:
    given = ((queue, request.queue, "queue"), (account, request.account, "account"))
    return [form.format(plain_word(word, f"--{what}")) for form, word, what in given if word]


def clock(seconds: int) -> str:
    """Return a time as HH:MM:SS, hours past a day included.

    Args:
        seconds: >= 0.

    Returns:
        What Slurm and PBS read.
    """
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _minutes(seconds: int) -> int:
    return -(-seconds // 60)
