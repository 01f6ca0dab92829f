"""Indexes that were changed, files that are gone, copies of something else: told, never trusted."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.corpora.small_corpus import make_all, quick_plan, use_quick_maker

from qmpi.cli.main import run
from qmpi.corpora.repair import repair_directory
from qmpi.corpora.verify import verify_directory
from qmpi.errors import CorruptData, StorageError
from qmpi.ingest.corpus import IngestOptions, ingest_corpus
from qmpi.storage.corpus_index import INDEX_NAME, TOKENIZER_NAME, read_corpus_facts
from qmpi.storage.manifest import file_digest
from qmpi.storage.remedy import MANIFEST_NAME
from qmpi.storage.shard_reader import ShardReader

SHARD = "shard-000000.h5"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    out = tmp_path_factory.mktemp("generated") / "corpus"
    with pytest.MonkeyPatch.context() as patch:
        use_quick_maker(patch)
        make_all(quick_plan(out))
        shutil.rmtree(out / "work")
        yield out


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notes")
    for number in range(60):
        text = " ".join(f"word{number * k % 997} of note {number}" for k in range(40))
        (folder / f"{number}.txt").write_text(text)
    out = tmp_path_factory.mktemp("ingested") / "corpus"
    options = IngestOptions(vocab_size=300, shard_tokens=4000)
    ingest_corpus([folder], out, options, lambda _progress: None)
    return out


@pytest.fixture
def corpus(ingested: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ingested, tmp_path / "corpus"))


def no_built_in() -> Path:
    raise AssertionError("nobody asked for it")


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def _moved(index: dict[str, Any]) -> None:
    index["shards"][0]["tokens"] += 5
    index["shards"][1]["tokens"] -= 5


def _fewer(index: dict[str, Any]) -> None:
    index["tokens"] -= index["shards"].pop()["tokens"]


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "name": lambda index: index.update(name="other"),
    "documents": lambda index: index.update(documents=index["documents"] + 1),
    "digest": lambda index: index.update(digest="0" * 64),
    "dtype": lambda index: index.update(dtype="uint32"),
    "left out": lambda index: index.update(left_out={"binary": 3}),
    "tokens moved": _moved,
    "shards swapped": lambda index: index["shards"].reverse(),
    "one shard fewer": _fewer,
    "elsewhere": lambda index: index["shards"][0].update(name=f"../{SHARD}"),
    "no name": lambda index: index["shards"][0].update(name="a\0b"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_index_changed_by_hand_is_told_and_restored(
    corpus: Path, ingested: Path, change: str
) -> None:
    index = json.loads((corpus / INDEX_NAME).read_bytes())
    CHANGES[change](index)
    (corpus / INDEX_NAME).write_text(json.dumps(index))
    with pytest.raises(CorruptData, match=INDEX_NAME):
        read_corpus_facts(corpus)
    assert run(["shards", "verify", str(corpus)]) == 3
    assert run(["shards", "repair", str(corpus)]) == 3
    assert run(["shards", "repair", str(corpus), "--from", str(ingested)]) == 0
    assert contents(corpus) == contents(ingested)


@pytest.mark.parametrize("harm", ["{", None])
def test_without_a_usable_index_the_shards_are_still_looked_at(
    corpus: Path, harm: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / INDEX_NAME).unlink()
    if harm:
        (corpus / INDEX_NAME).write_text(harm)
    assert run(["shards", "verify", str(corpus), "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert [Path(fault["path"]).name for fault in told["faults"]] == [INDEX_NAME]
    assert told["shards"] == told["unindexed"] == len(list(corpus.glob("shard-*.h5"))) > 1


def test_a_copy_of_another_corpus_replaces_nothing(
    corpus: Path, generated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / INDEX_NAME).write_text("{")
    before = contents(corpus)
    assert run(["shards", "repair", str(corpus), "--from", str(generated)]) == 3
    assert "no shard here is one of" in capsys.readouterr().err
    assert contents(corpus) == before


def test_a_lost_manifest_is_missed_and_taken_from_a_copy(generated: Path, tmp_path: Path) -> None:
    corpus = Path(shutil.copytree(generated, tmp_path / "corpus"))
    (corpus / MANIFEST_NAME).unlink()
    assert [Path(fault.path).name for fault in verify_directory(corpus)] == [MANIFEST_NAME]
    assert [one.state for one in repair_directory(corpus, None, no_built_in)] == ["refused"]
    assert [one.state for one in repair_directory(corpus, generated, no_built_in)] == ["repaired"]
    assert contents(corpus) == contents(generated)


@pytest.mark.parametrize("kind", ["generated", "ingested"])
def test_all_that_lies_beside_the_shards_comes_back_at_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    whole: Path = request.getfixturevalue(kind)
    corpus = Path(shutil.copytree(whole, tmp_path / "corpus"))
    for name in (INDEX_NAME, MANIFEST_NAME, TOKENIZER_NAME):
        (corpus / name).unlink(missing_ok=True)
    done = repair_directory(corpus, whole, no_built_in)
    assert {one.state for one in done} == {"repaired"}
    assert contents(corpus) == contents(whole)


def test_a_pipe_in_the_place_of_a_shard_is_not_waited_for(corpus: Path) -> None:
    path = corpus / SHARD
    path.unlink()
    os.mkfifo(path)
    for read in (ShardReader, file_digest):
        with pytest.raises(StorageError, match="a pipe"):
            read(path)
    assert run(["shards", "ls", str(corpus)]) == 3
    assert run(["shards", "verify", str(corpus)]) == 3


@pytest.mark.parametrize("name", [INDEX_NAME, MANIFEST_NAME, TOKENIZER_NAME])
def test_a_pipe_beside_the_shards_is_replaced(generated: Path, tmp_path: Path, name: str) -> None:
    corpus = Path(shutil.copytree(generated, tmp_path / "corpus"))
    (corpus / name).unlink()
    os.mkfifo(corpus / name)
    assert [Path(fault.path).name for fault in verify_directory(corpus)] == [name]
    assert [one.state for one in repair_directory(corpus, generated, no_built_in)] == ["repaired"]
    assert contents(corpus) == contents(generated)


@pytest.mark.parametrize("name", [INDEX_NAME, MANIFEST_NAME])
def test_what_cannot_be_read_is_a_fault_like_others(
    generated: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = Path(shutil.copytree(generated, tmp_path / "corpus"))
    read = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path == corpus / name:
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert [Path(fault.path).name for fault in verify_directory(corpus)] == [name]
    assert run(["shards", "verify", str(corpus)]) == 3
