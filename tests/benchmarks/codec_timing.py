"""Chunks of a sample, and the time that some work on them takes."""

import time

import numpy as np


def chunks_of(data, size):
    """Cut an array into whole chunks of so many bytes; at least one."""
    count = max(1, data.nbytes // size)
    items = min(data.size, size // data.itemsize)
    return [np.ascontiguousarray(data[k * items : (k + 1) * items]) for k in range(count)]


def timed(work, least=0.05):
    """Return what some work gives and its CPU seconds: the least of a few runs."""
    best, spent, result = float("inf"), 0.0, None
    while spent < least:
        begun = time.thread_time()
        result = work()
        once = time.thread_time() - begun
        best, spent = min(best, once), spent + max(once, 1e-6)
    return result, max(best, 1e-9)
