"""Documents of shards as text, with their addresses."""

from itertools import zip_longest
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from qmpi.corpora.survey import find_shards
from qmpi.errors import InputError
from qmpi.storage.corpus_index import TOKENIZER_NAME
from qmpi.storage.origins import Origin, read_origins
from qmpi.storage.shard_reader import ShardReader
from qmpi.storage.tokenizer import Tokenizer
from qmpi.units import brief

MOST_TOKENS = 1 << 16
"""Of one document that is shown."""


class ShownDocument(Struct, frozen=True):
    """One document.

    Attributes:
        address: TYPE/LEVEL/LANGUAGE/TOKEN for a generated one, where TOKEN is the offset of its
            first token in its stream; "shard NAME, document N" for another.
        block: number of its block in the stream; -1 unless generated.
        number: in its block, or in the shard.
        tokens: of the document.
        text: of the document, without the token that ends it.
        origin: where it was ingested from; None for a generated one.
    """

    address: str
    block: int
    number: int
    tokens: int
    text: str
    origin: Origin | None = None


def first_documents(path: Path, count: int) -> list[ShownDocument]:
    """Return the first documents of a corpus or shard.

    Args:
        path: a corpus directory or a shard.
        count: how many, >= 1.

    Returns:
        At most so many.

    Raises:
        InputError: no tokenizer lies beside the shards.
        CorruptData: a shard is damaged.
    """
    found: list[ShownDocument] = []
    for shard in find_shards([path]):
        tokenizer = shard.path.parent / TOKENIZER_NAME
        if not tokenizer.exists():
            raise InputError(f"no {TOKENIZER_NAME} beside {shard.path}: its ids mean nothing")
        reader = ShardReader(shard.path)
        try:
            shown = documents_in(reader, Tokenizer.load(tokenizer), shard.path.name, count)
        finally:
            reader.close()
        origins = read_origins(shard.path.parent, shard.path.name)[: len(shown)]
        found += [replace(d, origin=origin) for d, origin in zip_longest(shown, origins)]
        count -= len(shown)
        if count <= 0:
            break
    return found


def documents_in(
    reader: ShardReader, tokenizer: Tokenizer, name: str, count: int
) -> list[ShownDocument]:
    """Return the first documents of an open shard.

    Args:
        reader: the shard.
        tokenizer: that it was written with.
        name: of the shard.
        count: how many.

    Returns:
        At most so many.

    Raises:
        InputError: the tokenizer is another one.
    """
    if tokenizer.digest != reader.tokenizer_digest:
        raise InputError(
            f"{name} was written with another tokenizer ({brief(reader.tokenizer_digest)}) than "
            f"lies beside it ({brief(tokenizer.digest)})"
        )
    starts = reader.document_offsets[: count + 1].tolist()
    ends = [*starts[1:], reader.tokens]
    shown: list[ShownDocument] = []
    for number, (start, end) in enumerate(zip(starts[:count], ends, strict=False)):
        ids = reader.read(start, min(end - start, MOST_TOKENS)).tolist()
        address, block, place = _address(reader, name, number, start)
        # By id: text that spells the token is text.
        while ids and ids[-1] == tokenizer.end_of_text:
            ids.pop()
        text = tokenizer.decode(ids)
        shown.append(ShownDocument(address, block, place, end - start, text))
    return shown


def _address(reader: ShardReader, name: str, number: int, start: int) -> tuple[str, int, int]:
    if not reader.addresses:
        return f"shard {name}, document {number}", -1, number
    size = reader.tokens // len(reader.addresses)
    address = reader.addresses[start // size]
    token = address.block * size + start - address.start
    return f"{address.stream}/{token}", address.block, int(reader.document_numbers[number])
