"""Several pretend hosts on one machine, so that whole hosts can be lost. Needs root and `ip`.

Theory of operation. A host is a set of namespaces: network, host name, IPC, mounts and processes,
with a /dev/shm and a TMPDIR of its own; its process numbers mean nothing on another host. Each has
one link to a bridge that lies in a network namespace too, so nothing is added to the machine's own
network and no address is reachable from outside. The rest of the file system is shared, as on a
cluster.

A network namespace lives as long as the `sleep` that holds it, a host as long as its first process
(`first_process.py`). All of these are children of this process and are killed by the kernel when it
ends, however it ends, and everything on a host dies with its first process. So nothing is left
behind but the folder of the sockets, which is in the test's own temporary folder.

A cut takes the link's port off the bridge: packets vanish, nobody is told. `lose` kills the first
process: the kernel closes the connections of the dead, so others are told. `power_off` cuts first.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).parent
PYTHON = (sys.executable, "-I", "-S")
NET = "10.77.0"
START_SECONDS = 10.0
LOOK_SECONDS = 0.01


def missing() -> str:
    """Say in words why there can be no pretend hosts here; "" if there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "pretend hosts need root on Linux"
    for tool in ("ip", "unshare", "nsenter", "setpriv", "mount", "sleep"):
        if shutil.which(tool) is None:
            return f"pretend hosts need the program {tool}"
    tried = subprocess.run(
        [*_spaces(), "true"], capture_output=True, text=True, timeout=20, check=False
    )
    return "" if tried.returncode == 0 else f"no namespaces here: {tried.stderr.strip()}"


