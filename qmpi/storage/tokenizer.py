"""Byte-level BPE tokenizer: training, loading, encoding.

Theory of operation: the vocabulary holds all 256 bytes, so any text can be encoded and decoding
gives it back exactly; there is no unknown token. Training counts words and merges the most frequent
pairs, ties broken by id, so equal text gives an equal file. The file is the `tokenizer.json` that
Hugging Face tools read. Encoding stays on the calling thread, so ranks do not take each other's
cores, and goes through the fastest library whose ids are the same (`storage.fast_encoding`).
"""

import hashlib
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from qmpi.errors import CorruptData, InputError
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.fast_encoding import encoder
from qmpi.storage.os_errors import explained
from qmpi.units import Digest

END_OF_TEXT = "<|endoftext|>"
"""Stands after each document."""
SMALLEST_VOCABULARY = 257
LARGEST_VOCABULARY = 1 << 20
"""As many as a job's model.vocab_size takes."""

LONGEST_WORD = 1000
"""Training takes time by the square of a word's length; what is longer teaches nothing."""
_LONG_RUN = re.compile(rf"\S{{{LONGEST_WORD},}}|\s{{{LONGEST_WORD},}}")


class Tokenizer:
    """Text to token ids and back.

    Attributes:
        size: ids are 0 to size - 1.
        digest: SHA-256 of the tokenizer file's bytes.
        end_of_text: id of the token that ends a document.
    """

    def __init__(self, data: bytes) -> None:
        """Read a tokenizer from the bytes of a `tokenizer.json`.

        Args:
            data: the file's bytes.

        Raises:
            CorruptData: they are not a tokenizer.
            InputError: it has no end-of-text token.
        """
        self._inner = _parsed(data)
        end_of_text = self._inner.token_to_id(END_OF_TEXT)
        if end_of_text is None:
            raise InputError(f"the tokenizer has no {END_OF_TEXT} token; `qmpi ingest` trains one")
        # Text that spells the token must not become it: it would end a document where none ends.
        self._inner.encode_special_tokens = True
        self._data = data
        self.end_of_text: int = end_of_text
        ids = self._inner.get_vocab(with_added_tokens=True).values()
        if len(set(ids)) != len(ids):
            raise CorruptData("the tokenizer file is damaged (two of its tokens have the same id)")
        # Not the number of tokens: a file from elsewhere may skip ids.
        self.size: int = 1 + max(ids)
        self.digest = Digest(hashlib.sha256(data).hexdigest())
        self._encode = encoder(self._inner, data)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a tokenizer.

        Args:
            path: a `tokenizer.json`.

        Returns:
            The tokenizer.

        Raises:
            StorageError: it cannot be read, or is damaged.
            InputError: it has no end-of-text token.
        """
        with explained("read the tokenizer", path):
            data = path.read_bytes()
        try:
            return cls(data)
        except (CorruptData, InputError) as error:
            raise type(error)(f"{path}: {error}") from error

    @classmethod
    def given(cls, path: Path) -> Self:
        """Read a tokenizer that a user names: if it is none, that is the user's mistake.

        Args:
            path: a `tokenizer.json`.

        Returns:
            The tokenizer.

        Raises:
            InputError: it is none.
            StorageError: it cannot be read.
        """
        with explained("read the tokenizer", path):
            if not path.is_file():
                raise InputError(f"there is no tokenizer at {path}; name a tokenizer.json")
        try:
            return cls.load(path)
        except CorruptData as error:
            raise InputError(f"{error}; name a tokenizer.json that `qmpi ingest` made") from error

    def save(self, path: Path) -> None:
        """Write the tokenizer; the bytes that `digest` covers.

        Args:
            path: target, replaced if it exists.

        Raises:
            StorageError: it cannot be written.
        """
        write_atomic(path, self._data)

    def encode(self, text: str) -> list[int]:
        """Ids of a text; no end-of-text is added.

        Args:
            text: any text.

        Returns:
            Token ids.
        """
        return self._encode(text)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of several texts.

        Args:
            texts: any texts.

        Returns:
            Token ids of each.
        """
        return list(map(self._encode, texts))

    def encode_flat(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Ids of several texts in one array, each text closed by end-of-text.

        Args:
            texts: any texts.

        Returns:
            Token ids, uint32; where each text starts and the last one ends, int64,
            [len(texts) + 1].
        """
        encode, end = self._encode, self.end_of_text
        # An array of the standard library takes a list three times as fast as numpy does.
        ids = array("I")
        bounds = [0]
        for text in texts:
            ids.fromlist(encode(text))
            ids.append(end)
            bounds.append(len(ids))
        return np.frombuffer(ids, np.uint32), np.array(bounds, np.int64)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids; bytes that are no UTF-8 (a cut character) become U+FFFD.

        Args:
            ids: each 0 to size - 1.

        Returns:
            The text, with end-of-text spelled out.
        """
        return self._inner.decode(list(ids), skip_special_tokens=False)


def _parsed(data: bytes) -> tokenizers.Tokenizer:
    try:
        return tokenizers.Tokenizer.from_str(data.decode())
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the library raises bare Exception, and panics beyond it
        raise CorruptData(f"the tokenizer file is damaged ({error})") from error


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Train on texts; equal texts in equal order give equal bytes.

    Args:
        texts: the sample; consumed once.
        vocab_size: largest number of ids, 257 to 1,048,576. Small samples give fewer.

    Returns:
        The tokenizer.

    Raises:
        InputError: the vocabulary is too small for all bytes, or too large for a model.
    """
    if vocab_size < SMALLEST_VOCABULARY:
        raise InputError(
            f"vocab_size {vocab_size} is below {SMALLEST_VOCABULARY} (all bytes and one)"
        )
    if vocab_size > LARGEST_VOCABULARY:
        raise InputError(f"vocab_size {vocab_size} is above {LARGEST_VOCABULARY}; choose less")
    inner = tokenizers.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator(_bounded(texts), trainer)
    return Tokenizer(inner.to_str().encode())


def _bounded(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        done = 0
        for run in _LONG_RUN.finditer(text):
            yield text[done : run.start()]
            for start in range(run.start(), run.end(), LONGEST_WORD):
                yield text[start : min(start + LONGEST_WORD, run.end())]
            done = run.end()
        yield text[done:]
