"""A library that prints on its own account is kept from it, where its error is told in words.

The tokenizer library is written in Rust: where it meets data that it cannot bear, it first prints a
stack trace of its own to the process's standard error, and only then raises.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STANDARD_ERROR = 2


@contextmanager
def unprinted() -> Iterator[None]:
    """Let nothing reach standard error in the body; for short calls, on one thread.

    Yields:
        Nothing.
    """
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        saved = os.dup(STANDARD_ERROR)
    except OSError:
        yield  # it is closed
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, STANDARD_ERROR)
    os.close(sink)
    try:
        yield
    finally:
        os.dup2(saved, STANDARD_ERROR)
        os.close(saved)
