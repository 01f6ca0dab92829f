"""Shapes of data structures and objects. Methods take numbers or one name; all are safe to call."""

from qmpi.content.code.shapes import classes_of

_SOURCE = '''
class Stack:
    """stack; last in, first out; pile"""
    items: ints = []
    moved: int = 0

    def push_one(self, x: int) -> int:
        if len(self.items) < K(4, 12):
            push(self.items, E(x))
            self.moved += 1
        return len(self.items)

    def take(self, k: int) -> int:
        if len(self.items) == 0:
            return -1
        pop(y, self.items)
        self.moved += k
        return y

    def weight(self) -> int:
        acc = self.moved
        for y in self.items:
            acc += E(y)
        return acc

class Queue:
    """queue; first in, first out; line"""
    items: ints = []
    start: int = 0

    def join(self, x: int) -> int:
        push(self.items, x + K(0, 9))
        return len(self.items) - self.start

    def serve(self) -> int:
        if self.start >= len(self.items):
            return K(-9, -1)
        y = self.items[self.start]
        self.start += 1
        return y

    def waiting(self, k: int) -> int:
        found = 0
        for i in range(self.start, len(self.items)):
            if C(self.items[i], k):
                found += 1
        return found

class Account:
    """account; ledger; purse"""
    balance: int = K(0, 300)
    limit: int = K(50, 900)
    refused: int = 0

    def deposit(self, x: int) -> int:
        self.balance += x
        if self.balance > self.limit:
            self.limit += E(x)
        return self.balance

    def withdraw(self, x: int) -> bool:
        if x > self.balance:
            self.refused += 1
            return False
        self.balance -= x
        return True

    def close(self, k: int) -> int:
        rest = self.balance - self.refused * k
        self.balance = K(0, 9)
        return rest

class Counter:
    """inventory; stock by name; register"""
    held: map = {}
    total: int = K(0, 9)

    def enter(self, s: str, x: int) -> int:
        put(self.held, s, get(self.held, s, 0) + x)
        self.total += x
        return get(self.held, s, 0)

    def look(self, s: str) -> int:
        if not has(self.held, s):
            return -1
        return get(self.held, s, 0) * K(1, 5)

    def share(self, s: str) -> int:
        if self.total == 0:
            return 0
        return get(self.held, s, 0) * 100 // self.total

class Machine:
    """state machine; controller; switch"""
    state: int = 0
    turns: int = 0

    def step(self, x: int) -> int:
        self.turns += 1
        if self.state == 0 and C(x):
            self.state = 1
        elif self.state == 1:
            self.state = either(x > K(20, 60), 2, 0)
        elif C(x):
            self.state = K(0, 1)
        return self.state

    def resets(self, k: int) -> int:
        if self.turns > k:
            self.state = 0
        return self.turns - k

class Ring:
    """ring buffer; rolling window; recent values"""
    cells: ints = [K(0, 9), K(0, 9), K(0, 9), K(0, 9)]
    at: int = 0

    def write(self, x: int) -> int:
        old = self.cells[self.at]
        self.cells[self.at] = x
        self.at = (self.at + 1) % len(self.cells)
        return old

    def mean(self) -> int:
        acc = 0
        for y in self.cells:
            acc += y
        return acc // len(self.cells)

    def above(self, k: int) -> int:
        found = 0
        for y in self.cells:
            if y > k * K(1, 9):
                found += 1
        return found

class Heap:
    """priority queue; heap; agenda"""
    heap: ints = []
    seen: int = 0

    def enter(self, x: int) -> int:
        push(self.heap, x)
        i = len(self.heap) - 1
        while i > 0 and self.heap[(i - 1) // 2] > self.heap[i]:
            up = (i - 1) // 2
            y = self.heap[i]
            self.heap[i] = self.heap[up]
            self.heap[up] = y
            i = up
        self.seen += K(1, 3)
        return self.heap[0]

    def first(self) -> int:
        if len(self.heap) == 0:
            return -1
        return self.heap[0]

class Chain:
    """linked list; chain of nodes; list by next index"""
    data: ints = []
    nexts: ints = []
    head: int = -1

    def insert_one(self, x: int) -> int:
        push(self.data, x)
        push(self.nexts, self.head)
        self.head = len(self.data) - 1
        return self.head

    def find(self, k: int) -> int:
        steps = 0
        now = self.head
        while now >= 0:
            if C(self.data[now], k):
                return steps
            now = self.nexts[now]
            steps += 1
        return -1

    def total(self) -> int:
        acc = 0
        now = self.head
        while now >= 0:
            acc += E(self.data[now])
            now = self.nexts[now]
        return acc

class Sets:
    """disjoint sets; union-find; groups"""
    root: ints = [0, 1, 2, 3, 4, 5, 6]
    groups: int = 7

    def find(self, x: int) -> int:
        now = x % len(self.root)
        while self.root[now] != now:
            now = self.root[now]
        return now

    def join(self, x: int, y: int) -> bool:
        a = self.find(x)
        b = self.find(y)
        if a == b:
            return False
        self.root[a] = b
        self.groups -= 1
        return True

    def count(self) -> int:
        return self.groups

class Tree:
    """binary search tree; tree in arrays; index"""
    data: ints = []
    lefts: ints = []
    rights: ints = []

    def enter(self, x: int) -> int:
        push(self.data, x)
        push(self.lefts, -1)
        push(self.rights, -1)
        new = len(self.data) - 1
        now = 0
        depth = 0
        while now != new:
            depth += 1
            if x < self.data[now]:
                if self.lefts[now] < 0:
                    self.lefts[now] = new
                now = self.lefts[now]
            else:
                if self.rights[now] < 0:
                    self.rights[now] = new
                now = self.rights[now]
        return depth

    def has_one(self, k: int) -> bool:
        now = either(len(self.data) > 0, 0, -1)
        while now >= 0:
            if self.data[now] == k:
                return True
            now = either(k < self.data[now], self.lefts[now], self.rights[now])
        return False

class Meter:
    """running statistics; meter; monitor"""
    count: int = 0
    total: int = K(0, 20)
    peak: int = 0

    def note(self, x: int) -> int:
        y = E(x)
        self.count += 1
        self.total += y
        self.peak = max(self.peak, y)
        return self.total

    def mean(self) -> int:
        if self.count == 0:
            return K(-5, -1)
        return self.total // self.count

    def over(self, k: int) -> bool:
        return self.peak > k * K(2, 20)
'''

CLASSES = tuple(classes_of(_SOURCE))
"""Shapes of classes."""
