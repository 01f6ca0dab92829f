"""The port of an engine that runs in a process of its own: work goes out, events come back."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec

from qmpi.ports.base import Reply, WorkCrashed
from qmpi.ports.engine import (
    Condemned,
    EngineAborted,
    EngineReady,
    EngineWork,
    GroupJoined,
    RunStep,
    StepApplied,
)

SCRIPT = Path(__file__).with_name("engine_process.py")
KINDS = {
    kind.__name__: kind
    for kind in (EngineReady, GroupJoined, StepApplied, EngineAborted, WorkCrashed)
}


START_SECONDS = 90.0


class RemoteEngine:
    """An engine that can be killed."""

    def __init__(self, folder: Path, member: int) -> None:
        paths = [str(SCRIPT.parents[3]), str(SCRIPT.parents[2])]
        environment = os.environ | {
            "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths),
        }  # fmt: skip
        self.standing = False
        self._replies: list[Reply] = []
        self._loaded = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder), str(member)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        # What the checks have patience for is the engine's work, not a cold disk under torch.
        assert self._loaded.wait(START_SECONDS), "the process of an engine does not start"

    def submit(self, work: EngineWork, condemned: Condemned, reply: Reply) -> None:
        # An abort is told by `nudge`: the other side issues tickets of its own.
        del condemned
        self._replies.append(reply)
        fields = msgspec.to_builtins(work)
        if isinstance(work, RunStep):
            fields = {name: fields[name] for name in ("generation", "step", "lanes")}
        self._order("submit", len(self._replies) - 1, type(work).__name__, fields)

    def nudge(self) -> None:
        self._order("abort")

    def tell_stacks(self) -> None:
        """Let it write on stderr where each of its threads is."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGUSR1)

    def hold(self, point: str) -> None:
        self.standing = False
        self._order("hold", point)

    def release(self) -> None:
        self.standing = False
        self._order("release")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _order(self, *order: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(order).decode() + "\n")
        self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            match msgspec.json.decode(line):
                case ["loaded"]:
                    self._loaded.set()
                case ["standing"]:
                    self.standing = True
                case ["event", number, kind, fields]:
                    self._replies[number](msgspec.convert(fields, KINDS[kind]))
