"""The real processes of this host: some of the job, some strangers, all of them asleep."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from qmpi.ports.base import Event
from qmpi.protocol.profiles import ProfileRequest
from qmpi.protocol.recipe import RecipeRequest
from qmpi.runtime.processes import HostProcesses
from qmpi.storage.profile_request import write_request
from qmpi.storage.rank_files import RankProcess, start_ticks
from qmpi.storage.recipe_request import read_recipe_request, write_recipe_request
from qmpi.units import Seconds

SLEEPER = [sys.executable, "-c", "import time; time.sleep(120)"]
DEATH_SECONDS = 0.5


class RealWorld:
    """Three sleeping processes and the test's own as ranks or strangers."""

    def __init__(self, folder: Path, kind: type[HostProcesses] = HostProcesses) -> None:
        self._ranks = folder / "ranks"
        self._ranks.mkdir()
        self._stop = folder / "stop"
        self._profile, self._recipe = folder / "profile.json", folder / "recipe.json"
        self._sleepers = {p.pid: p for p in (subprocess.Popen(SLEEPER) for _ in range(3))}
        self.own = os.getpid()
        self.peer, self.stranger, self.far = self._sleepers
        here = os.uname().nodename
        self._say(1, self.peer, here, start_ticks(self.peer))
        # A rank of this number has ended long ago, and a stranger was given its number.
        self._say(2, self.stranger, here, start_ticks(self.stranger) - 1)
        self._say(3, self.far, f"not-{here}", start_ticks(self.far))
        self.processes = kind(self._ranks, self._stop, self._profile, self._recipe)
        self.processes.is_coordinator = True
        self._now = Seconds(1000.0)

    def _say(self, rank: int, pid: int, host: str, started: int) -> None:
        said = msgspec.json.encode(RankProcess(rank, pid, host, started))
        (self._ranks / f"{rank}.json").write_bytes(said)

    def alive(self, pid: int) -> bool:
        if pid == self.own:
            return True
        try:
            self._sleepers[pid].wait(DEATH_SECONDS)
        except subprocess.TimeoutExpired:
            return True
        return False

    def ask_to_stop(self) -> None:
        # First by the file, as `qmpi stop` does, then by a signal, as a batch system does.
        if self._stop.exists():
            self.processes.on_signal(signal.SIGTERM, None)
        self._stop.touch()

    def ask_for_profile(self, request: ProfileRequest) -> None:
        write_request(self._profile, request)

    def ask_for_recipe(self, request: RecipeRequest) -> None:
        write_recipe_request(self._recipe, request)

    def take_back(self) -> None:
        self._recipe.unlink()

    def asked_for(self) -> RecipeRequest | None:
        return read_recipe_request(self._recipe)

    def looks(self, times: int) -> list[Event]:
        told: list[Event] = []
        for _ in range(times):
            self._now = Seconds(self._now + 0.1)
            told += self.processes.notices(self._now)
        return told

    def close(self) -> None:
        for process in self._sleepers.values():
            process.kill()
            process.wait()


@contextmanager
def real_world(folder: Path, kind: type[HostProcesses] = HostProcesses) -> Iterator[RealWorld]:
    """Offer processes; none is left behind."""
    world = RealWorld(folder, kind)
    try:
        yield world
    finally:
        world.close()
