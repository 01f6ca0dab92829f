"""A line of members in threads of one process, with sums and maxima done in a given order."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import reduce

import torch


class ThreadLine:
    """What members share: where each lays its tensor, and what comes of all of them."""

    def __init__(self, size):
        self._size, self._lock = size, threading.Lock()
        self._given, self._result = [], None
        self._all_here = threading.Barrier(size, self._combine)
        self._all_gone = threading.Barrier(size)
        self.sums = []

    def member(self):
        return ThreadMember(self)

    def together(self, tensor, combine):
        with self._lock:
            self._given.append((tensor, combine))
        self._all_here.wait(30)
        tensor.copy_(self._result)
        self._all_gone.wait(30)

    def _combine(self):
        tensors = [tensor.clone() for tensor, _ in self._given]
        combine = self._given[0][1]
        assert all(other is combine for _, other in self._given)
        self._result = reduce(combine, tensors)
        if combine is torch.add:
            self.sums.append(tensors[0].numel())
        self._given = []


class ThreadMember:
    """The calls of `Comm` that a reduction makes."""

    def __init__(self, line):
        self._line = line

    def allreduce(self, tensor):
        self._line.together(tensor, torch.add)

    def maximum(self, tensor):
        self._line.together(tensor, torch.maximum)


def run_all(calls):
    """Call each in a thread of its own; raise the first error."""
    with ThreadPoolExecutor(len(calls)) as pool:
        for future in [pool.submit(call) for call in calls]:
            future.result()
