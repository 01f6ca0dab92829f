"""Settings of MPI that the environment or the user's files bring along.

Theory of operation. `qmpi train` gives its own flags, which win; a start by hand has what stands
here. So what the flags mend is a warning, what they do not is an error if it breaks a start.
"""

from collections.abc import Mapping
from pathlib import Path

from qmpi.doctor.finding import Verdict, error, ok, warning
from qmpi.doctor.probes import Probes

PREFIXES = ("OMPI_MCA_", "PRTE_MCA_", "PMIX_MCA_")
FILES = (".openmpi/mca-params.conf", ".prte/mca-params.conf", ".pmix/mca-params.conf")
SHORT_KEEPALIVE = 60
FALSE = {"0", "false", "no", "f", "n"}


def check_settings(probes: Probes) -> Verdict:
    """Which MCA parameters are set, and which of them hurt.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    around = probes.around
    values = settings_of(around.environ, around.home)
    if not values:
        return ok("none from outside; qmpi's own flags hold")
    interfaces = {path.name for path in (around.root / "sys/class/net").glob("*")}
    broken = [text for name, value in values.items() if (text := breaks(name, value, interfaces))]
    hurting = [text for name, value in values.items() if (text := hurts(name, value))]
    listed = ", ".join(f"{name}={value}" for name, value in sorted(values.items()))
    advice = "unset it in the environment, or remove it from the file mca-params.conf"
    if broken:
        return error("; ".join(broken), advice)
    if hurting:
        return warning("; ".join(hurting), f"{advice}; qmpi train overrides what its flags name")
    return ok(f"from outside: {listed}")


def settings_of(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """Collect MCA parameters.

    Args:
        environ: environment; wins.
        home: of the user, with his files.

    Returns:
        Value by name without its prefix.
    """
    found: dict[str, str] = {}
    for name in FILES:
        try:
            lines = (home / name).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        pairs = (line.split("#")[0].partition("=") for line in lines)
        found |= {key.strip(): value.strip() for key, sign, value in pairs if sign}
    for prefix in PREFIXES:
        found |= {
            name.removeprefix(prefix): value
            for name, value in environ.items()
            if name.startswith(prefix)
        }
    return found


def breaks(name: str, value: str, interfaces: set[str]) -> str:
    """Say what a parameter breaks whatever flags there are.

    Args:
        name: of the parameter.
        value: as set.
        interfaces: of the network of this machine.

    Returns:
        What, in words; "" if nothing.
    """
    if name in {"btl_tcp_if_include", "oob_tcp_if_include", "prte_if_include"} and interfaces:
        wanted = [one.strip() for one in value.split(",") if one.strip() and "/" not in one]
        missing = [one for one in wanted if one not in interfaces]
        if missing and len(missing) == len(value.split(",")):
            there = " ".join(sorted(interfaces))
            return f"{name}={value}: this machine has no such interface, but {there}"
    return ""


def hurts(name: str, value: str) -> str:
    """Say what a parameter does to a job that is started without qmpi's flags.

    Args:
        name: of the parameter.
        value: as set.

    Returns:
        What, in words; "" if nothing.
    """
    listed = {one.strip() for one in value.removeprefix("^").split(",")}
    excludes = value.startswith("^")
    what = ""
    if name == "coll" and ("han" in listed) != excludes:
        what = "coll/han is not fault tolerant and crashes survivors"
    elif name == "pml" and ("ob1" in listed) == excludes:
        what = "only pml ob1 is fault tolerant"
    elif name == "mtl" and not excludes:
        what = "no MTL is fault tolerant"
    elif name == "btl" and ("tcp" in listed) == excludes:
        what = "without btl tcp, ranks of two hosts do not meet"
    elif name == "mpi_ft_enable" and value.lower() in FALSE:
        what = "it switches the news of dead ranks off"
    elif name == "mpi_yield_when_idle" and value.lower() in FALSE:
        what = "ranks that wait take a core each"
    elif name == "oob_tcp_keepalive_time" and value.isdecimal():
        what = "a short break of a link ends the job" if 0 < int(value) < SHORT_KEEPALIVE else ""
    return f"{name}={value}: {what}" if what else ""
