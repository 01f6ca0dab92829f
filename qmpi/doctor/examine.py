"""All checks, in the order in which a reader mends things.

Theory of operation. Each check stands alone: one that fails in itself says so as a warning and
takes no other along.
"""

from collections.abc import Callable, Iterable, Iterator

from qmpi.doctor.checks import (
    code,
    compute,
    files,
    launcher,
    limits,
    places,
    ram,
    schedulers,
    trial,
    tuning,
)
from qmpi.doctor.finding import Finding, Verdict
from qmpi.doctor.probes import Probes
from qmpi.errors import QmpiError

Check = Callable[[Probes], Verdict]

CHECKS: dict[str, Check] = {
    "mpirun": launcher.check_mpirun,
    "ULFM": launcher.check_ulfm,
    "MPI library": launcher.check_library,
    "MPI threads": launcher.check_threads,
    "MPI settings": tuning.check_settings,
    "MPI start": trial.check_start,
    "death of a rank": trial.check_death,
    "clocks": trial.check_clocks,
    "shared files": trial.check_shared,
    "torch": compute.check_torch,
    "bfloat16": compute.check_bfloat16,
    "GPUs": compute.check_gpus,
    "collectives": compute.check_collectives,
    "RAM directory": ram.check_ram_directory,
    "shared memory": ram.check_shared_memory,
    "run directory": files.check_run_directory,
    "space": files.check_space,
    "disk speed": files.check_speed,
    "small files": files.check_small_files,
    "rename": files.check_rename,
    "locks": files.check_locks,
    "host name": places.check_host_name,
    "hosts": places.check_hosts,
    "home": places.check_home,
    "cache": places.check_cache,
    "temporary files": places.check_temporary,
    "open files": limits.check_open_files,
    "processes": limits.check_processes,
    "locked memory": limits.check_locked_memory,
    "address space": limits.check_address_space,
    "stack": limits.check_stack,
    "cores": limits.check_cores,
    "memory": limits.check_memory,
    "Python": code.check_python,
    "packages": code.check_packages,
    "start-up": code.check_startup,
    "compiled files": code.check_compiled,
    "shadowed modules": code.check_shadows,
    "scheduler": schedulers.check_scheduler,
}
"""By name; a contract for scripts."""


def examine(probes: Probes, names: Iterable[str] = CHECKS) -> Iterator[Finding]:
    """Make checks.

    Args:
        probes: of the machine.
        names: of the checks.

    Yields:
        What each found, as soon as it has.
    """
    for name in names:
        yield _made(name, CHECKS[name], probes)


def _made(name: str, check: Check, probes: Probes) -> Finding:
    try:
        verdict = check(probes)
    except QmpiError as problem:
        return _unknown(name, str(problem))
    except Exception as problem:  # noqa: BLE001 - a machine that is broken in an unforeseen way
        return _unknown(name, f"{type(problem).__name__}: {problem}")
    return Finding(name, verdict.state, _plain(verdict.found), _plain(verdict.advice))


def _unknown(name: str, why: str) -> Finding:
    return Finding(
        name, "warning", _plain(f"cannot be checked: {why}"), "mend what is named, then ask again"
    )  # fmt: skip


def _plain(text: str) -> str:
    """Return one line that JSON and a terminal can hold; a name or a variable may be no text."""
    told = text.encode("utf-8", "backslashreplace").decode()
    return "".join(one if one.isprintable() else " " for one in told)
