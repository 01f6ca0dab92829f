"""The Python that ranks run: its packages, how long it takes to start, what it really loads."""

from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from qmpi.doctor.amounts import duration, plural
from qmpi.doctor.finding import Verdict, error, ok, warning
from qmpi.doctor.mounts import mount_of
from qmpi.doctor.probes import Probes
from qmpi.doctor.programs.lines import Code, Imported

OLDEST = (3, 11)
SLOW_LIGHT = 3.0
SLOW_TRAINER = 15.0
PACK = "pack the environment into one file and start from each host's own disk: qmpi pack"
OFF = "PYTHONDONTWRITEBYTECODE"


def check_python(probes: Probes) -> Verdict:
    """Which Python the ranks run.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    told, path = probes.imports, probes.around.python
    if told.answer.code is None and not told.answer.seconds:
        return error(told.answer.why, "make this environment anew, where ranks may run it")
    code = told.pick(Code)
    numbers = tuple(int(part) for part in code.version.split(".")[:2])
    if numbers < OLDEST:
        return error(f"{path}, {code.version}", "use Python 3.11 or newer")
    return ok(f"{path}, {code.version}")


def check_packages(probes: Probes) -> Verdict:
    """Whether each package has a version that qmpi works with.

    Args:
        probes: of the machine; this interpreter is that of the ranks.

    Returns:
        The verdict.
    """
    del probes
    try:
        wanted = [Requirement(text) for text in requires("qmpi") or []]
    except PackageNotFoundError:
        return warning("cannot be told: qmpi is not installed, only found", "pip install -e .")
    asked = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    return judge_packages({one: _version(one.name) for one in asked})


def judge_packages(found: dict[Requirement, str]) -> Verdict:
    """Compare versions with what is wanted.

    Args:
        found: version by requirement; "" if it is missing.

    Returns:
        The verdict.
    """
    missing = [str(one) for one, have in found.items() if not have]
    wrong = [
        f"{one.name} {have}, wanted is {one.specifier}"
        for one, have in found.items()
        if have and not one.specifier.contains(have, prereleases=True)
    ]
    mend = "pip install --upgrade qmpi, in an environment of its own"
    if missing:
        return error(f"missing: {', '.join(missing)}", mend)
    if wrong:
        return warning("; ".join(wrong), mend)
    return ok(f"{plural(len(found), 'package')}, each of a version that is wanted")


def check_startup(probes: Probes) -> Verdict:
    """How long a rank takes to load its code, and how many files it opens.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    around, told = probes.around, probes.imports
    imported = told.all(Imported)
    broken = [f"{one.name}: {one.fault}" for one in imported if one.fault]
    if broken:
        return error("; ".join(broken), "pip install --force-reinstall what does not load")
    if not imported:
        return warning(f"cannot be told: {told.answer.why}", "run it by hand")
    light = [one for one in imported if one.name != "torch"]
    files = sum(one.opens + one.libraries for one in light)
    heavy = sum(one.opens + one.libraries for one in imported)
    seconds, whole = (sum(one.seconds for one in some) for some in (light, imported))
    parts = ", ".join(f"{one.name} {duration(one.seconds)}" for one in imported)
    found = (
        f"Python {duration(probes.bare.seconds)}; a light rank {duration(seconds)} more, {files:,} "
        f"files opened; a trainer {duration(whole)}, {heavy:,} ({parts})"
    )
    folder = told.pick(Code).folder
    mount = mount_of(Path(folder), around.text("proc/self/mountinfo"))
    if mount is not None and mount.is_network:
        total = files * around.ranks
        return warning(f"{found}; from {mount.kind}: {total:,} for all ranks at once", PACK)
    return warning(found, PACK) if seconds > SLOW_LIGHT or whole > SLOW_TRAINER else ok(found)


def check_compiled(probes: Probes) -> Verdict:
    """Whether modules are compiled once, or by every rank at every start.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    code, off = probes.imports.pick(Code), probes.around.environ.get(OFF, "")
    found = f"{code.modules - code.uncompiled:,} of {plural(code.modules, 'module')} are compiled"
    if not code.uncompiled:
        return ok(found)
    why = f"{OFF} is set" if off else "their folders cannot be written"
    return warning(
        f"{found}; {why}, so each rank compiles the others at each start",
        f"unset {OFF}, or compile them once as who may write them: python -m compileall FOLDER",
    )


def check_shadows(probes: Probes) -> Verdict:
    """Whether a file takes the place of a module of the standard library.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    shadows = probes.imports.pick(Code).shadowed
    if shadows:
        return error(
            f"taken for modules of Python: {', '.join(shadows[:5])}",
            "rename them, or take their folder out of PYTHONPATH",
        )
    return ok("none")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
