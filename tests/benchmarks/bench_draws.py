"""Draws documents at random addresses over the whole range: no exception, no repeat, bounded time.

Prints one line a type: documents, repeats, the longest text, median and longest processor time of
one document. A document that does not end is given up and named, as is one that fails. Exit code 1
if there was such a document or a repeat, or one took longer than the limit.

Run: python tests/benchmarks/bench_draws.py [--type T] [--documents 1000000] [--seed S] [--json]
"""

import argparse
import hashlib
import json
import resource
import signal
import statistics
import sys
import time

from qmpi.content.address import TYPES, generator_key
from qmpi.content.catalogue import write_document
from qmpi.content.lexicons import lexicon_digest
from qmpi.content.survey import addresses

LIMIT_SECONDS = 1.0
"""Tables are made when first used, so the first documents of a level take longest."""
HUNG_SECONDS = 30.0
MEMORY_BYTES = 4 << 30
"""Of the process: what never ends tends to grow."""


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--type", choices=[*TYPES, "all"], default="all")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def give_up(*_):
    raise TimeoutError(f"not ended within {HUNG_SECONDS} s")


def written(key, address):
    """Return the text at an address, or what went wrong."""
    signal.setitimer(signal.ITIMER_REAL, HUNG_SECONDS)
    try:
        return write_document(key, *address).text, ""
    except Exception as error:  # noqa: BLE001 - whatever it is, its address is wanted
        return "", f"{address[0]} index {address[1].index}: {error!r}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def drawn(type_name, count, seed):
    """Return what came of drawing a type."""
    signal.signal(signal.SIGALRM, give_up)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    key = generator_key(lexicon_digest(), seed)
    seen, repeats, longest, seconds, slowest, wrong = set(), 0, 0, [], (0.0, ""), []
    for stream, place in addresses(type_name, count, seed):
        start = time.process_time()
        text, fault = written(key, (stream, place))
        took = time.process_time() - start
        if fault:
            wrong.append(fault)
            continue
        # Sixteen bytes of a hash: that two different texts share it is out of the question.
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        repeats += digest in seen
        seen.add(digest)
        longest = max(longest, len(text))
        slowest = max(slowest, (took, f"{stream} index {place.index}"))
        if len(seconds) < 100_000:
            seconds.append(took)
    return {
        "type": type_name,
        "documents": count,
        "repeats": repeats,
        "wrong": wrong,
        "longest_characters": longest,
        "median_ms": round(1000 * statistics.median(seconds), 3),
        "slowest_ms": round(1000 * slowest[0], 1),
        "slowest_at": slowest[1],
    }


def main():
    chosen = options()
    failed = False
    for type_name in TYPES if chosen.type == "all" else [chosen.type]:
        result = drawn(type_name, chosen.documents, chosen.seed)
        failed |= bool(result["repeats"] or result["wrong"])
        failed |= result["slowest_ms"] > 1000 * LIMIT_SECONDS
        text = (
            json.dumps(result) if chosen.json else "  ".join(f"{k} {v}" for k, v in result.items())
        )
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
