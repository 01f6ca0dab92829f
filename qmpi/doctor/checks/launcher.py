"""Is there an mpirun, is it Open MPI 5, and does it tell of the dead?"""

import re

from qmpi.doctor.finding import Verdict, error, ok, warning
from qmpi.doctor.probes import Probes
from qmpi.doctor.programs.lines import Job, Library

OPEN_MPI = re.compile(r"mpirun \(Open MPI\) (\d+)\.(\d+)\S*")
LIBRARY = re.compile(r"Open MPI v?((\d+)\.[\w.]+)")
OLDEST = 5

INSTALL = (
    "unset QMPI_MPIRUN to use that of this Python environment (pip install 'qmpi[mpi]' brings one),"
    " or load a module with Open MPI 5 and set QMPI_MPIRUN to its mpirun"
)


def check_mpirun(probes: Probes) -> Verdict:
    """Which mpirun starts the ranks.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    launcher, answer = probes.around.launcher, probes.mpirun_version
    if launcher.path is None:
        return error("none", launcher.fault)
    if answer.code != 0:
        return error(f"{launcher.path} does not run: {answer.why}", INSTALL)
    version = OPEN_MPI.search(answer.out)
    if version is None:
        return error(f"{launcher.path} is not of Open MPI but says: {_first(answer.out)}", INSTALL)
    if int(version[1]) < OLDEST:
        found = f"{launcher.path}, {version[0]}, is too old to tell of dead ranks"
        return error(found, INSTALL)
    return ok(f"{launcher.path}, {_number(version[0])}")


def check_ulfm(probes: Probes) -> Verdict:
    """Whether MPI tells the living of the dead; healing inside the job rests on that.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    around = probes.around
    if around.launcher.path is None or OPEN_MPI.search(probes.mpirun_version.out) is None:
        return error("no ULFM: the death of any rank would end the job", INSTALL)
    if around.trial_ranks:
        for job in probes.trial.all(Job):
            if not job.fault_tolerant:
                return error("the ranks started without it", INSTALL)
    build = probes.mpi_build
    if build.code != 0:
        return warning(
            f"cannot be told: {build.why}", "try it: qmpi doctor --mpi starts ranks and kills one"
        )
    if re.search(r"FT MPI support: *yes", build.out):
        return ok("built in, mpirun takes --with-ft ulfm")
    return error(
        "this Open MPI was built without it (configure --disable-ft): the death of any rank "
        "would end the job",
        INSTALL,
    )


def check_library(probes: Probes) -> Verdict:
    """Whether mpi4py has loaded the MPI that mpirun belongs to.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    library = probes.imports.pick(Library)
    where = f" ({library.file})" if library.file else ""
    own, launched = LIBRARY.search(library.version), OPEN_MPI.search(probes.mpirun_version.out)
    advice = (
        "let mpirun and the library come from one installation: set QMPI_MPIRUN, "
        "LD_LIBRARY_PATH or MPI4PY_LIBMPI"
    )
    if own is None:
        return error(f"mpi4py has loaded {library.version}{where}, not Open MPI", advice)
    if launched is None:
        return error(f"mpi4py has loaded {own[0]}{where}, but mpirun is not of Open MPI", advice)
    if own[2] != launched[1]:
        found = f"mpi4py has loaded {own[0]}{where}, mpirun is {_number(launched[0])}"
        return error(f"{found}: each rank would be alone", advice)
    if own[1] != _number(launched[0]).removeprefix("Open MPI "):
        return warning(f"mpi4py has loaded {own[0]}, mpirun is {_number(launched[0])}", advice)
    return ok(f"mpi4py and mpirun agree: Open MPI {own[1]}{where}")


def check_threads(probes: Probes) -> Verdict:
    """Which thread level MPI grants.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    if probes.around.trial_ranks:
        for job in probes.trial.all(Job):
            if job.threads == "single":
                return warning(
                    "granted: single, although ranks have threads of their own",
                    "use an Open MPI that was built with threads",
                )
            return ok(f"granted: {job.threads}")
    build = probes.mpi_build
    if build.code != 0:
        return warning(f"cannot be told: {build.why}", "try it: qmpi doctor --mpi")
    has = re.search(r"MPI_THREAD_MULTIPLE: *yes", build.out) is not None
    return ok(f"MPI_THREAD_MULTIPLE is {'' if has else 'not '}built in; qmpi calls MPI from one")


def _first(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "nothing")


def _number(version: str) -> str:
    return "Open MPI " + version.rpartition(" ")[2]
