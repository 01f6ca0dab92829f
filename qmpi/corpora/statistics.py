"""Statistics of a corpus, for people: how long, of what, how compressible, how rich.

Theory of operation. Tables are read of up to 256 shards spread over the corpus; words are counted
in the text of documents spread over up to 16 of them, two million characters in all, so the page
of a corpus of any size takes seconds. The growth of the vocabulary is that of distinct words over
words read, and its exponent (Heaps' law) the slope in logarithms over the last decade.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from qmpi.corpora.survey import FoundShard, find_shards, read_checked_facts, streams_in
from qmpi.errors import InputError
from qmpi.storage.corpus_index import TOKENIZER_NAME
from qmpi.storage.shard_reader import ShardReader
from qmpi.storage.tokenizer import Tokenizer

TABLE_SHARDS = 256
TEXT_SHARDS = 16
TEXT_CHARACTERS = 2_000_000
_WORD = re.compile(r"\w+")


class CorpusStatistics(Struct, frozen=True, kw_only=True):
    """What there is to say.

    Attributes:
        name: of the corpus or file.
        shards: in all.
        read_shards: whose tables were read; numbers below are of these.
        ratio: bytes of the ids to bytes of the files.
        types: tokens by type; "ingested" if not generated.
        levels: tokens by level, ascending.
        lengths: (tokens up to, documents), ascending, each bound about 1.4 times the one before.
        ratios: ratio of each shard read, by its number.
        growth: (words read, distinct ones).
        heaps: exponent of that growth; 0 if there is too little text.
        codecs: of the shards read; there is one in a corpus.
        codec_reason: why that one, if the corpus says.
    """

    name: str
    shards: int
    read_shards: int
    tokens: int
    documents: int
    bytes: int
    ratio: float
    types: dict[str, int]
    levels: tuple[tuple[int, int], ...]
    lengths: tuple[tuple[int, int], ...]
    ratios: tuple[tuple[int, float], ...]
    growth: tuple[tuple[int, int], ...]
    heaps: float
    codecs: tuple[str, ...] = ()
    codec_reason: str = ""


class _Sums:
    def __init__(self) -> None:
        self.tokens = self.documents = self.bytes = self.id_bytes = 0
        self.types: Counter[str] = Counter()
        self.levels: Counter[int] = Counter()
        self.lengths: Counter[int] = Counter()
        self.ratios: list[tuple[int, float]] = []
        self.codecs: set[str] = set()

    def add(self, number: int, shard: FoundShard) -> None:
        reader = ShardReader(shard.path)
        try:
            size = shard.path.stat().st_size
            self.tokens += reader.tokens
            self.documents += len(reader.document_offsets)
            self.codecs.add(str(reader.codec))
            self.bytes += size
            self.id_bytes += reader.tokens * reader.dtype.itemsize
            self.ratios.append((number, reader.tokens * reader.dtype.itemsize / max(1, size)))
            share = reader.tokens // max(1, len(reader.addresses))
            for (kind, level), blocks in streams_in(reader).items():
                self.types[kind] += blocks * share
                self.levels[level] += blocks * share
            if not reader.addresses:
                self.types["ingested"] += reader.tokens
            bounds = [*reader.document_offsets.tolist(), reader.tokens]
            self.lengths.update(bucket(bounds[k + 1] - bounds[k]) for k in range(len(bounds) - 1))
        finally:
            reader.close()


def corpus_statistics(path: Path) -> CorpusStatistics:
    """Look at a corpus or a shard.

    Args:
        path: a corpus directory or a shard.

    Returns:
        Its statistics.

    Raises:
        InputError: it is neither.
        CorruptData: a shard that was looked at is damaged.
    """
    shards = find_shards([path])
    if not shards:
        raise InputError(f"{path} holds no shards")
    looked = spread_over(shards, TABLE_SHARDS)
    sums = _Sums()
    for number, shard in looked:
        sums.add(number, shard)
    growth = _growth([shard for _, shard in spread_over(shards, TEXT_SHARDS)])
    return CorpusStatistics(
        name=path.absolute().name,
        shards=len(shards),
        read_shards=len(looked),
        tokens=sums.tokens,
        documents=sums.documents,
        bytes=sums.bytes,
        ratio=sums.id_bytes / max(1, sums.bytes),
        types=dict(sorted(sums.types.items())),
        levels=tuple(sorted(sums.levels.items())),
        lengths=tuple(sorted(sums.lengths.items())),
        ratios=tuple(sums.ratios),
        growth=growth,
        heaps=heaps_exponent(growth),
        codecs=tuple(sorted(sums.codecs)),
        codec_reason=_codec_reason(shards),
    )


def _codec_reason(shards: Sequence[FoundShard]) -> str:
    corpus = shards[0].corpus
    facts = read_checked_facts(corpus)[0] if corpus is not None else None
    return facts.codec_reason if facts is not None else ""


def bucket(tokens: int) -> int:
    """Return the upper bound of the class of lengths that a document belongs to.

    Args:
        tokens: of the document.

    Returns:
        The least power of the square root of two, rounded down, that is no less.
    """
    if tokens < 1:
        return 1
    # In whole numbers: logarithms round off past 32 bits.
    step = (tokens * tokens - 1).bit_length()
    return math.isqrt(1 << step)


def spread_over(shards: Sequence[FoundShard], most: int) -> list[tuple[int, FoundShard]]:
    """Choose shards evenly.

    Args:
        shards: all.
        most: to choose.

    Returns:
        (number, shard) of at most so many, first and last among them.
    """
    count = len(shards)
    if count <= most:
        return list(enumerate(shards))
    return [(k, shards[k]) for k in (n * (count - 1) // (most - 1) for n in range(most))]


def heaps_exponent(growth: Sequence[tuple[int, int]]) -> float:
    """Return how fast the vocabulary grows: V ~ N**exponent.

    Args:
        growth: (words, distinct words), ascending.

    Returns:
        Slope over the last decade of words; 0 if there is too little.
    """
    if not growth or growth[-1][0] < 1000:
        return 0.0
    words, distinct = growth[-1]
    early = [point for point in growth if point[0] <= words / 10] or [growth[0]]
    before, then = early[-1]
    if words <= before or not then:
        return 0.0
    return math.log(distinct / then) / math.log(words / before)


def _growth(shards: Sequence[FoundShard]) -> tuple[tuple[int, int], ...]:
    room = TEXT_CHARACTERS // max(1, len(shards))
    seen: set[str] = set()
    words, due = 0, 64.0
    points: list[tuple[int, int]] = []
    # Reading a tokenizer costs 0.4 s, as much as all the text of a shard.
    folders = dict.fromkeys(shard.path.parent for shard in shards)
    paths = [folder / TOKENIZER_NAME for folder in folders]
    tokenizers = {path.parent: Tokenizer.load(path) for path in paths if path.exists()}
    for shard in shards:
        tokenizer = tokenizers.get(shard.path.parent)
        for text in _texts(shard, tokenizer, room) if tokenizer else ():
            for word in _WORD.findall(text):
                seen.add(word.lower())
                words += 1
                if words >= due:
                    points.append((words, len(seen)))
                    due *= 1.1
    return (*points, (words, len(seen))) if words else ()


def _texts(shard: FoundShard, tokenizer: Tokenizer, room: int) -> list[str]:
    """Read documents spread over a shard, about `room` characters of them.

    Returns:
        Their texts.
    """
    reader = ShardReader(shard.path)
    try:
        bounds = [*reader.document_offsets.tolist(), reader.tokens]
        documents = len(bounds) - 1
        # About four characters a token: enough documents for the room, whatever they hold.
        wanted = max(1, room * documents // max(1, 3 * reader.tokens))
        stride = max(1, documents // wanted)
        texts: list[str] = []
        for k in range(0, documents, stride):
            ids = reader.read(bounds[k], min(bounds[k + 1] - bounds[k], room))
            texts.append(tokenizer.decode(ids.tolist())[:room])
            room -= len(texts[-1])
            if room <= 0:
                break
        return texts
    finally:
        reader.close()
