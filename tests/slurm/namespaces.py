"""Hosts that are namespaces of this machine: each like a machine of its own, gone without a trace.

Theory of operation. A host is a set of namespaces with a first process: processes, network, host
name, IPC and mounts, with /dev/shm and /proc of its own. Whatever runs in it ends when the first
process ends: the kernel sees to it, and takes network and RAM files along. So to crash a host is
one SIGKILL. `unshare`, its anchor outside, ends with the process that made it, also when that one
is killed, and takes the first process along, so nothing can be left behind.

The first host holds a bridge, every other host one cable to it. No address is known outside, no
packet leaves. Files are shared by all, as on a parallel file system.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

BOOT_SECONDS = 10.0

FIRST_PROCESS = "sleep"

# The first process of a host must let go of those that were left to it, else they stay as zombies.
BOOT = f"""
hostname "$1"
mount -t tmpfs -o size="$2" tmpfs /dev/shm
mount --bind "$3" /etc/hosts
ip link set lo up
exec env --ignore-signal=CHLD {FIRST_PROCESS} infinity
"""

UNSHARE = ("unshare", "--net", "--uts", "--ipc", "--mount", "--pid", "--fork", "--kill-child")


class HostDownError(Exception):
    """A host does not run, or did not come up."""


class Namespaces:
    """Hosts on one bridge. The first is the head: it never goes down."""

    def __init__(self, folder: Path, names: Sequence[str], ram: str = "2g") -> None:
        """Start nothing yet.

        Args:
            folder: existing folder for the table of hosts; all hosts see it.
            names: of the hosts, at most 8 letters each; the first is the head.
            ram: size of each /dev/shm, as mount takes it.
        """
        self._names = list(names)
        self._ram = ram
        self._table = folder / "hosts"
        self._anchors: dict[str, subprocess.Popen[bytes]] = {}
        self._firsts: dict[str, int] = {}

    def __enter__(self) -> Self:
        lines = ["127.0.0.1 localhost", *(f"{self.address(n)} {n}" for n in self._names)]
        self._table.write_text("\n".join(lines) + "\n")
        try:
            for name in self._names:
                self.boot(name)
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    def address(self, name: str) -> str:
        """Return the address of a host; it means nothing outside.

        Args:
            name: of the host.
        """
        return f"10.78.0.{1 + self._names.index(name)}"

    def boot(self, name: str) -> None:
        """Start a host that does not run.

        Args:
            name: of the host.

        Raises:
            HostDownError: it does not come up; says what it said.
        """
        boot = ("sh", "-e", "-c", BOOT, "boot", name, self._ram, str(self._table))
        anchor = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *UNSHARE, "--mount-proc", *boot],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for whoever takes the hosts down in order
        )
        self._anchors[name] = anchor
        self._firsts[name] = _first_process(anchor)
        head = self._names[0]
        network = f"{self.address(name)}/24"
        if name == head:
            self._ip(head, "link", "add", "bridge", "type", "bridge")
            self._ip(head, "link", "set", "bridge", "up")
            self._ip(head, "address", "add", network, "dev", "bridge")
            return
        cable, first = self._cable(name), str(self._firsts[name])
        peer = ("peer", "name", "eth0", "netns", first)
        self._ip(head, "link", "add", cable, "type", "veth", *peer)
        self._ip(head, "link", "set", cable, "master", "bridge", "up")
        self._ip(name, "address", "add", network, "dev", "eth0")
        self._ip(name, "link", "set", "eth0", "up")

    def crash(self, name: str, *, silently: bool = False) -> None:
        """End every process of a host at once.

        Args:
            name: of the host.
            silently: cut its cable first, so that no packet tells of its end.
        """
        if silently:
            self._ip(self._names[0], "link", "set", self._cable(name), "down")
        anchor = self._anchors.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._firsts.pop(name), signal.SIGKILL)
        anchor.communicate()  # not killed: it has to take note of the end of the first process
        if name != self._names[0]:
            # The kernel takes it along, but some time later: too late for a host that boots again.
            with contextlib.suppress(HostDownError):
                self._ip(self._names[0], "link", "delete", self._cable(name))

    def down(self) -> None:
        """Take down every host."""
        for name in reversed([*self._anchors]):
            if name in self._firsts:
                self.crash(name)
            else:
                anchor = self._anchors.pop(name)
                anchor.kill()
                anchor.communicate()

    def is_up(self, name: str) -> bool:
        """Return whether a host runs.

        Args:
            name: of the host.
        """
        return name in self._anchors

    def inside(self, name: str, command: Sequence[str]) -> list[str]:
        """Return the command line that runs a command in a host.

        Args:
            name: of the host.
            command: arguments; the working directory stays.

        Returns:
            Arguments.

        Raises:
            HostDownError: it does not run.
        """
        if name not in self._firsts:
            raise HostDownError(f"{name} does not run")
        spaces = ("--net", "--uts", "--ipc", "--mount", "--pid")
        return ["nsenter", "--target", str(self._firsts[name]), *spaces, "--wdns=.", *command]

    def run(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a host to its end.

        Args:
            name: of the host.
            command: arguments.
            environment: whole environment; None: that of this process.
            timeout: seconds.

        Returns:
            What it said.
        """
        return subprocess.run(
            self.inside(name, command),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=environment,
        )

    def processes(self, name: str) -> list[str]:
        """List the command lines of a host, but for its first process.

        Args:
            name: of the host.

        Returns:
            One line a process.
        """
        listed = self.run(name, ["ps", "-eo", "pid=,args="]).stdout.splitlines()
        commands = [line.split(maxsplit=1) for line in listed]
        return [args for pid, args in commands if pid != "1" and not args.startswith("ps -eo")]

    def _cable(self, name: str) -> str:
        return f"port{self._names.index(name)}"

    def _ip(self, name: str, *arguments: str) -> None:
        # The host's own namespaces of processes and mounts stay out: pids are meant as seen here.
        target = str(self._firsts[name])
        command = ["nsenter", "--target", target, "--net", "ip", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            raise HostDownError(f"ip {' '.join(arguments)} in {name}: {done.stderr.strip()}")


def _first_process(anchor: subprocess.Popen[bytes]) -> int:
    """Wait until the host of an anchor is there.

    Returns:
        Its first process, as seen from outside.

    Raises:
        HostDownError: it did not come up.
    """
    children = Path(f"/proc/{anchor.pid}/task/{anchor.pid}/children")
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline and anchor.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            first = int(children.read_text())
            command = Path(f"/proc/{first}/cmdline").read_bytes().split(b"\0")
            if command[0] == FIRST_PROCESS.encode():
                return first
        time.sleep(0.01)
    anchor.kill()
    _, said = anchor.communicate()
    raise HostDownError(f"no namespaces: {said.decode(errors='replace').strip() or 'no answer'}")
