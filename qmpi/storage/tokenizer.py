"""Byte-level BPE tokenizer: training, loading, encoding.

Theory of operation: the vocabulary holds all 256 bytes, so any text can be encoded and decoding
gives it back exactly; there is no unknown token. Training counts words and merges the most frequent
pairs, ties broken by id, so equal text gives an equal file. The file is the `tokenizer.json` that
Hugging Face tools read; one from elsewhere is used on text alone (`storage.text_form`) and may have
another end token (`storage.end_token`). Encoding stays on the calling thread, so ranks do not take
each other's cores, and goes through the fastest library whose ids are the same
(`storage.fast_encoding`).
"""

import hashlib
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from qmpi.errors import CorruptData, InputError
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.end_token import (
    END_OF_TEXT,
    Declared,
    declarations,
    declare,
    find_end_token,
)
from qmpi.storage.fast_encoding import PROBE, Encode, encoder
from qmpi.storage.os_errors import explained, require_file
from qmpi.storage.quiet import unprinted
from qmpi.storage.text_form import marks_of, plain_form, remarks, text_form
from qmpi.units import Digest

SMALLEST_VOCABULARY = 257
LARGEST_VOCABULARY = 1 << 20
"""As many as a job's model.vocab_size takes."""

LONGEST_WORD = 1000
"""Training takes time by the square of a word's length; what is longer teaches nothing."""
_FRAGILE = {
    "capital letters": "a Title IN capitals",
    "runs of blanks and line breaks": "two  blanks\n\n\ta tab",
    "accents and symbols": "cafe\u0301 na\u00efve \u2460 \ufb01n x\u00b2",
    "all scripts": "\u041f\u0440\u0438\u0432\u0435\u0442 \u65e5\u672c\u8a9e \U0001f680",
}
"""Text that some tokenizers do not give back."""
_LONG_RUN = re.compile(rf"\S{{{LONGEST_WORD},}}|\s{{{LONGEST_WORD},}}")


