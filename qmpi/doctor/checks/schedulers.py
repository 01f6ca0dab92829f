"""Which batch system is at hand, and whether this is inside one of its jobs."""

from qmpi.doctor.finding import Verdict, ok, warning
from qmpi.doctor.probes import Probes

COMMANDS = {
    "Slurm": ("sbatch", "SLURM_JOB_ID"),
    "PBS": ("qsub", "PBS_JOBID"),
    "LSF": ("bsub", "LSB_JOBID"),
    "Flux": ("flux", "FLUX_JOB_ID"),
}


def check_scheduler(probes: Probes) -> Verdict:
    """Look for a batch system.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    around = probes.around
    there = [name for name, (command, _) in COMMANDS.items() if around.find(command)]
    inside = [name for name, (_, variable) in COMMANDS.items() if around.environ.get(variable)]
    if "Slurm" in inside and around.find("srun") is None:
        return warning(
            "inside a job of Slurm, but without srun, by which mpirun starts its daemons",
            "add Slurm's commands to PATH",
        )
    if inside:
        name = inside[0]
        return ok(f"inside job {around.environ[COMMANDS[name][1]]} of {name}")
    return ok(f"{', '.join(there)}; not inside a job" if there else "none; ranks start here")
