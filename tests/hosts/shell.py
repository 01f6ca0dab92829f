"""Runs a command on a pretend host: what ssh is to a real one.

    python -I -S shell.py ssh BASE [OPTIONS] HOST COMMAND...    a clean environment and a shell
    python -I -S shell.py run BASE HOST ARGV...                 this environment, no shell

Theory of operation. As with ssh it lives as long as the command, and tells its exit code. A host
that is dark (BASE/NAME.dark) sends no packet that would tell anybody, so whoever speaks to it waits
until it is back; a host without a first process refuses at once.
"""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

LOOK_SECONDS = 0.1
NO_ROUTE = 255
WITH_VALUE = {"-o", "-p", "-i", "-l", "-F", "-J"}


def wait_while_dark(base: Path, *names: str) -> None:
    """Return once none of the hosts is cut off."""
    while any((base / f"{name}.dark").exists() for name in names):
        time.sleep(LOOK_SECONDS)


def ask(base: Path, name: str, argv: list[str], environment: dict[str, str], cwd: str) -> int:
    """Run a command on a host and return its exit code."""
    console = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        console.connect(str(base / f"{name}.sock"))
        request = json.dumps({"argv": argv, "env": environment, "cwd": cwd}).encode()
        console.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        socket.send_fds(console, [request], [0, 1, 2])
    except OSError as error:
        sys.stderr.write(f"{name}: no route to host ({error})\n")
        return NO_ROUTE

    def passed_on(number: int, _: object) -> None:
        console.send(str(number).encode())

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, passed_on)
    try:
        answer = console.recv(16)
    except OSError:
        answer = b""
    return int(answer) if answer else NO_ROUTE


def main() -> int:
    """Run the command."""
    how, base, rest = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    if how == "run":
        return ask(base, rest[0], rest[1:], dict(os.environ), str(Path.cwd()))
    while rest and rest[0].startswith("-"):
        rest = rest[2:] if rest[0] in WITH_VALUE else rest[1:]
    name, command = rest[0].rpartition("@")[2], " ".join(rest[1:])
    own = socket.gethostname()
    around = () if name == own else (name, own)
    wait_while_dark(base, *around)
    clean = {"HOME": os.environ["HOME"], "USER": "root", "PATH": os.environ["PATH"]}
    clean["TMPDIR"] = str(base / "local")
    code = ask(base, name, ["/bin/sh", "-c", command], clean, "/")
    if code == NO_ROUTE:
        wait_while_dark(base, *around)
    return code


sys.exit(main())
