"""Coders of ids that are no codecs of ours, set beside them: would one of them pay?

15 bits an id, differences, Huffman codes, an entropy coder (where `constriction` is installed), a
start that all chunks may copy from, a trained dictionary, ids by rank of frequency: as they are,
with the two bytes apart, and in as few bytes as each needs.
"""

import numpy as np
import zstandard
from codec_samples import VOCABULARY
from codec_timing import chunks_of, timed

from qmpi.policy.codec_choice import CodecTrial

_DICTIONARY = 112 << 10
"""Bytes of a trained dictionary, as zstd's own tool makes it."""


def packed(ids):
    """Fifteen bits an id, by numpy."""
    bits = np.unpackbits(ids.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)[:, 1:]
    return np.packbits(bits)


def unpacked(data, count):
    """Ids from fifteen bits each."""
    bits = np.unpackbits(data, count=15 * count).reshape(count, 15)
    whole = np.zeros((count, 16), np.uint8)
    whole[:, 1:] = bits
    return np.packbits(whole, axis=1).view(">u2").reshape(-1)


def of_ids(ids, size):
    """What suits ids alone: bits, differences, Huffman codes, an entropy coder, a shared start."""
    chunks = chunks_of(ids, size)
    rows = [_row("15 bits an id", chunks, packed, lambda data: unpacked(data, chunks[0].size))]
    bits = zstandard.ZstdCompressor(level=9)
    plain = zstandard.ZstdDecompressor()

    def differences(chunk):
        return bits.compress(np.diff(chunk, prepend=chunk.dtype.type(0)).tobytes())

    def summed(data):
        return np.cumsum(np.frombuffer(plain.decompress(data), "<u2"), dtype="<u2")

    rows.append(_row("differences, zstd 9", chunks, differences, summed))
    huffman = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters.from_level(
            1, window_log=10, min_match=7, target_length=0, strategy=zstandard.STRATEGY_FAST
        )
    )
    rows.append(_row("zstd, hardly more than Huffman", chunks,
                     lambda c: huffman.compress(c.tobytes()), plain.decompress))  # fmt: skip
    starts = [start for start in (1 << 20, 4 << 20) if start + size <= ids.nbytes]
    rows += [_shared(chunks, ids, start) for start in starts]
    return [*rows, _trained(chunks), *_ranked(chunks, ids), *_entropy_coded(chunks)]


def _trained(chunks):
    # Trained on the first half, tried on the other.
    half = max(1, len(chunks) // 2)
    samples = [bytes(part) for c in chunks[:half] for part in np.array_split(c.view(np.uint8), 32)]
    known = zstandard.train_dictionary(_DICTIONARY, samples)
    known.precompute_compress(level=5)
    coder = zstandard.ZstdCompressor(dict_data=known)
    decoder = zstandard.ZstdDecompressor(dict_data=known)
    return _row("zstd 5 with a trained dictionary of 112 KiB", chunks[half:] or chunks,
                lambda c: coder.compress(c.tobytes()), decoder.decompress)  # fmt: skip


def _ranked(chunks, ids):
    """Ids whose numbers are their ranks: frequent ones are small."""
    order = np.argsort(-np.bincount(ids, minlength=1 << 16), kind="stable").astype("<u2")
    rank = np.empty(1 << 16, "<u2")
    rank[order] = np.arange(1 << 16, dtype="<u2")
    coder, decoder = zstandard.ZstdCompressor(level=5), zstandard.ZstdDecompressor()

    def ranked(chunk):
        return coder.compress(rank[chunk].tobytes())

    def unranked(data):
        return order[np.frombuffer(decoder.decompress(data), "<u2")]

    def apart(chunk):
        low, high = rank[chunk].view(np.uint8).reshape(-1, 2).T.copy()
        return coder.compress(high), coder.compress(low)

    def together(planes):
        high, low = (np.frombuffer(decoder.decompress(plane), np.uint8) for plane in planes)
        return order[high.astype("<u2") << 8 | low]

    few = chunks[: max(1, len(chunks) // 8)]
    return [
        _row("by rank, zstd 5", chunks, ranked, unranked),
        _row("by rank, two planes of bytes, zstd 5", chunks, apart, together),
        _row("by rank, one or two bytes an id, zstd 5", few,
             lambda c: coder.compress(_short(rank[c])),
             lambda data: order[_long(decoder.decompress(data))]),
    ]  # fmt: skip


_ONE_BYTE = 128
"""Ranks below it take one byte; others two, the first of which has its highest bit set."""


def _short(ranks):
    wide = ranks >= _ONE_BYTE
    places = np.cumsum(1 + wide) - 1
    out = np.empty(places[-1] + 1, np.uint8)
    out[places] = ranks & 0xFF
    out[places[wide] - 1] = _ONE_BYTE | ranks[wide] >> 8
    out[places[~wide]] = ranks[~wide]
    return out.tobytes()


def _long(data):
    found = np.frombuffer(data, np.uint8)
    # A low byte may look like a first one: after each wide beginning one byte is skipped.
    first = np.zeros(found.size, bool)
    at, size = 0, found.size
    while at < size:
        first[at] = True
        at += 2 if found[at] >= _ONE_BYTE else 1
    begin = np.flatnonzero(first)
    ranks = found[begin].astype("<u2")
    wide = ranks >= _ONE_BYTE
    ranks[wide] = (ranks[wide] & (_ONE_BYTE - 1)) << 8 | found[begin[wide] + 1]
    return ranks


def _shared(chunks, ids, start):
    # A start that all chunks may copy from, as if it stood before each of them.
    head = zstandard.ZstdCompressionDict(
        ids[: start // 2].tobytes(), dict_type=zstandard.DICT_TYPE_RAWCONTENT
    )
    head.precompute_compress(level=9)
    coder = zstandard.ZstdCompressor(dict_data=head)
    decoder = zstandard.ZstdDecompressor(dict_data=head)
    later = [chunk for k, chunk in enumerate(chunks) if k * chunk.nbytes >= start]
    name = f"zstd 9 behind a shared start of {start >> 20} MiB"
    return _row(name, later, lambda c: coder.compress(c.tobytes()), decoder.decompress)


def _entropy_coded(chunks):
    try:
        import constriction
    except ImportError:
        return []
    counts = np.bincount(np.concatenate(chunks), minlength=VOCABULARY) + 1e-3
    model = constriction.stream.model.Categorical(counts / counts.sum(), perfect=False)

    def coded(chunk):
        coder = constriction.stream.stack.AnsCoder()
        coder.encode_reverse(chunk.astype(np.int32), model)
        return coder.get_compressed()

    def decoded(data):
        return constriction.stream.stack.AnsCoder(data).decode(model, chunks[0].size)

    few = chunks[: max(1, len(chunks) // 8)]
    return [_row("ANS of order 0, one table for all", few, coded, decoded)]


def _row(name, chunks, pack, unpack):
    frames, packing = timed(lambda: [pack(chunk) for chunk in chunks], 0.0001)
    results, unpacking = timed(lambda: [unpack(frame) for frame in frames])
    last = results[-1]
    ids = np.frombuffer(last, "<u2") if isinstance(last, bytes) else last
    assert np.array_equal(ids, chunks[-1])
    size = sum(chunk.nbytes for chunk in chunks)
    held = sum(_size(frame) for frame in frames)
    return CodecTrial(name, size / held, size / packing, size / unpacking)


def _size(frame):
    return sum(map(len, frame)) if isinstance(frame, tuple) else memoryview(frame).nbytes
