"""Blocks are full, hold whole documents, and depend on their address alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.content.address import (
    BLOCK_TOKENS,
    STREAM_BLOCKS,
    Place,
    Stream,
    document_key,
    generator_key,
    parse_stream,
    parse_token,
    place_of,
)
from qmpi.content.block_maker import BlockMaker
from qmpi.content.lexicons import lexicon_digest
from qmpi.errors import InputError
from qmpi.storage.tokenizer import Tokenizer, train_tokenizer

STREAM = Stream("mathematics", 30)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["some text, 12 of it"], 300)


@pytest.fixture(scope="module")
def maker(tokenizer: Tokenizer) -> BlockMaker:
    return BlockMaker(tokenizer, generator_key(lexicon_digest(), 3))


@pytest.mark.parametrize("number", [0, STREAM_BLOCKS - 1])
def test_a_block_is_its_documents(maker: BlockMaker, tokenizer: Tokenizer, number: int) -> None:
    block = maker.make(STREAM, number)
    assert block.ids.shape == (BLOCK_TOKENS,)
    ends = [*block.starts[1:], BLOCK_TOKENS - block.padding]
    for start, end, document in zip(block.starts, ends, block.numbers, strict=True):
        ids = block.ids[start:end].tolist()
        assert ids.pop() == tokenizer.end_of_text
        assert tokenizer.decode(ids) == maker.document(STREAM, Place(number, document)).text
        assert block.number_at(start) == block.number_at(end - 1) == document
    assert len(set(block.numbers)) == len(block.numbers)
    if block.padding:
        assert block.number_at(BLOCK_TOKENS - 1) is None


def test_padding_is_mostly_below_one_in_a_thousand(maker: BlockMaker) -> None:
    # In one block of ten or twenty no closer fits the room: few ids here, so texts are long.
    padding = sorted(maker.make(STREAM, number).padding for number in range(5))
    assert padding[2] < BLOCK_TOKENS / 1000
    assert sum(padding) < 5 * BLOCK_TOKENS / 25


def test_a_block_cannot_be_changed_by_who_reads_it(maker: BlockMaker) -> None:
    with pytest.raises(ValueError, match="read-only"):
        maker.make(STREAM, 1).ids[0] = 1


@given(st.integers(0, 2**56 - 1))
def test_an_index_is_a_place(index: int) -> None:
    assert place_of(index).index == index


@given(
    st.sets(
        st.tuples(
            st.integers(0, 2**64 - 1),
            st.sampled_from([STREAM, Stream("code", 30), Stream("mathematics", 3)]),
            st.integers(0, 2**44 - 1),
            st.integers(0, 4095),
        ),
        min_size=2,
        max_size=2,
    )
)
@settings(max_examples=50)
def test_two_addresses_have_two_keys(addresses: set[tuple[int, Stream, int, int]]) -> None:
    keys = {
        document_key(generator_key(lexicon_digest(), seed), stream, block, number)
        for seed, stream, block, number in addresses
    }
    assert len(keys) == 2


def test_addresses_are_read_as_they_are_written() -> None:
    assert str(parse_stream("code/7")) == "code/7/en"
    assert parse_token("multilingual/100/ja/1152921504606846975")[1] == 2**60 - 1
    assert parse_token("code/1/en/0")[1] == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "code",
        "code/0/en/5",
        "code/101/en/5",
        "cod/5/en/5",
        "code/5/de/5",
        "code/5/en/-1",
        "code/5/en/1152921504606846976",
        "multilingual/5/xx/1",
        "code/5/en/",
        "code/5/en/1/2",
        "code/05/en/5",
        "code/5/en/037",
        "code/5/en/00",
        "code/\N{ARABIC-INDIC DIGIT FIVE}/en/5",
        "code/5/en/\N{ARABIC-INDIC DIGIT FIVE}",
        "code/5/en/\N{SUPERSCRIPT TWO}",
        "code/5/en/1_000",
        "code/5/en/5\n",
    ],
)
def test_no_address_is_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_token(text)
    # A digit of another script would look the same on the terminal.
    assert str(refused.value).isascii()
