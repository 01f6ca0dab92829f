"""A line of members in threads of one process, with sums and maxima done in a given order."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from queue import Queue
from typing import NamedTuple

import torch


class ThreadLine:
    """What members share: where each lays its tensor, and what comes of all of them."""

    def __init__(self, size):
        self.size, self._lock = size, threading.Lock()
        self._given, self._result = {}, None
        self._all_here = threading.Barrier(size, self._combine)
        self._all_gone = threading.Barrier(size)
        self.sums = []
        ways = [(a, b) for a in range(size) for b in range(size)]
        self.ways, self.exchanges = ({way: Queue() for way in ways} for _ in range(2))
        self.begun, self._counts = {}, [0] * size

    def member(self, index=None):
        return ThreadMember(self, index)

    def together(self, tensor, combine, index=None):
        with self._lock:
            key = len(self._given) if index is None else index
            self._given[key] = (tensor, combine)
        self._all_here.wait(60)
        result = self._result
        self._all_gone.wait(60)
        return result

    def begin(self, tensor, index, combine=None):
        """Take part in the next call that goes on by itself; it is done as soon as all have.

        Without `combine` it is a sum in place.
        """
        with self._lock:
            number = self._counts[index]
            self._counts[index] += 1
            total = self.begun.setdefault(number, Begun())
            total.given[index] = tensor
            if len(total.given) == self.size:
                parts = [total.given[member].clone() for member in range(self.size)]
                total.result = (combine or added)(parts)
                for given in total.given.values() if combine is None else ():
                    given.copy_(total.result)
                total.done.set()
        return total

    def stop(self):
        self._all_here.abort()
        self._all_gone.abort()
        with self._lock:
            for total in self.begun.values():
                total.done.set()

    def _combine(self):
        given = [self._given[key] for key in sorted(self._given)]
        tensors = [tensor.clone() for tensor, _ in given]
        combine = given[0][1]
        assert all(other is combine for _, other in given)
        self._result = combine(tensors)
        if combine is added:
            self.sums.append(tensors[0].numel())
        self._given = {}


def added(tensors):
    return reduce(torch.add, tensors)


def largest(tensors):
    return reduce(torch.maximum, tensors)


class ThreadMember:
    """The calls of `Comm` that trainers make; float sums are in order of index."""

    def __init__(self, line, index):
        self._line, self.index, self.size = line, index, line.size

    def allreduce(self, tensor):
        tensor.copy_(self._line.together(tensor, added, self.index))

    def maximum(self, tensor):
        tensor.copy_(self._line.together(tensor, largest, self.index))

    def sum_scattered(self, tensor):
        return self._line.together(tensor, added, self.index).chunk(self.size)[self.index].clone()

    def allgather(self, part, counts=None):
        assert counts is None or counts[self.index] == len(part)
        return self._line.together(part, torch.cat, self.index).clone()

    def gather_numbers(self, numbers):
        return self.allgather(numbers).view(self.size, -1)

    def broadcast(self, tensor, root):
        tensor.copy_(self._line.together(tensor, torch.stack, self.index)[root])

    def alltoall(self, tensor, sent, received):
        return self._exchanged(tensor, sent, received).wait()

    def vote(self):
        self.allreduce(torch.ones(1))

    def send(self, tensor, target):
        self._sent(tensor, target).wait()

    def receive(self, tensor, source):
        sent, taken = self._line.ways[source, self.index].get(timeout=60)
        tensor.copy_(sent)
        taken.set()

    def _sent(self, tensor, target):
        way = self._line.ways[self.index, target]
        taken = threading.Event()
        way.put((tensor, taken))
        return Sent(taken)

    def _exchanged(self, tensor, sent, received):
        parts = tensor.clone().split(list(sent))
        for target, part in enumerate(parts):
            self._line.exchanges[self.index, target].put(part)
        return Exchanged(tensor, list(received), self)

    def taken(self, source):
        return self._line.exchanges[source, self.index].get(timeout=60)

    def _begun(self, tensor):
        return self._line.begin(tensor, self.index)

    def _scattered(self, tensor, counts):
        return Part(
            self._line.begin(tensor, self.index, lambda parts: added(parts).split(list(counts))),
            self.index,
        )

    def _gathered(self, part, counts):
        assert len(part) == counts[self.index]
        return self._line.begin(part, self.index, torch.cat)

    start = property(
        lambda self: Starts(
            self._sent, self._exchanged, self._begun, self._scattered, self._gathered
        )
    )
    stuck = False
    by_host = None


class Starts(NamedTuple):
    send: object
    alltoall: object
    allreduce: object
    sum_scattered: object
    allgather: object


class Begun:
    """A call under way, of the members that have come so far."""

    def __init__(self):
        self.given, self.done, self.result = {}, threading.Event(), None

    @property
    def calls_ended(self):
        return self.done.is_set()

    def wait(self):
        assert self.done.wait(60), "not all members begin what one has begun"
        return self.result


class Part(NamedTuple):
    """One member's part of what a call comes to."""

    begun: object
    index: int

    calls_ended = property(lambda self: self.begun.calls_ended)

    def wait(self):
        return self.begun.wait()[self.index].clone()


class Exchanged(NamedTuple):
    """Rows that members give one another, taken when they are waited for."""

    tensor: object
    received: list
    member: object

    def wait(self):
        parts = [self.member.taken(source) for source in range(self.member.size)]
        assert [len(part) for part in parts] == self.received
        return torch.cat([self.tensor.new_empty(0, *self.tensor.shape[1:]), *parts])


class Sent(NamedTuple):
    """A message that is under way until it is received, as one that is too large to be kept."""

    taken: object

    def wait(self):
        assert self.taken.wait(60), "nobody receives what is sent"


def run_all(calls, lines=()):
    """Call each in a thread of its own; raise the first error."""

    def call(one):
        try:
            return one()
        except BaseException:
            for line in lines:
                line.stop()
            raise

    with ThreadPoolExecutor(len(calls)) as pool:
        results, errors = [], []
        for future in [pool.submit(call, one) for one in calls]:
            error = future.exception()
            results.append(None if error else future.result())
            errors += [error] if error else []
    for error in sorted(errors, key=lambda e: isinstance(e, threading.BrokenBarrierError)):
        raise error
    return results
