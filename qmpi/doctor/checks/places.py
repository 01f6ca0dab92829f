"""Host names, and the folders that a user has everywhere."""

from pathlib import Path

from qmpi.doctor.amounts import plural
from qmpi.doctor.finding import Verdict, error, ok, warning
from qmpi.doctor.mounts import mount_of
from qmpi.doctor.probes import Probes
from qmpi.doctor.programs.lines import Named
from qmpi.launch.mpirun import shielded_daemon


def check_host_name(probes: Probes) -> Verdict:
    """Whether the name of this machine leads back to it.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    around = probes.around
    own = probes.names.pick(Named, lambda one: one.name == around.host)
    worse = error if len(around.hosts) > 1 else warning
    mend = (
        f"correct it: hostname NAME, or a line `127.0.1.1 {around.host}` in /etc/hosts (with "
        "several hosts its address in their network)"
    )
    if own.fault:
        found = f"wrong host name: {around.host!r} does not resolve ({own.fault})"
        return worse(f"{found}; other hosts cannot call this one", mend)
    listed = ", ".join(own.addresses)
    if not own.own:
        return error(
            f"wrong host name: {around.host!r} is {listed}, which is not of this machine; its "
            "peers would call another",
            mend,
        )
    if not own.reached:
        return error(
            f"{around.host} is {own.own}, but a connection to it does not come in",
            "open the firewall for connections of this machine to itself",
        )
    if len(around.hosts) > 1 and all(_is_loop(one) for one in own.addresses):
        return warning(
            f"{around.host} is {listed}, which other hosts take for themselves",
            "give the name an address of the network in /etc/hosts",
        )
    return ok(f"{around.host} is {own.own}, reached")


def check_hosts(probes: Probes) -> Verdict:
    """Whether the names of the job's hosts resolve.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    hosts = probes.around.hosts
    if not hosts:
        return ok("this one; name others by --hosts or --hostfile")
    lost = [one for one in probes.names.all(Named) if one.fault and one.name in hosts]
    if lost:
        names = ", ".join(one.name for one in lost[:5])
        return error(
            f"{plural(len(lost), 'name')} of {len(hosts)} {'does' if len(lost) == 1 else 'do'} not "
            f"resolve: {names} ({lost[0].fault})",
            "correct the names, or add them to /etc/hosts on every host",
        )
    if len(probes.names.all(Named)) < len(set(hosts)):
        return warning(
            f"not all names were looked up: {probes.names.answer.why}",
            "is the name server slow? Put the names into /etc/hosts",
        )
    if len(set(hosts)) > 1 and not shielded_daemon(probes.around.python):
        return warning(
            f"{plural(len(hosts), 'name')}, all resolve; but mpirun cannot shield its daemons "
            f"there: the path of {probes.around.python} or of qmpi has a space or a sign of the "
            "shell, and a signal of the batch system to all processes would end the job at once",
            "install qmpi at a path of letters, digits and _ @ % + = : , . / - alone",
        )
    return ok(f"{plural(len(hosts), 'name')}, all resolve")


def check_home(probes: Probes) -> Verdict:
    """Whether the home directory can be written.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    home = probes.around.home
    fault = probes.takes_files(home).fault  # first: a dead file system hangs whoever looks
    if not home.is_dir():
        return warning(
            f"{home} is not there", "export HOME to a folder of yours; mpirun looks for it"
        )
    if fault:
        return warning(
            f"{home} cannot be written: {fault}",
            "export HOME, or QMPI_CACHE alone, to a folder that can be",
        )
    return ok(f"{home} can be written")


def check_cache(probes: Probes) -> Verdict:
    """Whether made corpora and tokenizers can be kept.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    cache = probes.around.cache
    fault = probes.takes_files(cache).fault
    mend = "export QMPI_CACHE to a folder that can be written and that all hosts see"
    if not fault:
        return ok(f"{cache} can be written")
    if any(cache.glob("builtin-*")):
        return warning(f"{cache} cannot be written: {fault}; what it holds can be used", mend)
    return error(f"{cache} cannot be written: {fault}", mend)


def check_temporary(probes: Probes) -> Verdict:
    """Whether temporary files can be made, and on this machine.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    around = probes.around
    named = around.environ.get("TMPDIR") or "/tmp"
    fault = probes.takes_files(Path(named)).fault
    if fault:
        return error(f"{named} cannot be written: {fault}", "export TMPDIR to a local folder")
    mount = mount_of(Path(named), around.text("proc/self/mountinfo"))
    if mount is not None and mount.is_network:
        return warning(
            f"{named} lies on {mount.kind}: sockets and shared memory of MPI may not work there",
            "export TMPDIR to a folder on a local disk or in memory",
        )
    return ok(f"{named} can be written")


def _is_loop(address: str) -> bool:
    return address.startswith("127.") or address == "::1"
