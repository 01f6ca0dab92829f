"""Numbers of the statistics page, and of the Merkle tree."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qmpi.corpora.statistics import bucket, corpus_statistics, heaps_exponent, spread_over
from qmpi.corpora.survey import FoundShard
from qmpi.ingest.corpus import IngestOptions, ingest_corpus
from qmpi.storage.manifest import Manifest, merkle_root, sealed
from qmpi.storage.tokenizer import Tokenizer
from qmpi.units import Digest


@example((1 << 32) + 1)
@given(st.integers(1, 1 << 40))
def test_a_length_lies_under_its_bound(tokens: int) -> None:
    bound = bucket(tokens)
    assert tokens <= bound
    assert bound <= max(2, 1.45 * tokens + 1)
    assert bucket(bound) == bound


def test_the_exponent_of_a_power_law_is_found() -> None:
    growth = [(n, round(5 * n**0.6)) for n in (100, 1000, 10_000, 100_000)]
    assert abs(heaps_exponent(growth) - 0.6) < 0.01
    assert heaps_exponent([]) == heaps_exponent([(500, 300)]) == 0.0


@given(st.integers(1, 300), st.integers(2, 40))
def test_shards_are_chosen_evenly(count: int, most: int) -> None:
    shards = [FoundShard(None, None, Digest(""), n, 0) for n in range(count)]  # type: ignore[arg-type]
    chosen = [number for number, _ in spread_over(shards, most)]
    assert len(chosen) == len(set(chosen)) == min(count, most)
    assert (chosen[0], chosen[-1]) == (0, count - 1)


def test_a_tokenizer_is_read_once_whatever_the_number_of_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "a.txt"
    text.write_text("".join(f"the cat number {n} sat on mat {n * n}\n" for n in range(400)))
    options = IngestOptions(vocab_size=300, shard_tokens=1000)
    ingest_corpus([text], tmp_path / "c", options, lambda _: None)
    loads: list[Path] = []
    load = Tokenizer.load
    monkeypatch.setattr(Tokenizer, "load", lambda path: loads.append(path) or load(path))
    found = corpus_statistics(tmp_path / "c")
    assert found.shards > 5
    assert found.growth[-1][0] > 100
    assert len(loads) == 1


def test_the_merkle_root_is_what_it_is_by_hand() -> None:
    def leaf(text: str) -> bytes:
        return hashlib.sha256(b"\0" + text.encode()).digest()

    def node(a: bytes, b: bytes) -> bytes:
        return hashlib.sha256(b"\1" + a + b).digest()

    a, b, c = (leaf(t) for t in "abc")
    assert merkle_root([Digest(t) for t in "abc"]) == node(node(a, b), c).hex()
    assert merkle_root([Digest("a")]) == a.hex()
    assert merkle_root([]) == hashlib.sha256().hexdigest()


@given(st.lists(st.text(min_size=1), min_size=1, max_size=9), st.data())
def test_every_leaf_and_its_place_matter(leaves: list[str], data: st.DataObject) -> None:
    digests = [Digest(leaf) for leaf in leaves]
    place = data.draw(st.integers(0, len(leaves) - 1))
    other = [*digests[:place], Digest(digests[place] + "x"), *digests[place + 1 :]]
    assert merkle_root(other) != merkle_root(digests)
    assert merkle_root([*digests, digests[-1]]) != merkle_root(digests)


def test_a_manifest_covers_itself() -> None:
    plain = Manifest(
        version=1,
        name="a",
        generator="g",
        lexicon_digest=Digest("l"),
        tokenizer_digest=Digest("t"),
        seed=1,
        tokens=0,
        blocks=0,
        shard_blocks=1,
        mix=(),
        shards=(),
        merkle_root=merkle_root([]),
    )
    first = sealed(plain)
    assert sealed(first) == first
    assert len(first.digest) == 64
