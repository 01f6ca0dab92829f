"""Queues whose work is done as late and in as odd an order as marks allow, drawn by chance."""

import random

from qmpi.training.offload.queues import COMPUTE, INCOMING, OUTGOING


class LateQueues:
    """What computes, comes and goes; whoever forgets to wait sees what was there before."""

    def __init__(self, seed):
        self._draw, self._pace = random.Random(seed), seed % 3
        self._todo = {queue: [] for queue in (COMPUTE, INCOMING, OUTGOING)}
        self.copies = 0

    def put(self, queue, work):
        self._todo[queue].append((work, None))
        self._some()

    def copy(self, queue, target, source):
        self.copies += 1
        self.put(queue, lambda: target.copy_(source))

    def mark(self, queue):
        passed = []
        self.put(queue, lambda: passed.append(True))
        return passed

    def wait(self, queue, mark):
        self._todo[queue].append((lambda: None, mark))
        self._some()

    def finish(self, mark):
        while not mark:
            assert self._one(), "nothing can go on"

    def under_way(self):
        """Return what is left to do for the queues that copy."""
        return self._todo[INCOMING] + self._todo[OUTGOING]

    def _some(self):
        # At the slowest pace nothing is done before somebody waits for it.
        for _ in range(self._draw.randrange(self._pace + 1)):
            self._one()

    def _one(self):
        ready = [
            queue
            for queue, todo in self._todo.items()
            if todo and (todo[0][1] is None or todo[0][1])
        ]
        if ready:
            self._todo[self._draw.choice(ready)].pop(0)[0]()
        return bool(ready)


class LateCopies(LateQueues):
    """Copies may be late; what computes has been done before the host goes on, as on a CPU."""

    def mark(self, queue):
        return [True] if queue is COMPUTE else super().mark(queue)

    def wait(self, queue, mark):
        if queue is COMPUTE:
            self.finish(mark)
        else:
            super().wait(queue, mark)
