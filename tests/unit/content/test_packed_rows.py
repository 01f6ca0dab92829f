"""Packed rows of generated text: the documents of a chapter, each once, from an address."""

from itertools import pairwise

import numpy as np
import pytest

from qmpi.config.data import ContentSource
from qmpi.content.address import BLOCK_TOKENS, generator_key
from qmpi.content.block_maker import BlockMaker
from qmpi.content.lexicons import lexicon_digest
from qmpi.content.rows import RowMaker, source_digest
from qmpi.policy.held_out import HELD_OUT_ROWS
from qmpi.storage.tokenizer import Tokenizer

LENGTH = 1500
SOURCE = ContentSource(name="sums", type="mathematics", min_level=3, max_level=4)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    from qmpi.storage.tokenizer import train_tokenizer

    return train_tokenizer(["the sum of 12 and 7 is 19, so 30 - 11 = 19\n" * 9], 300)


def maker(tokenizer: Tokenizer, length: int = LENGTH) -> RowMaker:
    return RowMaker(tokenizer, SOURCE, 5, length, 4096, packed=True)


def rows_of(made: bytes, length: int = LENGTH) -> np.ndarray:
    return np.frombuffer(made, "<u2").reshape(-1, length + 1)


def test_a_chapter_is_its_documents_each_once(tokenizer: Tokenizer) -> None:
    source = maker(tokenizer)
    count = BLOCK_TOKENS // LENGTH
    rows = rows_of(source.make(range(count, 2 * count)))
    stream, offset = source.where(count)
    block = BlockMaker(tokenizer, generator_key(lexicon_digest(), 5)).make(
        stream, offset // BLOCK_TOKENS
    )
    assert rows[:, 1:].size == BLOCK_TOKENS - BLOCK_TOKENS % LENGTH
    counts = np.bincount(block.ids, minlength=300)
    made = np.bincount(rows[:, 1:].ravel(), minlength=300)
    assert (made <= counts).all()
    assert (counts - made).sum() == BLOCK_TOKENS % LENGTH
    texts = [row.tobytes() for row in rows]
    starts = [*block.starts, BLOCK_TOKENS - block.padding]
    documents = [block.ids[a:b].astype("<u2") for a, b in pairwise(starts) if b - a <= LENGTH]
    whole = sum(any(d.tobytes() in text for text in texts) for d in documents)
    assert len(documents) > 50
    assert whole >= 0.95 * len(documents)


@pytest.mark.parametrize("length", [8, 500, 70_000])
def test_rows_do_not_depend_on_the_batch(tokenizer: Tokenizer, length: int) -> None:
    source = maker(tokenizer, length)
    asked = [3, HELD_OUT_ROWS + 2, 0, 3]
    together = rows_of(source.make(asked), length)
    alone = rows_of(maker(tokenizer, length).make(asked[1:2]), length)
    assert np.array_equal(together[1], alone[0])
    assert np.array_equal(together[0], together[3])
    assert not np.array_equal(together[0], together[2])


def test_a_row_lies_where_it_says(tokenizer: Tokenizer) -> None:
    source = maker(tokenizer)
    blocks = BlockMaker(tokenizer, generator_key(lexicon_digest(), 5))
    for row in (0, 57, 130, 131):
        stream, offset = source.where(row)
        assert source.stream_of(row) == stream
        block, start = divmod(offset, BLOCK_TOKENS)
        ids, made = blocks.make(stream, block).ids, rows_of(source.make([row]))[0]
        assert made[0] == ids[start - 1]
        assert np.array_equal(made[1:9], ids[start : start + 8])


def test_a_length_that_divides_a_block_leaves_nothing_out(tokenizer: Tokenizer) -> None:
    packed = maker(tokenizer, 256)
    plain = RowMaker(tokenizer, SOURCE, 5, 256, 4096)
    assert packed.rows // 256 - plain.rows // 255 == 0
    rows = rows_of(packed.make(range(256)), 256)
    stream, offset = packed.where(0)
    ids = (
        BlockMaker(tokenizer, generator_key(lexicon_digest(), 5))
        .make(stream, offset // BLOCK_TOKENS)
        .ids
    )
    assert np.array_equal(np.sort(rows[:, 1:].ravel()), np.sort(ids))


def test_the_digest_tells_packed_sources_apart() -> None:
    assert source_digest(SOURCE, packed=True) != source_digest(SOURCE)
    assert source_digest(SOURCE, packed=False) == source_digest(SOURCE)
