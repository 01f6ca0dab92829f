"""Shapes over numbers. A docstring names what the function makes, in several words."""

from qmpi.content.code.shapes import functions_of

_SOURCE = '''
def f(n: int, k: int) -> int:
    """digit sum; folded digits; checksum"""
    acc = 0
    while n > 0:
        acc += n % K(7, 16)
        FILL(acc, k)
        n = n // K(3, 10)
    return acc

def f(n: int, k: int) -> int:
    """number of steps down; steps to nothing; length of the descent"""
    steps = 0
    while n > k:
        if n % 2 == 0:
            n = n // 2
        else:
            n -= K(1, 5)
        steps += 1
    return steps

def f(m: int, n: int) -> int:
    """greatest common divisor; common measure"""
    if EITHER:
        while n != 0:
            rest = m % n
            m = n
            n = rest
        return m
    else:
        while m != n:
            if m > n:
                m -= n
            else:
                n -= m
        return m

def f(n: int) -> int:
    """grade; tariff; bracket; class of a value"""
    if n < K(5, 20):
        return E(n)
    if n < K(25, 45):
        return S(n)
    if C(n):
        return K(1, 99)
    return E(n)

def f(n: int, k: int, m: int) -> int:
    """price; fee; estimate; dose"""
    base = E(n, k)
    part = E(base, m)
    if C(base, part):
        part += K(1, 60)
        FILL(part, k)
    return base + part

def f(n: int, k: int) -> int:
    """recurrence; sequence term; growth"""
    last = K(1, 9)
    now = K(1, 9)
    for i in range(k):
        then = (now * K(2, 7) + last + n) % K(90, 999)
        last = now
        now = then
    return now

def f(n: int, k: int) -> int:
    """number of pairs; pair count; hits on a grid"""
    found = 0
    for i in range(1, k + K(1, 4)):
        for j in range(i, k + K(2, 5)):
            if C(i, j):
                found += E(j)
                FILL(found, i, j)
    return found + n

def f(n: int) -> bool:
    """primality; test for a prime"""
    if n < 2:
        return False
    d = 2
    while d * d <= n:
        if n % d == 0:
            return False
        d += 1
    return True

def f(few: int, k: int) -> int:
    """number of ways; combinations; paths counted by a table"""
    ways: ints = [1]
    for i in range(1, few):
        y = ways[i - 1]
        if i >= k:
            y += ways[i - k]
        push(ways, y % K(97, 9973))
    return ways[few - 1]

def f(n: int) -> int:
    """recursive value; depth of a recursion; nested count"""
    if n < K(2, 4):
        return K(1, 9)
    return f(n // K(2, 3)) + E(n)

def f(n: int, k: int) -> int:
    """power modulo a number; modular power"""
    out = 1
    base = n % K(50, 400)
    left = k
    while left > 0:
        if left % 2 == 1:
            out = out * base % K(100, 997)
        base = base * base % K(100, 997)
        left = left // 2
    return out

def f(n: int, k: int) -> int:
    """balance after all periods; savings; stock left"""
    have = n + K(50, 400)
    turn = 0
    while turn < k and have > K(5, 30):
        have -= K(2, 19)
        if C(have, turn):
            have += E(turn)
        turn += 1
    return have

def f(n: int, k: int) -> int:
    """checked quotient; share; allotment"""
    if k < 1:
        fail()
    each = n // k
    rest = n - each * k
    if rest > K(0, 3):
        each += E(rest)
    return each
'''

NUMBERS = tuple(functions_of(_SOURCE))
"""Shapes over numbers."""