class PretendHosts:
    """Hosts h0, h1, ... between entry and exit.

    Attributes:
        names: of the hosts.
        agent: program that stands for ssh: AGENT HOST COMMAND.
    """

    def __init__(self, number: int, base: Path, *, retries: int = 0) -> None:
        """Make none yet.

        Args:
            number: of hosts.
            base: new folder for sockets; its path must be short.
            retries: tcp_retries2 of every host, after which a silent peer is given up; 0: as usual.
        """
        self.names = tuple(f"h{index}" for index in range(number))
        self.base = base
        self.agent = base / "agent"
        self._retries = retries
        self._stack = ExitStack()
        self._nets: dict[str, subprocess.Popen[bytes]] = {}
        self._hosts: dict[str, subprocess.Popen[bytes]] = {}
        self._ended: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self._down)
            self._up()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    # --- commands ---------------------------------------------------------------------------------

    def popen(
        self,
        host: str,
        argv: Sequence[str | Path],
        environ: Mapping[str, str] | None = None,
        **options: Any,
    ) -> "subprocess.Popen[str]":
        """Start a command on a host.

        Args:
            host: its name.
            argv: arguments, the first a program.
            environ: its environment; None: that of this process with the host's TMPDIR.
            options: of `subprocess.Popen`.

        Returns:
            A process that lives as long as the command, passes signals on and has its exit code.
        """
        environment = {**(os.environ if environ is None else environ)}
        environment["TMPDIR"] = str(self.base / "local")
        command = [*PYTHON, str(HERE / "shell.py"), "run", str(self.base), host, *map(str, argv)]
        return subprocess.Popen(command, env=environment, text=True, **options)

    def run(
        self, host: str, *argv: str | Path, timeout: float = 60.0, **options: Any
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command on a host to its end.

        Args:
            host: its name.
            argv: arguments.
            timeout: seconds; it is killed then, by the loss of nobody who would read its output.
            options: as in `popen`.

        Returns:
            What it said.
        """
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        with self.popen(host, argv, **pipes) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(list(argv), process.returncode, out, err)

    def host_list(self, slots: int) -> str:
        """Return the hosts as `mpirun --host` takes them.

        Args:
            slots: ranks of a host.
        """
        return ",".join(f"{name}:{slots}" for name in self.names)

    def host_file(self, slots: int) -> Path:
        """Return a hostfile of all hosts.

        Args:
            slots: ranks of a host.
        """
        path = self.base / f"hosts-{slots}"
        path.write_text("".join(f"{name} slots={slots}\n" for name in self.names))
        return path

    # --- faults -----------------------------------------------------------------------------------

    def lose(self, host: str) -> None:
        """Kill every process of a host at once; the others are told by their connections."""
        process = self._hosts.pop(host)
        os.kill(_child(process), signal.SIGKILL)
        process.wait(START_SECONDS)

    def cut(self, host: str) -> None:
        """Let a host's packets vanish, both ways."""
        (self.base / f"{host}.dark").touch()
        self._ip("switch", "link", "set", f"p-{host}", "nomaster")

    def heal(self, host: str) -> None:
        """Undo a cut."""
        self._ip("switch", "link", "set", f"p-{host}", "master", "br0")
        (self.base / f"{host}.dark").unlink(missing_ok=True)

    def power_off(self, host: str) -> None:
        """Lose a host of whose end no packet tells."""
        self.cut(host)
        self.lose(host)

    def boot(self, host: str) -> None:
        """Start a lost host again, with empty RAM and its link healed."""
        self.heal(host)
        self._boot(host)

    def processes(self, host: str) -> list[int]:
        """Return the processes of a host but its first, by their numbers outside it."""
        if host not in self._hosts:
            return []
        space = os.readlink(f"/proc/{_child(self._hosts[host])}/ns/pid")
        first = _child(self._hosts[host])
        return [pid for pid in _all() if pid != first and _link(pid) == space]

    # --- up and down ------------------------------------------------------------------------------

    def _up(self) -> None:
        (self.base / "local").mkdir(parents=True)
        names = "".join(f"{NET}.{index + 1} {name}\n" for index, name in enumerate(self.names))
        (self.base / "names").write_text(f"127.0.0.1 localhost\n{names}")
        shell = shlex.join([*PYTHON, str(HERE / "shell.py"), "ssh", str(self.base)])
        self.agent.write_text(f'#!/bin/sh\nexec {shell} "$@"\n')
        self.agent.chmod(0o755)
        self._net("switch")
        self._ip("switch", "link", "add", "br0", "type", "bridge")
        self._ip("switch", "link", "set", "br0", "up")
        for index, name in enumerate(self.names):
            self._net(name)
            self._wire(name, f"{NET}.{index + 1}/24")
            self._boot(name)

    def _net(self, name: str) -> None:
        command = [*_mortal(), "unshare", "--net", "sleep", "infinity"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._nets[name] = process
        own = os.readlink("/proc/self/ns/net")
        _await(lambda: os.readlink(f"/proc/{process.pid}/ns/net") != own, name)
        _await(lambda: b"infinity" in Path(f"/proc/{process.pid}/cmdline").read_bytes(), name)

    def _wire(self, name: str, address: str) -> None:
        host = str(self._nets[name].pid)
        far = ("peer", "name", "eth0", "netns", host)
        self._ip("switch", "link", "add", f"p-{name}", "type", "veth", *far)
        self._ip("switch", "link", "set", f"p-{name}", "master", "br0", "up")
        self._ip(name, "addr", "add", address, "dev", "eth0")
        self._ip(name, "link", "set", "lo", "up")
        self._ip(name, "link", "set", "eth0", "up")
        if self._retries:
            setting = f"echo {self._retries} > /proc/sys/net/ipv4/tcp_retries2"
            self._inside(name, "sh", "-c", setting)

    def _boot(self, name: str) -> None:
        socket = self.base / f"{name}.sock"
        socket.unlink(missing_ok=True)
        inside = ["nsenter", "-t", str(self._nets[name].pid), "-n", "--"]
        first = [*PYTHON, str(HERE / "first_process.py"), name, str(self.base)]
        command = [*_mortal(), *inside, *_spaces(), *first]
        self._hosts[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        _await(socket.exists, name)

    def _ip(self, net: str, *arguments: str) -> None:
        self._inside(net, "ip", *arguments)

    def _inside(self, net: str, *argv: str) -> None:
        command = ["nsenter", "-t", str(self._nets[net].pid), "-n", "--", *argv]
        subprocess.run(command, check=True, timeout=START_SECONDS, stdin=subprocess.DEVNULL)

    def _down(self) -> None:
        for process in [*self._hosts.values(), *self._nets.values()]:
            process.kill()
        for process in [*self._hosts.values(), *self._nets.values()]:
            process.wait(START_SECONDS)
        self._hosts.clear()
        self._nets.clear()
        # A command on a host that waited for a dark one waits no longer.
        for dark in self.base.glob("*.dark"):
            dark.unlink()


def _spaces() -> list[str]:
    kinds = ["--uts", "--ipc", "--mount", "--pid"]
    return ["unshare", *kinds, "--fork", "--kill-child=KILL", "--mount-proc"]


def _mortal() -> list[str]:
    """What comes behind dies with this process, however it ends."""
    return ["setpriv", "--pdeathsig", "KILL"]


def _child(process: "subprocess.Popen[bytes]") -> int:
    """Return the first process of a host: the one child of the `unshare` that waits for it."""
    pid = process.pid
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _all() -> Iterable[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _link(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def _await(found: Any, what: str) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            if found():
                return
        except OSError:
            pass  # noqa: S110 - not there yet
        time.sleep(LOOK_SECONDS)
    raise AssertionError(f"{what} did not come up")