class Tokenizer:
    """Text to token ids and back.

    Attributes:
        size: ids are 0 to size - 1.
        digest: SHA-256 of the tokenizer file's bytes, and of the end token if that is another than
            `<|endoftext|>`.
        end_of_text: id of the token that ends a document.
        end_token: text of that token.
        end_source: how it is known.
    """

    def __init__(self, data: bytes, end_token: str = "", declared: Sequence[Declared] = ()) -> None:
        """Read a tokenizer from the bytes of a `tokenizer.json`.

        Args:
            data: the file's bytes.
            end_token: what ends a document; "": what is declared, else a usual name.
            declared: what files beside it say of the end token.

        Raises:
            CorruptData: they are not a tokenizer.
            InputError: it has no end token, or cannot encode any text.
        """
        self._inner = _parsed(data)
        self._form = msgspec.json.decode(data, type=dict[str, Any])
        self._data = data
        self.end_token, self.end_of_text, self.end_source = find_end_token(
            self._inner, end_token, declared
        )
        self.size: int = _size(self._inner, self._form)
        named = b"" if self.end_token == END_OF_TEXT else b"\0" + self.end_token.encode()
        self.digest = Digest(hashlib.sha256(data + named).hexdigest())
        self._encode = self._encoder()
        with unprinted():
            probed = self._encode(PROBE)
        if self.end_of_text in probed:
            raise InputError(
                f"the tokenizer makes {self.end_token} of unknown text, so that it cannot end a "
                "document; name another token with --end-token"
            )

    def _encoder(self) -> Encode:
        form = text_form(self._form, marks_of(self._form, self.end_token))
        if form is not None:
            return encoder(_for_text(_parsed(msgspec.json.encode(form))), form)
        return encoder(_for_text(self._inner), self._form)

    @classmethod
    def load(cls, path: Path, end_token: str = "") -> Self:
        """Read a tokenizer.

        Args:
            path: a `tokenizer.json`.
            end_token: what ends a document; "": what a file beside it declares, else a usual name.

        Returns:
            The tokenizer.

        Raises:
            StorageError: it cannot be read, or is damaged.
            InputError: it has no end token.
        """
        with explained("read the tokenizer", path):
            data = path.read_bytes()
        try:
            return cls(data, end_token, () if end_token else declarations(path))
        except (CorruptData, InputError) as error:
            raise type(error)(f"{path}: {error}") from error

    @classmethod
    def given(cls, path: Path, end_token: str = "") -> Self:
        """Read a tokenizer that a user names: if it is none, that is the user's mistake.

        Args:
            path: a `tokenizer.json`.
            end_token: as of `load`.

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
            return cls.load(path, end_token)
        except CorruptData as error:
            raise InputError(f"{error}; name a tokenizer.json that `qmpi ingest` made") from error

    def save(self, path: Path) -> None:
        """Write the tokenizer; the bytes that `digest` covers.

        Args:
            path: target, replaced if it exists. An end token other than `<|endoftext|>` is
                declared in a file beside it.

        Raises:
            StorageError: it cannot be written.
        """
        # The tokenizer last: where it is, all of it is.
        if self.end_token != END_OF_TEXT:
            declare(path, self.end_token)
        write_atomic(path, self._data)

    def plain_bytes(self) -> bytes:
        """Return a `tokenizer.json` that makes of ordinary text what `encode` makes of it.

        Returns:
            The bytes that were read, unless something has to be switched off in them.
        """
        form = plain_form(self._form)
        return self._data if form is None else msgspec.json.encode(form)

    def remarks(self) -> list[str]:
        """Tell what of the tokenizer is switched off, and what it does to text.

        Returns:
            A sentence each; none of what `train_tokenizer` has made.
        """
        said = remarks(self._form)
        if self.end_token != END_OF_TEXT:
            said.append(f"documents end with {self.end_token} ({self.end_source})")
        for what, text in _FRAGILE.items():
            if self.decode(self.encode(text)).strip() != text:
                said.append(f"it does not keep {what}: text does not come back as it was")
        return said

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
            The text, with end-of-text and other special tokens spelled out.
        """
        return self._inner.decode(list(ids), skip_special_tokens=False)


def is_tokenizer_of(path: Path, digest: str) -> bool:
    """Whether a file is the tokenizer of a corpus, end token included.

    Args:
        path: a `tokenizer.json`.
        digest: that the corpus names.

    Returns:
        False also if it is damaged.

    Raises:
        StorageError: it cannot be read.
    """
    require_file(path)
    try:
        return Tokenizer.load(path).digest == digest
    except (CorruptData, InputError):
        return False


def _for_text(inner: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    # Text that spells a special token must not become it: it would end a document where none ends.
    inner.encode_special_tokens = True
    inner.no_truncation()
    inner.no_padding()
    inner.post_processor = None
    return inner


def _parsed(data: bytes) -> tokenizers.Tokenizer:
    try:
        with unprinted():
            return tokenizers.Tokenizer.from_str(data.decode())
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the library raises bare Exception, and panics beyond it
        raise CorruptData(f"the tokenizer file is damaged ({error})") from error


def _size(inner: tokenizers.Tokenizer, form: dict[str, Any]) -> int:
    # Not the number of tokens: a file from elsewhere may skip ids.
    named: dict[str, int] = inner.get_vocab(with_added_tokens=True)
    ids = named.values()
    if len(set(ids)) != len(ids):
        raise CorruptData("the tokenizer file is damaged (two of its tokens have the same id)")
    size = 1 + max(ids)
    # The library gives an added token another id than the file says, where it leaves a gap.
    added = {token["content"]: token["id"] for token in form.get("added_tokens") or ()}
    said = named | added
    highest = max(said, key=lambda token: said[token])
    if said[highest] >= LARGEST_VOCABULARY:
        raise InputError(
            f"its token {highest!r} has the id {said[highest]}, but a model has rows for ids below "
            f"{LARGEST_VOCABULARY}; number the tokens without gaps, or take another tokenizer"
        )
    return size


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
