"""Shapes over texts and maps. A docstring names what the function makes, in several words."""

from qmpi.content.code.shapes import functions_of

_SOURCE = '''
def f(s: str) -> int:
    """number of vowels; letter count; marked letters"""
    found = 0
    for c in chars(s):
        if same(c, "a") or same(c, "e") or same(c, "o"):
            found += K(1, 3)
        elif same(c, "i"):
            found += K(2, 9)
    return found

def f(s: str) -> str:
    """reversed text; mirror; backward spelling"""
    out = ""
    for c in chars(s):
        out = cat(c, out)
    return out

def f(s: str) -> bool:
    """palindrome test; symmetry"""
    i = 0
    j = size(s) - 1
    while i < j:
        if not same(char(s, i), char(s, j)):
            return False
        i += 1
        j -= 1
    return True

def f(s: str, k: int) -> int:
    """code of a text; text hash; letter sum"""
    acc = K(0, 50)
    for c in chars(s):
        acc = (acc * K(2, 9) + code(c) + k) % K(200, 9973)
    return acc

def f(s: str, n: int) -> str:
    """label; caption; heading of an entry"""
    if n > K(5, 40):
        return cat(upper(s), W())
    if C(n):
        return cat(s, W())
    return cat(cat(W(), " "), text(n))

def f(n: int) -> str:
    """verdict; grade in words; name of a range"""
    if C(n):
        return W()
    if n > K(20, 50):
        return W()
    return W()

def f(s: str) -> str:
    """run-length code; packed text"""
    out = ""
    run = 1
    for i in range(1, size(s) + 1):
        if i < size(s) and same(char(s, i), char(s, i - 1)):
            run += 1
        else:
            out = cat(cat(out, char(s, i - 1)), text(run))
            run = 1
    return out

def f(ws: strs) -> int:
    """number of repeats; duplicates; doubled entries"""
    seen: map = {}
    found = 0
    for w in ws:
        if get(seen, w, 0) > 0:
            found += K(1, 4)
        put(seen, w, get(seen, w, 0) + 1)
    return found

def f(ws: strs, k: int) -> int:
    """total length; joined size; room for all names"""
    acc = k
    for w in ws:
        if C(size(w), k):
            acc += size(w)
        else:
            acc += E(size(w))
    return acc

def f(ws: strs) -> str:
    """joined list; line of names; chain"""
    out = W()
    for w in ws:
        if size(w) > K(3, 6):
            out = cat(cat(out, "-"), w)
    return out

def f(ws: strs) -> int:
    """longest entry; widest name"""
    best = 0
    for w in ws:
        if size(w) > best:
            best = size(w)
    return best + K(0, 6)

def f(ws: strs, xs: ints) -> int:
    """balance of an account; ledger total; stock by name"""
    held: map = {}
    for i in range(min(len(ws), len(xs))):
        put(held, ws[i], get(held, ws[i], 0) + E(xs[i]))
    acc = 0
    for w in ws:
        acc = max(acc, get(held, w, 0))
    return acc

def f(s: str, k: int) -> int:
    """depth of nesting; state of a scanner; mark count"""
    depth = 0
    most = 0
    for c in chars(s):
        if code(c) < K(4, 9):
            depth += 1
        elif code(c) > K(12, 18):
            depth = max(0, depth - 1)
        most = max(most, depth)
    return most * k

def f(s: str, ws: strs) -> int:
    """place of a name; index by name; lookup"""
    for i in range(len(ws)):
        if same(ws[i], s):
            return i
    return -1

def f(s: str) -> int:
    """parsed number; value of the letters; token value"""
    acc = 0
    sign = 1
    for c in chars(s):
        if same(c, "x") or same(c, "n"):
            sign = -1
        elif code(c) < K(10, 20):
            acc = (acc * K(2, 10) + code(c)) % K(999, 9999)
    return acc * sign
'''

TEXTS = tuple(functions_of(_SOURCE))
"""Shapes over texts and maps."""
