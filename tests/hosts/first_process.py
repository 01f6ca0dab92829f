"""First process of a pretend host: `python -I -S first_process.py NAME BASE`, inside its namespaces.

Theory of operation. It gives the host its name, its own /dev/shm, its own TMPDIR and its list of
host names, then serves whoever wants a command run here, over the socket BASE/NAME.sock: a request
brings the command as JSON together with the caller's standard files, the answer is the exit code. A
socket in the file system is reached from every network namespace, so it stands for a console that
no cut network reaches. As first process of a process namespace it reaps every orphan, and its death
is the death of every process of the host at the same moment.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

REQUEST_BYTES = 1 << 20
LOOK_SECONDS = 0.02


def mount(*arguments: str) -> None:
    """Mount something in this host's own mount namespace."""
    subprocess.run(["mount", *arguments], check=True, stdin=subprocess.DEVNULL)


def furnish(name: str, base: Path) -> None:
    """Make this a host of its own."""
    socket.sethostname(name)
    mount("-t", "tmpfs", "-o", "size=1g", "tmpfs", "/dev/shm")
    mount("-t", "tmpfs", "-o", "size=1g", "tmpfs", str(base / "local"))
    mount("--bind", str(base / "names"), "/etc/hosts")


def start(request: dict[str, object], files: list[int]) -> int:
    """Fork the command that is wanted; returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        for number, file in enumerate(files):
            os.dup2(file, number)
        os.chdir(str(request["cwd"]))
        argv, environment = request["argv"], request["env"]
        assert isinstance(argv, list)
        assert isinstance(environment, dict)
        os.execvpe(argv[0], argv, environment)
    except (OSError, AssertionError) as error:
        os.write(2, f"{request.get('argv')}: {error}\n".encode())
    os._exit(127)


class Console:
    """Runs commands for callers."""

    def __init__(self, path: Path) -> None:
        """Listen."""
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path.unlink(missing_ok=True)
        self.listener.bind(str(path))
        self.listener.listen(64)
        self.callers: dict[socket.socket, int] = {}

    def serve(self) -> None:
        """Serve for ever."""
        while True:
            ready, _, _ = select.select([self.listener, *self.callers], [], [], LOOK_SECONDS)
            for sock in ready:
                if sock is self.listener:
                    self._accept(sock.accept()[0])
                else:
                    self._heed(sock)
            self._reap()

    def _accept(self, caller: socket.socket) -> None:
        try:
            data, files, _, _ = socket.recv_fds(caller, REQUEST_BYTES, 3)
        except OSError:
            data, files = b"", []
        if not data:
            caller.close()
            return
        self.callers[caller] = start(json.loads(data), files)
        for file in files:
            os.close(file)

    def _heed(self, caller: socket.socket) -> None:
        try:
            word = caller.recv(16)
        except OSError:
            word = b""
        if word:
            os.kill(self.callers[caller], int(word))
        else:
            del self.callers[caller]  # it has gone; what it started goes on, as under ssh
            caller.close()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for caller in [c for c, p in self.callers.items() if p == pid]:
                del self.callers[caller]
                code = os.waitstatus_to_exitcode(status)
                try:
                    caller.send(str(code if code >= 0 else 128 - code).encode())
                except OSError:
                    pass  # noqa: S110 - nobody waits for the code any more
                caller.close()


def main() -> None:
    """Furnish the host and serve."""
    name, base = sys.argv[1], Path(sys.argv[2])
    # What the outer world's terminal or pytest is sent is not meant for this host.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    furnish(name, base)
    Console(base / f"{name}.sock").serve()


main()
