"""Speed of each stage of an ingestion, and how well near-duplicates are found; asserts nothing.

Run: python tests/benchmarks/bench_ingest.py [PATH...]; without paths, the sources of this Python
and of what is installed. Speeds are MB of decompressed text a CPU second of one process.
"""

import json
import random
import resource
import sys
import sysconfig
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from qmpi.ingest.corpus import IngestOptions, prepare_ingest, publish
from qmpi.ingest.dedup.near import shingles
from qmpi.ingest.judge.rules import thresholds
from qmpi.ingest.stages import CLEAN, IngestPlan
from qmpi.ingest.word_hashes import WordHasher, words_of
from qmpi.storage.origins import all_origins

PLANTED = 4000


def say(text):
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def stages(paths, out, options):
    """Run all stages and print their speed."""
    prepared = prepare_ingest(paths, out, options)
    plan = IngestPlan(prepared.spec, prepared.work)
    read = 0
    for stage, name in enumerate(plan.stages):
        units = plan.units(stage)
        begun = time.process_time()
        reports = [plan.run(stage, unit, lambda _progress: None) for unit in range(units)]
        seconds = time.process_time() - begun
        if stage == CLEAN:
            read = sum(plan_meta.bytes_read for plan_meta, _ in _metas(plan, len(plan.slices)))
        size = sum(plan.weight(stage, unit) for unit in range(units)) or read
        size = read if stage == CLEAN else size
        documents = sum(report.documents for report in reports)
        speed = f"{size / 1e6 / max(seconds, 1e-9):8.1f} MB/s" if size else " " * 13
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        say(f"  {name:10}{units:6} units {seconds:8.2f} CPU s {speed} {documents:9,} documents, "
            f"peak so far {peak:.0f} MiB")  # fmt: skip
    plan.finish()
    return publish(prepared)


def _metas(plan, units):
    results = plan._results()
    return [next(results) for _ in range(units)]


def speeds(paths, folder):
    """Print the speed of ever more work on the same text."""
    kinds = {
        "equal documents only": IngestOptions(vocab_size=8192),
        "near-duplicates": IngestOptions(vocab_size=8192, near_duplicates=0.8),
        "near-duplicates, rules light": IngestOptions(
            vocab_size=8192, near_duplicates=0.8, rules=thresholds("light", {})
        ),
        "near-duplicates, rules web": IngestOptions(
            vocab_size=8192, near_duplicates=0.8, rules=thresholds("web", {})
        ),
        "the same and languages": IngestOptions(
            vocab_size=8192, near_duplicates=0.8, rules=thresholds("web", {}), languages=("en",)
        ),
    }
    for name, options in kinds.items():
        say(f"{name}:")
        report = stages(paths, folder / name.replace(" ", "-"), options)
        facts = report.facts
        left = sum(facts.left_out.values())
        say(f"  {report.bytes_read / 1e6:.1f} MB read, {facts.documents:,} documents kept, "
            f"{left:,} left out; {facts.tokens:,} tokens")  # fmt: skip


def planted(folder):
    """Plant documents of known similarity and print how many are found."""
    draw = random.Random(11)
    hasher = WordHasher()
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 10)))
             for _ in range(20_000)]  # fmt: skip
    texts, truth = [], {}
    for number in range(PLANTED):
        if number % 2 and draw.random() < 0.7:
            source = texts[number - 1].split()
            for _ in range(draw.randint(0, len(source) // 12)):
                source[draw.randrange(len(source))] = draw.choice(words)
            texts.append(" ".join(source))
            one, two = (set(shingles(hasher.hashes(words_of(t))).tolist()) for t in texts[-2:])
            truth[number + 1] = len(one & two) / len(one | two)
        else:
            texts.append(" ".join(draw.choices(words, k=draw.randint(60, 600))))
    path = folder / "planted.jsonl"
    path.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    options = IngestOptions(vocab_size=300, near_duplicates=0.8)
    prepared = prepare_ingest([path], folder / "planted", options)
    plan = IngestPlan(prepared.spec, prepared.work)
    for stage in range(len(plan.stages)):
        for unit in range(plan.units(stage)):
            plan.run(stage, unit, lambda _progress: None)
    plan.finish()
    publish(prepared)
    kept = {origin.record for origin in all_origins(folder / "planted")}
    gone = set(range(1, PLANTED + 1)) - kept
    bands = defaultdict(list)
    for number, similarity in truth.items():
        bands[min(0.95, int(similarity * 20) / 20)].append(number in gone)
    say(f"planted: {len(truth)} edited copies among {PLANTED} documents, threshold 0.8")
    for low in sorted(bands):
        hits = bands[low]
        say(f"  true similarity {low:.2f} to {low + 0.05:.2f}: {sum(hits)} of {len(hits)} left out")
    over = {number for number, similarity in truth.items() if similarity >= 0.8}
    say(f"  recall {len(gone & over) / len(over):.4f}, "
        f"precision {len(gone & over) / len(gone):.4f}, "
        f"precision at 0.75 {sum(truth.get(n, 0) >= 0.75 for n in gone) / len(gone):.4f}, "
        f"not planted but left out: {len(gone - set(truth))}")  # fmt: skip


def main():
    """Print all figures."""
    paths = [Path(name) for name in sys.argv[1:]] or [
        Path(sysconfig.get_path("stdlib")),
    ]
    with tempfile.TemporaryDirectory() as folder:
        planted(Path(folder))
        speeds(paths, Path(folder))


if __name__ == "__main__":
    main()
