"""Members of lines as forked processes: what each says of a scenario, whoever dies in it."""

import json
import os
import select
import signal
import time
import traceback

import torch

from qmpi.errors import PeerLost
from qmpi.training.comm.line import Comm, Gpu
from qmpi.training.comm.store import connect_store, open_store

PATIENCE = 200
"""Seconds for a whole scenario; none takes a hundredth of it on an idle machine."""

LAST_RESORT = 10 * PATIENCE
"""Seconds after which an operation ends by itself: never, so that what ends was left in time."""


class Member:
    """One process: makes lines with the others, and leaves them when someone says so."""

    def __init__(self, index, size, address, backend):
        self.index, self.size = index, size
        self.device = torch.device("cpu")
        if backend == "nccl":
            self.device = torch.device("cuda", index)
            torch.cuda.set_device(self.device)
        self.store = self._store(address)
        self.looks = 0

    def line(self, name, reach=0, aborted=None):
        return Comm(
            store=self.store, name=name, index=self.index, size=self.size,
            timeout_seconds=LAST_RESORT,
            aborted=aborted or self.aborted, reach=reach,
            gpu=None if self.device.type == "cpu" else Gpu(self.device, str(self.device)),
        )  # fmt: skip

    def aborted(self):
        """As the control thread of a rank: what one member sees, all are told."""
        self.looks += 1
        return "a peer saw a failure" if self.store.check(["abort"]) else None

    def meet(self, name):
        """Wait until all have come here, through the store alone."""
        self.store.set(f"{name}{self.index}", "1")
        self.store.wait([f"{name}{other}" for other in range(self.size)])

    def lost(self, operation):
        """Do an operation that must tell that a peer is lost."""
        try:
            operation()
        except PeerLost:
            self.store.set("abort", "1")
            return "left"
        raise AssertionError("the operation ended as if nobody had died")

    def _store(self, address):
        read, write = address
        if self.index == 0:
            store, there = open_store("127.0.0.1")
            for _ in range(self.size - 1):
                os.write(write, there.ljust(32).encode())
            return store
        return connect_store(os.read(read, 32).decode().strip(), 40)


def together(size, act, backend="gloo"):
    """Let members act at once; return what each said, None for those that died."""
    address = os.pipe()
    reads, children = [], []
    for index in range(size):
        read, write = os.pipe()
        reads.append(read)
        child = os.fork()
        if child == 0:
            _be(lambda at=index: act(Member(at, size, address, backend)), write)
        children.append(child)
        os.close(write)
    try:
        deadline = time.monotonic() + PATIENCE
        return [_said(read, deadline) for read in reads]
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        for end in (*reads, *address):
            os.close(end)


def _be(act, write):
    try:
        said = act()
    except Exception:  # noqa: BLE001 - whatever it is, the test shows it
        said = {"fault": traceback.format_exc()}
    os.write(write, json.dumps(said).encode() + b"\n")
    # The first holds the store: nobody leaves before all have spoken.
    while True:
        signal.pause()


def _said(read, deadline):
    text = b""
    while not text.endswith(b"\n"):
        ready, _, _ = select.select([read], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return {"fault": f"silent for {PATIENCE} s"}
        more = os.read(read, 65536)
        if not more:
            return None
        text += more
    return json.loads(text)
