"""What is freed stays with the process."""

import subprocess
import sys

import pytest

BLOCK = 8 << 20
PAGE = 4096
SCRIPT = f"""
import resource, sys, threading
from qmpi.runtime.heap import keep_memory
if sys.argv[1] == "kept" and not keep_memory():
    sys.exit(3)
found = []
def ask():
    bytearray({BLOCK})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        # Of two sizes, none of them above what the default learns to keep.
        bytearray({BLOCK}), bytearray({5 * BLOCK})
    found.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
thread = threading.Thread(target=ask)
thread.start()
thread.join()
print(found[0])
"""


def faults(how):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode == 3:
        pytest.skip("no glibc")
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_pages_are_asked_for_once():
    pages = 6 * BLOCK // PAGE
    assert faults("kept") < 2 * pages
    assert faults("default") > 10 * pages
