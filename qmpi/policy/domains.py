"""Failure domains: which hosts fail together, so that copies of a state lie apart.

Theory of operation. A domain has a name. The job file may give a regular expression over host names
(a rack or cabinet is often part of the name); else the scheduler may tell where a host hangs in the
network, and all below one leaf switch are a domain; else each host is a domain of its own. A wrong
guess costs safety only, never correctness.
"""

import re
from collections.abc import Collection, Sequence


def domain_of(host: str, pattern: str, address: str = "") -> str:
    """Return the failure domain of a host.

    Args:
        host: its name.
        pattern: regular expression whose first group, or else whole match, is the domain; "": none.
        address: where the scheduler says that the host hangs, from the root of the network down, as
            Slurm's SLURM_TOPOLOGY_ADDR "spine.leaf3.node17"; of another host, or "", it says
            nothing.

    Returns:
        The domain; the host itself where nothing else is known.
    """
    if pattern:
        found = re.search(pattern, host)
        named = found[1] if found is not None and found.re.groups else found and found[0]
        return named or host
    above, _, leaf = address.rpartition(".")
    short = host.partition(".")[0]
    return above if above and leaf in {host, short} else host


def keeping_team(teams: Sequence[Sequence[str]], usual: int, replicas: Collection[str]) -> int:
    """Choose the team that keeps copies of the state in its own RAM.

    Args:
        teams: failure domain of each rank, team by team.
        usual: the team that does so unless another serves better.
        replicas: failure domains of the live replicas, which hold the other copy.

    Returns:
        The usual team if each of its ranks has a replica in another domain than its own; else the
        first team that is so, so that no domain takes both copies along; else the usual team.
    """

    def lies_apart(number: int) -> bool:
        return all(any(other != own for other in replicas) for own in teams[number])

    order = (usual, *range(len(teams)))
    return next((number for number in order if lies_apart(number)), usual)
