"""A rank of a job whose chunks come slowly: `python slow_files.py SECONDS MBPS JOB ...`.

Each read of a chunk sleeps for the latency, and for its bytes at the rate. Latencies of several
threads pass at once, bytes go one after another, as over one link. Not for anything but benchmarks.
"""

import sys

if not sys.flags.safe_path:
    sys.path.pop(0)

import threading
import time

from qmpi.storage.shard_chunks import ShardChunks
from qmpi.storage.watched_file import WatchedFile


def slow_down(latency_seconds: float, megabytes_per_second: float) -> None:
    """Have each chunk of this process come later.

    Args:
        latency_seconds: added to each read.
        megabytes_per_second: rate at which its bytes come after that.
    """
    quick, link = ShardChunks.frame, threading.Lock()

    def frame(chunks: ShardChunks, file: WatchedFile, number: int) -> bytes:
        data = quick(chunks, file, number)
        time.sleep(latency_seconds)
        with link:
            time.sleep(len(data) / (megabytes_per_second * 1e6))
        return data

    ShardChunks.frame = frame  # pyright: ignore[reportAttributeAccessIssue]


if __name__ == "__main__":
    latency, rate = float(sys.argv.pop(1)), float(sys.argv.pop(1))
    slow_down(latency, rate)
    from qmpi.main import main

    main()
