"""Text that is told as it comes is the text that would be told at the end."""

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers
from unit.exchange.small_run import TEXT

from qmpi.errors import InputError
from qmpi.exchange.prompts import read_prompts
from qmpi.exchange.text_stream import TextStream
from qmpi.storage.tokenizer import train_tokenizer

BYTES = train_tokenizer([TEXT * 40], 300)


def streamed(decode, prompt, ids):
    stream = TextStream(decode, prompt)
    told = [stream.add(token) for token in ids]
    return [*told, stream.rest()]


@given(st.text(max_size=30), st.text(max_size=60))
def test_pieces_of_text_join_to_the_whole(prompt, text):
    ids = BYTES.encode(prompt + text)
    start = len(BYTES.encode(prompt))
    pieces = streamed(BYTES.decode, ids[:start], ids[start:])
    assert BYTES.decode(ids[:start]) + "".join(pieces) == BYTES.decode(ids)
    assert "".join(streamed(BYTES.decode, [], ids)) == prompt + text


@given(st.lists(st.integers(1, BYTES.size - 1), max_size=60))
def test_bytes_that_are_no_text_lose_nothing_that_is(ids):
    assert "".join(streamed(BYTES.decode, [], ids)) == BYTES.decode(ids)


def test_half_a_character_waits_for_the_rest():
    ids = BYTES.encode("日")
    assert len(ids) == 3
    assert streamed(BYTES.decode, [], ids) == ["", "", "日", ""]
    assert streamed(BYTES.decode, [], ids[:2]) == ["", "", "\ufffd"]


def test_a_decoder_that_drops_the_first_blank_keeps_those_between_words():
    words = {"\u2581ein": 0, "\u2581Wort": 1, "e": 2, "<unk>": 3}
    inner = tokenizers.Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Metaspace()
    assert streamed(inner.decode, [], [0, 1, 2, 0]) == ["ein", " Wort", "e", " ein", ""]
    assert streamed(inner.decode, [0], [1]) == [" Wort", ""]


def test_prompts_come_from_lines_or_json(tmp_path):
    plain = tmp_path / "a.txt"
    plain.write_bytes("\ufeffone\r\n\n  two\u2028x \n".encode())
    assert read_prompts(plain) == ("one", "  two\u2028x ")
    lines = tmp_path / "a.jsonl"
    lines.write_text('"a\\nb"\n{"prompt": "c", "id": 5}\n')
    assert read_prompts(lines) == ("a\nb", "c")
    for text, named in ((b'"a"\n{"text": 1}\n', "line 2"), (b"\xff", "UTF-8"), (b"\n", "no prompt"),
                        (b"[" * 9999, "line 1")):  # fmt: skip
        lines.write_bytes(text)
        with pytest.raises(InputError, match=named):
            read_prompts(lines)
    with pytest.raises(InputError, match="no file"):
        read_prompts(tmp_path / "absent")
