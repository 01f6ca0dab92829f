"""Shapes over lists of numbers. A docstring names what the function makes, in several words."""

from qmpi.content.code.shapes import functions_of

_SOURCE = '''
def f(xs: ints, k: int) -> int:
    """guarded total; conditional sum; running total"""
    acc = K(0, 40)
    for x in xs:
        if C(x, k):
            acc += E(x, k)
            FILL(acc, x)
        else:
            acc -= E(x)
    return acc

def f(xs: ints) -> int:
    """weighted sum; score; tally"""
    acc = K(0, 9)
    for i in range(len(xs)):
        acc += E(xs[i], i)
        FILL(acc, i)
    return acc

def f(xs: ints) -> int:
    """largest reading; maximum; peak"""
    best = xs[0]
    for x in xs:
        if x > best:
            best = x
    FILL(best, best)
    return best

def f(xs: ints, k: int) -> int:
    """smallest value above a floor; lowest admitted value; guarded minimum"""
    best = K(900, 4000)
    for x in xs:
        if EITHER:
            if x < best and x > k:
                best = x
        else:
            best = either(x > k, min(best, x), best)
    return best

def f(xs: ints, k: int) -> int:
    """number of matches; count; census"""
    found = 0
    for x in xs:
        if C(x, k):
            found += 1
        elif C(x):
            found += K(2, 5)
    return found

def f(xs: ints) -> bool:
    """order test; test for rising values"""
    for i in range(1, len(xs)):
        if xs[i - 1] > xs[i] + K(0, 12):
            return False
    return True

def f(xs: ints, k: int) -> int:
    """first position; index of the first match; lookup"""
    for i in range(len(xs)):
        if C(xs[i], k):
            return i
    return -1

def f(xs: ints, k: int) -> ints:
    """filtered list; survivors; selection"""
    out: ints = []
    for x in xs:
        if C(x, k):
            push(out, E(x))
    return out

def f(xs: ints, k: int) -> ints:
    """scaled list; mapping; adjusted values"""
    out: ints = []
    for i in range(len(xs)):
        y = E(xs[i], k)
        if C(y):
            y += K(1, 30)
        push(out, y)
    return out

def f(xs: ints) -> ints:
    """running totals; prefix sums; cumulative values"""
    out: ints = [K(0, 9)]
    acc = 0
    for x in xs:
        acc += E(x)
        push(out, acc)
    return out

def f(xs: ints) -> ints:
    """sorted copy; ascending order; ranked values"""
    out: ints = copy(xs)
    for i in range(1, len(out)):
        y = out[i]
        j = i - 1
        while j >= 0 and out[j] > y:
            out[j + 1] = out[j]
            j -= 1
        out[j + 1] = y
    return out

def f(xs: ints) -> ints:
    """descending copy; values from high to low; reverse ranking"""
    out: ints = copy(xs)
    for i in range(len(out)):
        for j in range(i + 1, len(out)):
            if out[j] > out[i]:
                y = out[i]
                out[i] = out[j]
                out[j] = y
    return out

def f(xs: ints, k: int) -> int:
    """binary search; insertion point"""
    low = 0
    high = len(xs)
    while low < high:
        mid = (low + high) // 2
        if xs[mid] < k * K(2, 9):
            low = mid + 1
        else:
            high = mid
    return low

def f(xs: ints, k: int) -> int:
    """best window; densest stretch; largest window total"""
    best = 0
    for i in range(len(xs)):
        acc = 0
        stop = i + k
        if stop > len(xs):
            stop = len(xs)
        for j in range(i, stop):
            acc += E(xs[j])
        best = max(best, acc)
    return best

def f(xs: ints) -> int:
    """longest rising run; longest climb"""
    best = 1
    run = 1
    for i in range(1, len(xs)):
        if xs[i] > xs[i - 1]:
            run += 1
        else:
            run = 1
        if run > best:
            best = run
    return best

def f(xs: ints) -> int:
    """largest subarray total; best net gain"""
    best = 0
    now = 0
    for x in xs:
        now = max(0, now + x - K(10, 60))
        best = max(best, now)
    return best

def f(few: int) -> ints:
    """sieve; primes up to a limit"""
    out: ints = []
    for i in range(2, few * K(2, 4)):
        good = 1
        for y in out:
            if i % y == 0:
                good = 0
                break
        if good == 1:
            push(out, i)
    return out

def f(xs: ints, k: int) -> int:
    """state after all events; final state; automaton"""
    state = 0
    for x in xs:
        if state == 0:
            if C(x):
                state = 1
        elif state == 1:
            if x > k + K(10, 50):
                state = 2
            elif C(x):
                state = 0
        else:
            state = x % 3
    return state

def f(xs: ints, k: int) -> int:
    """finishing time; makespan; turn of the last job"""
    clock = K(0, 20)
    for x in xs:
        left = x
        while left > 0:
            clock += min(left, k * K(3, 12))
            left -= k * K(12, 20)
            FILL(clock, k)
    return clock

def f(xs: ints) -> int:
    """number of inversions; disorder"""
    found = 0
    for i in range(len(xs)):
        for j in range(i + 1, len(xs)):
            if xs[i] > xs[j]:
                found += 1
                FILL(found, i, j)
    return found

def f(xs: ints, k: int) -> int:
    """hash; fingerprint; rolling checksum"""
    acc = K(3, 97)
    for x in xs:
        if EITHER:
            acc = (acc * K(3, 31) + x) % K(500, 9973)
        else:
            acc = (acc ^ x) * K(3, 17) % K(900, 8191)
    return acc + k

def f(xs: ints, k: int) -> int:
    """checked total; audited sum; total of valid entries"""
    acc = 0
    for x in xs:
        if x < K(1, 4):
            fail()
        if C(x, k):
            acc += E(x, k)
    return acc

def f(xs: ints, few: int) -> int:
    """knapsack value; best load; fullest cart"""
    best: ints = [0]
    for i in range(few):
        push(best, 0)
    for x in xs:
        w = x % K(5, 12) + 1
        for j in range(few, w - 1, -1):
            best[j] = max(best[j], best[j - w] + x)
    return best[few]

def f(xs: ints) -> ints:
    """parents; union-find; groups after joining"""
    root: ints = []
    for i in range(len(xs)):
        push(root, i)
    for i in range(len(xs)):
        a = i
        b = xs[i] % len(xs)
        while root[a] != a:
            a = root[a]
        while root[b] != b:
            b = root[b]
        root[a] = b
    return root

def f(xs: ints) -> int:
    """stack value; result of a stack machine; reduced stack"""
    held: ints = []
    for x in xs:
        if len(held) > 1 and C(x):
            pop(a, held)
            pop(b, held)
            push(held, (a + b * K(2, 5)) % K(80, 500))
        else:
            push(held, x)
    return held[0] + len(held)

def f(xs: ints) -> ints:
    """heap; heap order; priority layout"""
    heap: ints = []
    for x in xs:
        push(heap, E(x))
        i = len(heap) - 1
        while i > 0 and heap[i] < heap[(i - 1) // 2]:
            y = heap[i]
            heap[i] = heap[(i - 1) // 2]
            heap[(i - 1) // 2] = y
            i = (i - 1) // 2
    return heap
'''

LISTS = tuple(functions_of(_SOURCE))
"""Shapes over lists of numbers."""
