"""Codecs on ids, weights, gradients and text: ratio, speed, and what `auto` loses by its choice.

Run: python tests/benchmarks/bench_codecs.py [--text FOLDER ...] [--mb N] [--json FILE]; without
folders, the sources of this Python; --corpus DIR: its ids alone; --keep FOLDER: ids of real text
that `bench_reader --keep` left there. Speeds are decoded bytes a CPU
second of one thread. Where `constriction` is installed, its entropy coder stands beside the codecs;
no codec of ours needs it.
"""

import argparse
import json
import pathlib
import sys
from pathlib import Path

import numpy as np
from codec_samples import generated_ids, real_ids, real_texts
from codec_timing import chunks_of, timed
from id_coders import of_ids
from reader_data import IDS_NAME

from qmpi.policy.codec_choice import CodecTrial, Way, choose_codec, seconds_a_byte
from qmpi.storage.codec_names import codec_named
from qmpi.storage.codecs import compress, decompress
from qmpi.storage.corpus import Corpus
from qmpi.storage.corpus_index import TOKENIZER_NAME
from qmpi.storage.tokenizer import Tokenizer

FAST = ("none", "zlib:6", "gzip:6", "blosc2-lz4:9", "blosc2-lz4-bytes:5", "blosc2-zstd:1",
        "blosc2-zstd:3", "blosc2-zstd:5", "blosc2-zstd:7", "blosc2-zstd-bytes:3",
        "blosc2-zstd-bytes:5")  # fmt: skip
SLOW = ("bz2:9", "lzma:6", "blosc2-zstd:8", "blosc2-zstd:9")
"""Those that compress at a few MB/s: they get less data."""
CHUNKS = (256 << 10, 1 << 20, 64 << 10, 4 << 20)
USUAL = 256 << 10
RATES = (50e6, 200e6, 1e9, 10e9)
"""Of the way, bytes a second: a busy file server, a fair one, a disk, a network."""


def say(text):
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def trial(name, chunks):
    """Measure a codec on chunks."""
    codec = codec_named(name)
    out = np.empty_like(chunks[0])
    compress(codec, chunks[0][:1])  # libraries are loaded on first use
    frames, packing = timed(lambda: [compress(codec, chunk) for chunk in chunks], 0.0001)

    def unpack():
        for frame in frames:
            decompress(codec, frame, out)

    _, unpacking = timed(unpack)
    assert np.array_equal(out, chunks[-1])
    size = sum(chunk.nbytes for chunk in chunks)
    ratio = size / sum(map(len, frames))
    return CodecTrial(name, ratio, size / packing, size / unpacking)


def trials(names, data, size, most):
    """Measure codecs; slow ones on a quarter of the data."""
    chunks = chunks_of(data, size)[: max(1, most // size)]
    return [trial(n, chunks[: max(1, len(chunks) // 4)] if n in SLOW else chunks) for n in names]


def regrets(kind, data, names, size, most):
    """How much longer auto's choice takes than the best, on data that it did not see, by way."""
    half = data.size // 2
    seen = trials(names, data[:half], size, min(most, 4 * size))
    unseen = trials(names, data[half:], size, most)
    rows = []
    for rate in RATES:
        way = Way(rate=rate)
        name = choose_codec(seen, way).name
        times = {found.name: seconds_a_byte(found, way) for found in unseen}
        best = min(times, key=times.__getitem__)
        rows.append((kind, rate, name, best, times[name] / times[best] - 1))
    return rows


def show(kind, size, found, per_token):
    """Print a table."""
    say(f"\n### {kind}, chunks of {size >> 10} KiB\n")
    more = " bytes a token |" if per_token else ""
    say(f"| codec | ratio |{more} compress, MB/s | decode, MB/s |")
    say("|---|---|---|---|" + ("---|" if per_token else ""))
    for row in found:
        token = f" {2 / row.ratio:.2f} |" if per_token else ""
        rates = f"{row.compress_rate / 1e6:,.0f} | {row.decode_rate / 1e6:,.0f}"
        say(f"| {row.name} | {row.ratio:.2f} |{token} {rates} |")


def kinds_of(options, most):
    """Yield kinds of data with their names, made as they are needed."""
    if options.corpus:
        corpus = Corpus.open(Path(options.corpus))
        yield f"ids of {corpus.facts.name}", corpus.read(0, min(corpus.tokens, most))
        return
    texts = real_texts(options.text, 4 * most)
    if options.keep:
        ids = np.load(Path(options.keep) / IDS_NAME)[: most // 2]
        tokenizer = Tokenizer.load(Path(options.keep) / TOKENIZER_NAME)
    else:
        ids, tokenizer = real_ids(texts, options.tokenizer)
    yield "ids of real text", ids
    yield "ids of generated text", generated_ids(most // 2)
    yield "text", np.frombuffer("".join(texts).encode()[:most], np.uint8)
    from codec_states import floats, trained  # torch is loaded when its turn has come

    yield from floats(trained(tokenizer, texts)).items()


def measured(options):
    """Measure everything; yield (kind, size of chunks, trials)."""
    most = options.mb << 20
    for kind, data in kinds_of(options, most):
        is_ids = kind.startswith("ids")
        for size in CHUNKS if is_ids else (USUAL, 1 << 20):
            found = trials(FAST + SLOW, data, size, most)
            show(kind, size, found, is_ids)
            yield kind, size, found
            if is_ids and size == USUAL:
                beside = of_ids(data[: most // 2], size)
                show(f"{kind}, beside the codecs", size, beside, is_ids)
                yield kind, size, beside
        lost = regrets(kind, data, FAST + SLOW, USUAL, most)
        for _, rate, name, best, regret in lost:
            say(f"auto at {rate / 1e6:,.0f} MB/s: {name}; best {best}; longer by {regret:.1%}")
        options.regrets += lost


def main():
    """Print all tables; with --json keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", action="append", default=[], metavar="FOLDER")
    parser.add_argument("--corpus", metavar="DIR", help="its ids alone, and nothing else")
    parser.add_argument("--tokenizer", metavar="FILE", help="where the vocabulary is kept")
    parser.add_argument("--keep", metavar="FOLDER", help="ids and vocabulary of bench_reader")
    parser.add_argument("--mb", type=int, default=16, help="MiB of each kind")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    options.regrets = []
    tables = [
        {"kind": kind, "chunk_bytes": size, "codec": row.name, "ratio": row.ratio,
         "compress": row.compress_rate, "decode": row.decode_rate}
        for kind, size, found in measured(options) for row in found
    ]  # fmt: skip
    say("\n### What auto loses\n\n| kind | way, MB/s | chosen | best | longer by |")
    say("|---|---|---|---|---|")
    for kind, rate, name, best, regret in options.regrets:
        say(f"| {kind} | {rate / 1e6:,.0f} | {name} | {best} | {regret:.1%} |")
    if options.json:
        with pathlib.Path(options.json).open("w", encoding="utf-8") as file:
            json.dump({"tables": tables, "regrets": options.regrets}, file, indent=1)


if __name__ == "__main__":
    main()
