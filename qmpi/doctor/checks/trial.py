"""What a real start of ranks shows; only with --mpi."""

from collections import Counter
from statistics import median

from qmpi.doctor.amounts import duration, plural
from qmpi.doctor.checks.launcher import INSTALL
from qmpi.doctor.finding import Verdict, error, ok, warning
from qmpi.doctor.probes import Probes
from qmpi.doctor.programs.lines import Death, Job, RankStart

NOT_TRIED = "not tried; qmpi doctor --mpi -n 4 starts ranks"
SLOW_DEATH = 5.0
SKEW_WARNING = 1.0
SKEW_ERROR = 60.0
SLOW_INIT = 5.0
PACK = "each rank opens these files; put them on each host's own disk with `qmpi pack`"


def check_start(probes: Probes) -> Verdict:
    """How long ranks take to come up, and for what.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    number = probes.around.trial_ranks
    if not number:
        return ok(NOT_TRIED)
    answer, ranks = probes.trial.answer, probes.trial.all(RankStart)
    if len(ranks) < number:
        return error(
            f"{len(ranks)} of {plural(number, 'rank')} came up: {answer.whole or answer.why}",
            "look at ULFM, MPI library, host name and open files first: they are the usual causes",
        )
    job = probes.trial.pick(Job)
    if job.ranks != number:
        return error(
            f"each rank was alone: MPI sees {plural(job.ranks, 'rank')} of {number}", INSTALL
        )
    hosts = Counter(one.host for one in ranks)
    where = ", ".join(f"{count} on {host}" for host, count in hosts.items())
    shares = (
        ("Python", [one.python for one in ranks]),
        ("imports", [one.imports for one in ranks]),
        ("MPI_Init", [one.init for one in ranks]),
        ("first message", [one.message for one in ranks]),
    )
    each = ", ".join(
        f"{what} {duration(median(times))} (worst {duration(max(times))})" for what, times in shares
    )
    whole = f"{plural(number, 'rank')} ({where}) came and went"
    found = f"{whole} in {duration(answer.seconds)}; {each}"
    init, imports = max(shares[2][1]), max(shares[1][1])
    if imports > max(SLOW_INIT, init):
        return warning(found, PACK)
    if init > SLOW_INIT + number / 16:
        return warning(found, "look at the network: which interfaces do the hosts have in common?")
    return ok(found)


def check_death(probes: Probes) -> Verdict:
    """Whether the death of a rank is told to the others.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    number = probes.around.trial_ranks
    if number < 2:
        return ok(NOT_TRIED if not number else "not tried; it takes two ranks at least: -n 4")
    deaths = probes.trial.all(Death)
    if not deaths:
        if len(probes.trial.all(RankStart)) < number:
            return warning(f"not tried: {probes.trial.answer.why}", "mend the start first")
        return error(
            f"a rank was killed, and the job ended with it: {probes.trial.answer.why}", INSTALL
        )
    death = deaths[0]
    told = f"{death.told} of {plural(death.survivors, 'other')}"
    if death.told < death.survivors:
        return error(f"rank {death.rank} was killed; {told} heard of it", INSTALL)
    found = f"rank {death.rank} was killed; {told} heard of it within {duration(death.seconds)}"
    if death.seconds > SLOW_DEATH:
        return warning(found, "is the machine overloaded? Healing takes that much longer")
    return ok(found)


def check_clocks(probes: Probes) -> Verdict:
    """How far the clocks of the hosts are apart.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    if not probes.around.trial_ranks:
        return ok(NOT_TRIED)
    ranks = probes.trial.all(RankStart)
    if not ranks:
        return warning(f"not measured: {probes.trial.answer.why}", "mend the start first")
    hosts = {one.host for one in ranks}
    if len(hosts) == 1:
        return ok("one host, one clock")
    worst = max(ranks, key=lambda one: abs(one.skew))
    found = f"{plural(len(hosts), 'host')}; {worst.host} is {duration(abs(worst.skew))} off"
    advice = "let the hosts keep time (chronyd or ntpd); records and waits are compared by it"
    if abs(worst.skew) > SKEW_ERROR:
        return error(found, advice)
    return warning(found, advice) if abs(worst.skew) > SKEW_WARNING else ok(found)


def check_shared(probes: Probes) -> Verdict:
    """Whether all hosts see one run directory, and its locks.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    if not probes.around.trial_ranks:
        return ok(NOT_TRIED)
    ranks = probes.trial.all(RankStart)
    if not ranks:
        return warning(f"not looked at: {probes.trial.answer.why}", "mend the start first")
    hosts = {one.host for one in ranks}
    if len(hosts) == 1:
        return ok("one host")
    faults = {one.host: one.shared for one in ranks if one.shared}
    if faults:
        host, fault = next(iter(faults.items()))
        return error(
            f"{plural(len(faults), 'host')} of {len(hosts)}; {host}: {fault}",
            "put the run directory (--dir, job.run_dir) on a file system that all hosts mount, "
            "with locks (Lustre: mount option flock)",
        )
    return ok(f"{len(hosts)} hosts see the same files and the same locks")
