"""One trainer process of a gang; run by test_gang. Prints its final step and digest as JSON.

The members play the coordinator's part among themselves: each tells through the lead's store what
it holds, and those that hold the reduced gradient finish the step if anyone applied it or all hold
it.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from unit.training.small_job import LANES, job, run

from qmpi.errors import PeerLost
from qmpi.training.comm.line import Comm
from qmpi.training.comm.store import connect_store, open_store
from qmpi.training.engine import Engine
from qmpi.training.reduction.buckets import EarlySums

STEPS, FAULT = 5, 2
BUCKET_BYTES = 8192


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class FaultyComm(Comm):
    """Fails around the vote of step `FAULT`, as the plan says."""

    plan = ""
    votes = 0

    def vote(self):
        self.votes += 1
        due = self.votes == FAULT + 1
        if due and self.plan == "before_vote":
            os.kill(os.getpid(), signal.SIGKILL)
        super().vote()
        if due and self.plan == "after_vote":
            os.kill(os.getpid(), signal.SIGKILL)
        if due and self.plan == "miss_vote":
            raise PeerLost("a vote whose answer never came")


class Deadly:
    """Begins sums, and dies when a later one of a step was to begin."""

    def __init__(self, start, due, begun):
        self._start, self._due, self._begun = start, due, begun

    def __getattr__(self, name):
        return getattr(self._start, name)

    def allreduce(self, tensor):
        if self._due():
            self._begun.append(self._start.allreduce(tensor))
            if len(self._begun) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return self._begun[-1]
        return self._start.allreduce(tensor)


class Member:
    def __init__(self, spec):
        self.spec, self.index, self.generation = spec, spec["index"], 1
        self.store = None
        told = {"precision": spec["precision"], "device": spec["device"]}
        self.settings = job(spec["reduction"], **told, **spec["model"])
        self.engine = Engine(self.settings, time.monotonic, self.aborted)
        if spec["reduction"] == "exact":
            self.engine._sum._early = EarlySums(self.engine._state.layout, BUCKET_BYTES)
        self.computed = 0

    def aborted(self):
        self.computed += 1
        if self.spec["plan"] == "in_lane" and self.engine.state_step == FAULT:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.store is not None and self.store.check([f"abort{self.generation}"]):
            return "a peer saw a failure"
        return None

    def open(self):
        if self.index == 0:
            self.store, address = open_store("127.0.0.1")
            say(address)
        else:
            self.store = connect_store(sys.stdin.readline().strip(), 80)

    def join(self, members):
        comm = FaultyComm(
            store=self.store, name=f"g{self.generation}", index=members.index(self.index),
            size=len(members), timeout_seconds=80, aborted=self.aborted,
        )  # fmt: skip
        comm.plan = self.spec["plan"] if self.generation == 1 else ""
        if comm.plan == "in_bucket":
            comm.start = Deadly(comm.start, lambda: self.engine.state_step == FAULT, [])
        self.engine.join(comm)

    def train(self, members):
        place = members.index(self.index)
        while self.engine.state_step < STEPS:
            step = self.engine.state_step
            # Dealt unevenly and differently at every step, on purpose.
            mine = [lane for lane in range(LANES) if (lane * 3 + step) % len(members) == place]
            last = run(self.engine, self.settings, step, mine)
        return last

    def recover(self, survivors):
        engine = self.engine
        self.store.set(f"abort{self.generation}", "1")
        engine.leave()
        self.store.set(f"holds{self.index}", json.dumps([engine.state_step, engine.holds_reduced]))
        held = [json.loads(self.store.get(f"holds{member}")) for member in survivors]
        newest = max(step for step, _ in held)
        if engine.holds_reduced and (engine.state_step < newest or all(has for _, has in held)):
            engine.apply_held()
            return "finished"
        return "redone" if engine.state_step == FAULT else "applied"


def main():
    spec = json.loads(sys.argv[1])
    member = Member(spec)
    member.open()
    engine, how = member.engine, "undisturbed"
    survivors, spare = spec["survivors"], spec["spare"]
    if member.index == spare:
        how = "joined"
    else:
        engine.initialise()
        try:
            member.join(spec["members"])
            last = member.train(spec["members"])
        except PeerLost:
            how = member.recover(survivors)
    if how != "undisturbed":
        member.generation = 2
        group = survivors + ([] if spare is None else [spare])
        member.join(group)
        if spare is not None:
            engine.sync_state(0, receives=member.index == spare)
        last = member.train(group)
    say(json.dumps([how, engine.state_step, last.weight_digest, last.lane_losses]))
    # The lead holds the store: it leaves when the others have said that they are done.
    member.store.set(f"done{member.index}", "1")
    if member.index == 0:
        group = spec["members"] if how == "undisturbed" else group
        member.store.wait([f"done{other}" for other in group])
    os._exit(0)


main()
