"""Documents at random addresses, verified: a sample of what the generator can say.

Theory of operation. The addresses come from keyed draws over all blocks, levels and varieties of
the type, so a sample can be repeated and no part of the range is left out.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from qmpi.content.address import STREAM_BLOCKS, Place, Stream, varieties_of
from qmpi.content.block_maker import BlockMaker
from qmpi.content.catalogue import CLOSERS_FROM, write_document
from qmpi.content.counter import Draw
from qmpi.content.document import Document
from qmpi.content.verify.certificate import count_facts, faults_of

_CLOSERS_PERCENT = 4


class Failure(Struct, frozen=True):
    """A document that says something untrue.

    Attributes:
        stream: its stream.
        index: its index in the stream.
        faults: what is wrong, in words.
    """

    stream: str
    index: int
    faults: tuple[str, ...]


class Verified(Struct, frozen=True):
    """What a verified sample came to.

    Attributes:
        documents: how many.
        facts: how many facts and problems were checked.
        failures: documents with faults.
    """

    documents: int
    facts: int
    failures: tuple[Failure, ...]


def addresses(
    type_name: str, count: int, seed: int, levels: tuple[int, int] = (1, 100)
) -> Iterator[tuple[Stream, Place]]:
    """Draw addresses over the whole range of a type.

    Args:
        type_name: content type.
        count: how many.
        seed: of the sample.
        levels: lowest and highest.

    Yields:
        Streams and places.
    """
    draw = Draw(f"sample/{type_name}/{seed}".encode())
    varieties = varieties_of(type_name)
    for _ in range(count):
        variety = draw.choice(varieties) if varieties[1:] else varieties[0]
        stream = Stream(type_name, draw.between(*levels), variety)
        last = draw.chance(_CLOSERS_PERCENT)
        number = CLOSERS_FROM + draw.below(120) if last else draw.below(CLOSERS_FROM)
        yield stream, Place(draw.below(STREAM_BLOCKS), number)


def verify_sample(key: bytes, sample: Sequence[tuple[Stream, Place]]) -> Verified:
    """Make and verify documents.

    Args:
        key: from `generator_key`.
        sample: their addresses.

    Returns:
        Counts and failures.
    """
    facts = 0
    failures: list[Failure] = []
    for stream, place in sample:
        document = write_document(key, stream, place)
        facts += count_facts(document)
        faults = faults_of(document)
        if faults:
            failures.append(Failure(str(stream), place.index, tuple(faults)))
    return Verified(len(sample), facts, tuple(failures))


class Origin(Struct, frozen=True):
    """Where a token comes from.

    Attributes:
        stream: of the token.
        token: its offset in the stream.
        block: number of its block.
        index: of its document in the stream; None for padding at the end of a block.
        offset: of the token in its document.
        document: with its certificate; None for padding.
    """

    stream: str
    token: int
    block: int
    index: int | None
    offset: int
    document: Document | None


def origin_of(maker: BlockMaker, stream: Stream, token: int) -> Origin:
    """Go from a token back to its document; costs one block.

    Args:
        maker: of the job's blocks.
        stream: of the token.
        token: its offset in the stream, below 2**60.

    Returns:
        Document and certificate.
    """
    number, offset = divmod(token, 1 << 16)
    block = maker.make(stream, number)
    document = block.number_at(offset)
    if document is None:
        return Origin(str(stream), token, number, None, 0, None)
    place = Place(number, document)
    start = block.starts[block.numbers.index(document)]
    made = maker.document(stream, place)
    return Origin(str(stream), token, number, place.index, offset - start, made)
