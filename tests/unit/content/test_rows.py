"""Rows are a function of their address: in any batch, process and hash seed, at any distance."""

import numpy as np
import pytest

from qmpi.config.data import ContentSource
from qmpi.content.address import BLOCK_TOKENS, STREAM_TOKENS, Place, Stream, generator_key
from qmpi.content.block_maker import BlockMaker
from qmpi.content.lexicons import lexicon_digest
from qmpi.content.rows import RowMaker, source_digest, streams_of
from qmpi.errors import InputError
from qmpi.storage.tokenizer import Tokenizer, train_tokenizer

SOURCE = ContentSource(name="sums", type="mathematics", min_level=3, max_level=6)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    first = train_tokenizer(["0"], 257)
    maker = BlockMaker(first, generator_key(lexicon_digest(), 0))
    stream = Stream("mathematics", 40)
    return train_tokenizer((maker.document(stream, Place(0, n)).text for n in range(50)), 600)


def test_the_digest_tells_sources_apart() -> None:
    assert source_digest(SOURCE) == source_digest(SOURCE)
    other = ContentSource(name="sums", type="mathematics", min_level=3, max_level=7)
    assert source_digest(SOURCE) != source_digest(other)


def test_languages_are_streams_of_the_multilingual_type_only() -> None:
    both = ContentSource(
        name="m", type="multilingual", min_level=9, max_level=9, languages=("de", "tr")
    )
    assert [str(s) for s in streams_of(both)] == ["multilingual/9/de", "multilingual/9/tr"]
    assert len(streams_of(ContentSource(name="m", type="multilingual"))) == 1200
    assert len(streams_of(ContentSource(name="c", type="code"))) == 100


@pytest.mark.parametrize("width", [8, 700, 65_536])
def test_rows_do_not_depend_on_the_batch(tokenizer: Tokenizer, width: int) -> None:
    maker = RowMaker(tokenizer, SOURCE, 5, width, 4096)
    last = maker.rows - 1
    rows = [3, last, 0, 3]
    together = np.frombuffer(maker.make(rows), "<u2").reshape(4, width + 1)
    alone = np.frombuffer(RowMaker(tokenizer, SOURCE, 5, width, 4096).make([last]), "<u2")
    assert np.array_equal(together[1], alone)
    assert np.array_equal(together[0], together[3])
    assert not np.array_equal(together[0], together[2])


def test_a_row_lies_where_it_says(tokenizer: Tokenizer) -> None:
    maker = RowMaker(tokenizer, SOURCE, 5, 400, 4096)
    blocks = BlockMaker(tokenizer, generator_key(lexicon_digest(), 5))
    for row in (0, 162, 163, 164 * 3, maker.rows - 1):
        stream, offset = maker.where(row)
        assert offset < STREAM_TOKENS
        block, start = divmod(offset, BLOCK_TOKENS)
        made = np.frombuffer(maker.make([row]), "<u2")
        assert np.array_equal(made, blocks.make(stream, block).ids[start : start + 401])


def test_all_levels_come_once_in_a_cycle(tokenizer: Tokenizer) -> None:
    maker = RowMaker(tokenizer, SOURCE, 5, 65_535, 4096)
    for cycle in (0, 2**40):
        levels = [maker.where(4 * cycle + place)[0].level for place in range(4)]
        assert sorted(levels) == [3, 4, 5, 6]


def test_what_lies_behind_the_end_is_refused(tokenizer: Tokenizer) -> None:
    maker = RowMaker(tokenizer, SOURCE, 5, 400, 4096)
    with pytest.raises(InputError, match="ends before row"):
        maker.make([maker.rows])


def test_no_rows_are_no_bytes(tokenizer: Tokenizer) -> None:
    assert RowMaker(tokenizer, SOURCE, 5, 64, 4096).make([]) == b""


def test_a_large_vocabulary_takes_wider_ids(tokenizer: Tokenizer) -> None:
    narrow = RowMaker(tokenizer, SOURCE, 5, 64, 65536).make([1])
    wide = RowMaker(tokenizer, SOURCE, 5, 64, 65537).make([1])
    assert np.array_equal(np.frombuffer(narrow, "<u2"), np.frombuffer(wide, "<u4"))
