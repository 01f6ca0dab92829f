"""Ask what host names stand for: `python -m qmpi.doctor.programs.names NAME [NAME...]`.

The first name is this machine's own: one of its addresses must be of this machine, and a connection
to it must come in. A process of its own, because a name server that does not answer takes its time.
"""

import socket
import sys

from qmpi.doctor.programs.lines import Named, tell

CONNECT_SECONDS = 2.0


def resolve(name: str) -> Named:
    """Ask for the addresses of a name.

    Args:
        name: of a host.

    Returns:
        Its addresses, or why there are none.
    """
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else str(problem)
        return Named(name, (), fault=why or str(problem))
    return Named(name, tuple(dict.fromkeys(str(entry[4][0]) for entry in found)))


def own_address(named: Named) -> Named:
    """Look whether a name leads back to this machine.

    Args:
        named: with its addresses.

    Returns:
        The same, with the address that is of this machine.
    """
    for address in named.addresses:
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(kind, socket.SOCK_STREAM) as door:
            try:
                door.bind((address, 0))
            except OSError:
                continue  # not of this machine
            return Named(named.name, named.addresses, address, _comes_in(door, kind))
    return named


def _comes_in(door: socket.socket, kind: int) -> bool:
    door.listen(1)
    try:
        with socket.socket(kind, socket.SOCK_STREAM) as guest:
            guest.settimeout(CONNECT_SECONDS)
            guest.connect(door.getsockname())
    except OSError:
        return False
    return True


def main(names: list[str]) -> None:
    """Ask for each.

    Args:
        names: this machine's own first.
    """
    for place, name in enumerate(names):
        found = resolve(name)
        tell(own_address(found) if place == 0 else found)


if __name__ == "__main__":
    main(sys.argv[1:])
