"""What is known of the hosts of an allocation; plain values."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from qmpi.units import Seconds

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class HostSlots(Struct, frozen=True):
    """A host and the ranks on it.

    Attributes:
        name: as the batch system spells it, which is how mpirun must be told.
        slots: ranks; in an allocation 0 says that nobody asked for a number.
    """

    name: str
    slots: int


class Around(Struct, frozen=True):
    """What may be looked at to find an allocation; arguments, so that tests need no batch system.

    Attributes:
        environ: environment of the process.
        read: text of a file; raises OSError.
        run: what a command prints; "" if it cannot be run or fails.
        here: name of this machine.
        now: seconds since the epoch.
    """

    environ: Mapping[str, str]
    read: Callable[[str], str]
    run: Callable[[Sequence[str]], str]
    here: str
    now: Seconds


class Allocation(Struct, frozen=True, kw_only=True):
    """The hosts that a job may use.

    Attributes:
        scheduler: "slurm", "pbs", "lsf", "flux", "gridengine" or "hostfile"; "": this machine
            alone.
        hosts: in the order of the batch system; at least one.
        why: what was read, in words.
        job: the batch system's name of the job.
        here: name of this machine among the hosts; "" if it is none of them.
        end: when the batch system will end the job; None: not known.
    """

    scheduler: str
    hosts: tuple[HostSlots, ...]
    why: str
    here: str = ""
    job: str = ""
    end: Seconds | None = None

    @property
    def is_single(self) -> bool:
        """Whether this machine is all there is."""
        return len(self.hosts) == 1 and self.hosts[0].name == self.here


def name_here(names: Sequence[str], here: str, aliases: Sequence[str] = ()) -> str:
    """Return how a list of hosts spells this machine.

    Args:
        names: of hosts.
        here: what this machine calls itself, with or without its domain.
        aliases: what else it is called.

    Returns:
        One of `names`; "" if this machine is not among them.
    """
    own = {here, *aliases} - {""}
    shorts = {short(name) for name in own}
    for alike in (own.__contains__, lambda name: short(name) in shorts, LOCAL_NAMES.__contains__):
        for name in names:
            if alike(name):
                return name
    return ""


def short(name: str) -> str:
    """Return a host's name without its domain.

    Args:
        name: of a host; an address stays whole.
    """
    return name if name.replace(".", "").isdigit() else name.partition(".")[0]
