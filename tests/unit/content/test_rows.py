"""Rows are a function of their address: in any batch, process and hash seed, at any distance."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from qmpi.config.settings import ProblemSource
from qmpi.content.counter import GENERATOR_VERSION
from qmpi.content.reasoning.families import document, generator_digest
from qmpi.content.rows import RowMaker
from qmpi.storage.tokenizer import Tokenizer, train_tokenizer

FAR = 2**60
SOURCE = ProblemSource(name="problems", min_level=1, max_level=20)

GOLDEN = {
    "problems-1": {
        (1, 1): "ac01a5712ce9b89c1333da81acdbc2cd",
        (1, 20): "3bde7b13eb636022a48e712f2701c895",
        (60, 100): "acaa0b3ebf437cdf1e380f67956bc359",
    },
}
"""Digest of the texts of each version. Texts changed? Raise GENERATOR_VERSION, add, edit none."""


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    texts = [document(0, "training", row, 0, 1, 100).text for row in range(500)]
    return train_tokenizer(texts, 600)


def texts_digest(low: int, high: int) -> str:
    state = hashlib.blake2b(digest_size=16)
    for row in (0, 1, 2**31, FAR):
        for number in range(100):
            state.update(document(7, "problems", row, number, low, high).text.encode())
    return state.hexdigest()


@pytest.mark.parametrize("levels", [(1, 1), (1, 20), (60, 100)])
def test_changed_texts_force_a_new_version(levels: tuple[int, int]) -> None:
    assert GENERATOR_VERSION in GOLDEN, "add the digests of this version"
    assert texts_digest(*levels) == GOLDEN[GENERATOR_VERSION][levels], (
        "the texts of this version have changed: raise qmpi.content.counter.GENERATOR_VERSION"
    )


def test_the_digest_tells_levels_apart() -> None:
    assert generator_digest(1, 20) != generator_digest(1, 21)
    assert generator_digest(1, 20) == generator_digest(1, 20)


@pytest.mark.parametrize("width", [8, 100, 700])
def test_rows_do_not_depend_on_the_batch(tokenizer: Tokenizer, width: int) -> None:
    maker = RowMaker(tokenizer, SOURCE, 5, width, 4096)
    rows = [3, FAR, 0, 3, 77]
    together = np.frombuffer(maker.make(rows), "<u2").reshape(5, width + 1)
    alone = [np.frombuffer(maker.make([row]), "<u2") for row in rows]
    assert np.array_equal(together, np.stack(alone))
    assert np.array_equal(together[0], together[3])
    assert not np.array_equal(together[0], together[1])


def test_a_row_is_its_documents(tokenizer: Tokenizer) -> None:
    row = np.frombuffer(RowMaker(tokenizer, SOURCE, 5, 400, 4096).make([FAR]), "<u2").tolist()
    parts = tokenizer.decode(row).split("<|endoftext|>")
    assert len(parts) > 2
    for number, part in enumerate(parts):
        text = document(5, "problems", FAR, number, 1, 20).text
        assert text == part if number < len(parts) - 1 else text.startswith(part)


def test_no_rows_are_no_bytes(tokenizer: Tokenizer) -> None:
    assert RowMaker(tokenizer, SOURCE, 5, 64, 4096).make([]) == b""


def test_a_large_vocabulary_takes_wider_ids(tokenizer: Tokenizer) -> None:
    narrow = RowMaker(tokenizer, SOURCE, 5, 64, 65536).make([1])
    wide = RowMaker(tokenizer, SOURCE, 5, 64, 65537).make([1])
    assert np.array_equal(np.frombuffer(narrow, "<u2"), np.frombuffer(wide, "<u4"))


def test_two_processes_agree_whatever_their_hash_seed() -> None:
    code = (
        "from qmpi.content.reasoning.families import document; import hashlib;"
        "print(hashlib.sha256(''.join(document(9, 's', 2**60, n, 1, 100).text"
        " for n in range(300)).encode()).hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for seed, locale in (("0", "C"), ("1", "C.UTF-8"))
    }
    assert len(seen) == 1
