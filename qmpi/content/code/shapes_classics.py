"""Shapes of well-known algorithms, over numbers, lists and texts."""

from qmpi.content.code.shapes import functions_of

_SOURCE = '''
def f(xs: ints, k: int) -> int:
    """fewest coins; least number of pieces; change in coins"""
    best: ints = [0]
    for i in range(1, k * K(3, 5) + 1):
        y = K(90, 400)
        for x in xs:
            coin = x % K(5, 12) + 1
            if coin <= i:
                y = min(y, best[i - coin] + 1)
        push(best, y)
    return best[len(best) - 1]

def f(s: str, t: str) -> int:
    """edit distance; number of changes; spelling distance"""
    row: ints = []
    for j in range(size(t) + 1):
        push(row, j)
    for i in range(1, size(s) + 1):
        corner = row[0]
        row[0] = i
        for j in range(1, size(t) + 1):
            y = min(row[j], row[j - 1]) + 1
            if same(char(s, i - 1), char(t, j - 1)):
                y = min(y, corner)
            else:
                y = min(y, corner + K(1, 2))
            corner = row[j]
            row[j] = y
    return row[size(t)]

def f(s: str, t: str) -> int:
    """length of the common start; shared prefix; agreement"""
    i = 0
    while i < min(size(s), size(t)) and same(char(s, i), char(t, i)):
        i += 1
    return i * K(1, 4)

def f(xs: ints) -> int:
    """longest increasing subsequence; longest climb with gaps"""
    runs: ints = []
    best = 0
    for i in range(len(xs)):
        y = 1
        for j in range(i):
            if xs[j] < xs[i]:
                y = max(y, runs[j] + 1)
        push(runs, y)
        best = max(best, y)
    return best

def f(n: int) -> int:
    """number of set bits; population count; weight of a code"""
    found = 0
    while n > 0:
        if EITHER:
            n = n & (n - 1)
        else:
            found += n % 2 - 1
            n = n >> 1
        found += 1
    return found

def f(n: int) -> str:
    """binary digits; numeral in a small base; encoded number"""
    out = ""
    base = K(2, 9)
    while n > 0:
        out = cat(text(n % base), out)
        n = n // base
    return out

def f(n: int) -> str:
    """Roman numeral; tally in letters; numeral"""
    out = ""
    while n >= K(8, 12):
        out = cat(out, "X")
        n -= K(8, 12)
    while n >= 5:
        out = cat(out, "V")
        n -= 5
    while n > 0:
        out = cat(out, "I")
        n -= 1
    return out

def f(s: str) -> str:
    """spaced letters; marked vowels; disguised word"""
    out = ""
    for c in chars(s):
        if same(c, "a") or same(c, "o") or same(c, "i"):
            out = cat(out, upper(c))
        elif code(c) % K(2, 5) == 0:
            out = cat(cat(out, c), "-")
        else:
            out = cat(out, c)
    return out

def f(s: str) -> int:
    """number of distinct letters; alphabet in use"""
    seen: map = {}
    found = 0
    for c in chars(s):
        if not has(seen, c):
            found += 1
        put(seen, c, get(seen, c, 0) + K(1, 3))
    return found

def f(s: str) -> int:
    """count of the commonest letter; highest frequency; mode"""
    seen: map = {}
    best = 0
    for c in chars(s):
        put(seen, c, get(seen, c, 0) + 1)
        best = max(best, get(seen, c, 0))
    return best

def f(ws: strs, few: int) -> int:
    """lookups saved by a cache; hits; reused answers"""
    held: map = {}
    hits = 0
    for i in range(few):
        w = ws[(i * K(1, 7) + K(0, 4)) % len(ws)]
        if has(held, w):
            hits += 1
        put(held, w, i + 1)
    return hits

def f(xs: ints, k: int) -> ints:
    """moving averages; smoothed values; windows"""
    out: ints = []
    for i in range(len(xs)):
        low = max(0, i - k % 4)
        acc = 0
        for j in range(low, i + 1):
            acc += xs[j]
        push(out, acc // (i - low + 1))
    return out

def f(xs: ints) -> ints:
    """differences of neighbours; steps between values; gaps"""
    out: ints = []
    for i in range(1, len(xs)):
        if EITHER:
            push(out, abs(xs[i] - xs[i - 1]))
        else:
            push(out, max(xs[i], xs[i - 1]) - K(0, 9))
    return out

def f(xs: ints, ys: ints) -> ints:
    """merged list; union in order; interleaved values"""
    out: ints = []
    i = 0
    j = 0
    while i < len(xs) or j < len(ys):
        if j >= len(ys) or i < len(xs) and xs[i] <= ys[j]:
            push(out, xs[i])
            i += 1
        else:
            push(out, ys[j])
            j += 1
    return out

def f(xs: ints, ys: ints) -> int:
    """dot product; weighted score; sum of products"""
    acc = K(0, 5)
    for i in range(min(len(xs), len(ys))):
        acc += xs[i] % K(10, 40) * ys[i]
        FILL(acc, i)
    return acc

def f(xs: ints) -> int:
    """trapped water; depth held by walls; volume between peaks"""
    held = 0
    for i in range(len(xs)):
        left = 0
        right = 0
        for j in range(i + 1):
            left = max(left, xs[j])
        for j in range(i, len(xs)):
            right = max(right, xs[j])
        held += min(left, right) - xs[i]
    return held

def f(xs: ints, k: int) -> int:
    """turns of a round robin; rounds until all are served; waiting rounds"""
    left: ints = copy(xs)
    turns = 0
    open = len(left)
    while open > 0:
        for i in range(len(left)):
            if left[i] > 0:
                turns += 1
                left[i] = left[i] - (k + K(6, 30))
                if left[i] <= 0:
                    open -= 1
    return turns

def f(xs: ints, k: int) -> ints:
    """stable partition; small values first; sorted by a test"""
    out: ints = []
    for x in xs:
        if x <= k * K(3, 12):
            push(out, x)
    for x in xs:
        if x > k * K(12, 13):
            push(out, x)
    return out

def f(n: int, few: int) -> ints:
    """pseudo-random numbers; noise from a seed; generated sequence"""
    out: ints = []
    seed = n
    for i in range(few):
        seed = (seed * K(5, 61) + K(3, 97)) % K(100, 997)
        push(out, seed)
    return out

def f(few: int) -> ints:
    """row of Pascal; binomial row; counts of choices"""
    row: ints = [1]
    for i in range(few // 2):
        push(row, 0)
        for j in range(len(row) - 1, 0, -1):
            row[j] = row[j] + row[j - 1]
    return row

def f(xs: ints) -> int:
    """reached places; hops through a list; visited cells"""
    seen: ints = []
    for x in xs:
        push(seen, 0)
    at = 0
    hops = 0
    while seen[at] == 0:
        seen[at] = 1
        hops += 1
        at = (xs[at] + K(0, 3)) % len(xs)
    return hops

def f(xs: ints, k: int) -> int:
    """parity check; control digit; remainder of weights"""
    acc = 0
    weight = K(1, 3)
    for x in xs:
        acc = (acc + x * weight) % K(7, 97)
        weight = weight % K(3, 9) + 1
    return (acc + k) % K(7, 11)

def f(xs: ints, k: int) -> bool:
    """test for a pair with a given total; sum of two"""
    for i in range(len(xs)):
        for j in range(i + 1, len(xs)):
            if xs[i] + xs[j] == k * K(8, 20):
                return True
    return False

def f(n: int, k: int) -> int:
    """thermostat; level after control; regulated value"""
    level = n
    for i in range(k):
        if level > K(30, 60):
            level -= K(3, 17)
        elif level < K(10, 28):
            level += E(k)
        else:
            level += K(1, 4)
    return level

def f(xs: ints) -> int:
    """median of a list; middle value; balanced value"""
    out: ints = copy(xs)
    for i in range(len(out)):
        low = i
        for j in range(i + 1, len(out)):
            if out[j] < out[low]:
                low = j
        y = out[i]
        out[i] = out[low]
        out[low] = y
    return out[len(out) // 2]

def f(n: int) -> int:
    """digital root; repeated fold; last digit left"""
    while n >= K(10, 30):
        acc = 0
        while n > 0:
            acc += n % K(4, 10)
            n = n // K(10, 12)
        n = acc
    return n
'''

CLASSICS = tuple(functions_of(_SOURCE))
"""Shapes of well-known algorithms."""
