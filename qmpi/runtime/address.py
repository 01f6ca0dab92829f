"""The address under which the trainers of other hosts reach this one.

Theory of operation. Trainers connect to each other besides MPI. On one host they use the loopback,
so that a laptop without a network, or behind a firewall, trains all the same. Among several, the
host's own name is a bad guess: it often stands for the loopback, or for a slow management network.
The kernel knows better: it is asked which of its addresses it would use to reach another host of
the job; that sends no packet. Who knows best is the user, with GLOO_SOCKET_IFNAME.
"""

import fcntl
import ipaddress
import logging
import socket
import struct
from collections.abc import Mapping, Sequence

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
ANY_PORT = 9
"""Nothing is sent there."""

GET_ADDRESS = 0x8915
"""SIOCGIFADDR of Linux."""


def reachable_address(hosts: Sequence[str], rank: int, environ: Mapping[str, str]) -> str:
    """Return an address of this host for the trainers of all hosts.

    Args:
        hosts: host of each rank.
        rank: this rank.
        environ: environment of the process; GLOO_SOCKET_IFNAME may name interfaces.

    Returns:
        A numeric address; this host's name if none is found.
    """
    names = environ.get("GLOO_SOCKET_IFNAME", "").split(",")
    named = [found for name in names if (found := _of_interface(name.strip()))]
    alone = len(set(hosts)) == 1
    usable = [found for found in named if alone or not _is_loopback(found)]
    if usable:
        return usable[0]
    if alone:
        return LOOPBACK
    own = hosts[rank]
    # All ask for the way to rank 0's host, so that all find the same network.
    peer = hosts[0] if hosts[0] != own else next(host for host in hosts if host != own)
    return _towards(peer) or own


def _towards(peer: str) -> str:
    try:
        ways = socket.getaddrinfo(peer, ANY_PORT, type=socket.SOCK_DGRAM)
    except OSError as error:
        logger.warning("the address of host %s is not known here: %s", peer, error)
        return ""
    for family, kind, protocol, _, address in ways:
        with socket.socket(family, kind, protocol) as probe:
            try:
                probe.connect(address)
            except OSError:
                continue
            found = str(probe.getsockname()[0])
        if not _is_loopback(found):
            return found
    return ""


def _of_interface(name: str) -> str:
    if not name:
        return ""
    request = struct.pack("256s", name.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe.fileno(), GET_ADDRESS, request)
        except OSError:
            return ""
    return socket.inet_ntoa(answer[20:24])


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
