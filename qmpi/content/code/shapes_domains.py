"""Shapes of classes for domains: bank, stock, schedule, cache, parser, lift, dispenser."""

from qmpi.content.code.shapes import classes_of

_SOURCE = '''
class Stock:
    """stock with reordering; shelf; supply"""
    held: map = {}
    orders: int = 0
    spent: int = 0

    def receive(self, s: str, x: int) -> int:
        put(self.held, s, get(self.held, s, 0) + x)
        self.spent += x * K(2, 9)
        return self.spent

    def issue(self, s: str, k: int) -> bool:
        have = get(self.held, s, 0)
        if have < k:
            self.orders += 1
            return False
        put(self.held, s, have - k)
        if have - k < K(2, 9):
            self.orders += 1
        return True

    def pending(self) -> int:
        return self.orders * K(1, 6)

class Schedule:
    """schedule; queue of jobs with priorities; planner"""
    jobs: ints = []
    clock: int = K(0, 12)
    late: int = 0

    def plan(self, x: int) -> int:
        push(self.jobs, x % K(9, 30) + 1)
        return len(self.jobs)

    def work(self, k: int) -> int:
        if len(self.jobs) == 0:
            return self.clock
        pick = 0
        for i in range(len(self.jobs)):
            if self.jobs[i] < self.jobs[pick]:
                pick = i
        self.clock += self.jobs[pick]
        if self.clock > k * K(8, 20):
            self.late += 1
        self.jobs[pick] = self.jobs[len(self.jobs) - 1]
        pop(y, self.jobs)
        return self.clock

    def misses(self) -> int:
        return self.late

class Cache:
    """cache with a limit; recent entries; memory of answers"""
    keys: ints = []
    hits: int = 0
    asked: int = 0

    def ask(self, x: int) -> bool:
        self.asked += 1
        key = x % K(5, 17)
        for i in range(len(self.keys)):
            if self.keys[i] == key:
                self.hits += 1
                return True
        if len(self.keys) < K(3, 6):
            push(self.keys, key)
        else:
            at = self.asked % len(self.keys)
            self.keys[at] = key
        return False

    def rate(self) -> int:
        if self.asked == 0:
            return 0
        return self.hits * 100 // self.asked

class Scanner:
    """scanner; reader of tokens; parser state"""
    depth: int = 0
    marks: int = 0
    state: int = 0

    def feed(self, s: str) -> int:
        for c in chars(s):
            if code(c) < K(5, 9):
                self.depth += 1
            elif code(c) > K(15, 19) and self.depth > 0:
                self.depth -= 1
                self.marks += 1
            self.state = (self.state * K(2, 5) + code(c)) % K(50, 99)
        return self.depth

    def result(self, k: int) -> int:
        return self.marks * k + self.state

class Lift:
    """lift; car between floors; elevator"""
    floor: int = 0
    moves: int = 0
    load: int = 0

    def call_to(self, x: int) -> int:
        goal = x % K(6, 20)
        while self.floor != goal:
            if self.floor < goal:
                self.floor += 1
            else:
                self.floor -= 1
            self.moves += 1
        return self.floor

    def enter(self, k: int) -> bool:
        if self.load + k > K(12, 30):
            return False
        self.load += k
        return True

    def wear(self) -> int:
        return E(self.moves, self.load)

class Dispenser:
    """dispenser; vending machine; ticket machine"""
    coins: int = 0
    sold: int = 0
    price: int = K(9, 60)

    def insert_coin(self, x: int) -> int:
        self.coins += x
        return self.coins

    def vend(self) -> bool:
        if self.coins < self.price:
            return False
        self.coins -= self.price
        self.sold += 1
        if C(self.sold):
            self.price += K(1, 7)
        return True

    def refund(self, k: int) -> int:
        back = min(self.coins, k * K(4, 20))
        self.coins -= back
        return back

class Gauge:
    """histogram; buckets; distribution"""
    bins: ints = [0, 0, 0, 0, 0]
    width: int = K(6, 40)

    def count_in(self, x: int) -> int:
        at = min(x // self.width, len(self.bins) - 1)
        self.bins[at] += 1
        return self.bins[at]

    def fullest(self) -> int:
        best = 0
        for i in range(len(self.bins)):
            if self.bins[i] > self.bins[best]:
                best = i
        return best

    def above(self, k: int) -> int:
        found = 0
        for y in self.bins:
            if y >= k:
                found += 1
        return found

class Trie:
    """trie of codes; prefix tree; tree of digits"""
    lefts: ints = [-1]
    rights: ints = [-1]
    words: int = 0

    def enter(self, x: int) -> int:
        now = 0
        left = x % K(16, 64)
        while left > 0:
            if left % 2 == 0:
                if self.lefts[now] < 0:
                    self.lefts[now] = len(self.lefts)
                    push(self.lefts, -1)
                    push(self.rights, -1)
                now = self.lefts[now]
            else:
                if self.rights[now] < 0:
                    self.rights[now] = len(self.lefts)
                    push(self.lefts, -1)
                    push(self.rights, -1)
                now = self.rights[now]
            left = left // 2
        self.words += 1
        return now

    def nodes(self) -> int:
        return len(self.lefts)
'''

DOMAINS = tuple(classes_of(_SOURCE))
"""Shapes of classes for domains."""
