"""`qmpi shards` and what `qmpi generate` refuses before a rank starts."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import pytest
from unit.corpora.small_corpus import BLOCKS, make_all, quick_plan, use_quick_maker

from qmpi.cli.main import run
from qmpi.cli.shards import origin_text
from qmpi.content.address import BLOCK_TOKENS
from qmpi.ingest.corpus import IngestOptions, ingest_corpus
from qmpi.storage.origins import Origin

Captured = pytest.CaptureFixture[str]
SHARD = "shard-000000.h5"


@pytest.fixture(scope="module")
def quick() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        use_quick_maker(patch)
        yield patch


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, quick: pytest.MonkeyPatch) -> Path:
    assert quick
    out = tmp_path_factory.mktemp("whole") / "corpus"
    make_all(quick_plan(out))
    shutil.rmtree(out / "work")
    return out


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notes")
    for number in range(60):
        text = " ".join(f"word{number * k % 997} of note {number}" for k in range(40))
        (folder / f"{number}.txt").write_text(text)
    out = folder.parent / "ingested"
    options = IngestOptions(vocab_size=300, shard_tokens=4000)
    ingest_corpus([folder], out, options, lambda _progress: None)
    return out


def asked(capsys: Captured, *arguments: object, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert run([*map(str, arguments), "--json"]) == code
    shown = capsys.readouterr()
    assert shown.err == ""
    return json.loads(shown.out)


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 8
    path.write_bytes(data)


def test_ls(whole: Path, notes: Path, capsys: Captured) -> None:
    shards = asked(capsys, "shards", "ls", whole, notes / SHARD)["shards"]
    assert [s["tokens"] for s in shards[:3]] == [3 * BLOCK_TOKENS, 3 * BLOCK_TOKENS, BLOCK_TOKENS]
    assert set(shards[0]["types"]) == {"code", "multilingual"}
    assert shards[0]["levels"][1] == 50
    assert (shards[3]["types"], shards[3]["levels"]) == ({}, [0, 0])
    assert run(["shards", "ls", str(whole), str(notes)]) == 0
    shown = capsys.readouterr().out
    assert "multilingual" in shown
    assert "ingested" in shown


def test_ls_of_a_shard_that_is_gone_says_what_to_do(
    whole: Path, tmp_path: Path, capsys: Captured
) -> None:
    copy = shutil.copytree(whole, tmp_path / "copy")
    (copy / SHARD).unlink()
    (shard, *_) = asked(capsys, "shards", "ls", copy, code=3)["shards"]
    assert "[Errno" not in shard["fault"]
    assert shard["fault"].endswith("No such file or directory: it does not exist; check the path")


def test_ls_in_a_pipe_is_a_line_a_shard(
    whole: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert run(["shards", "ls", str(whole)]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["shard", "tokens", "documents", "ratio", "levels", "types"]
    assert [row.split()[0] for row in rows] == [str(path) for path in sorted(whole.glob("*.h5"))]


def test_head_gives_addresses(whole: Path, notes: Path, capsys: Captured) -> None:
    documents = asked(capsys, "shards", "head", whole, "-k", 4)["documents"]
    assert len(documents) == 4
    assert documents[0]["address"] == "code/1/en/0"
    assert documents[1]["address"] == f"code/1/en/{documents[0]['tokens']}"
    first = asked(capsys, "shards", "head", notes, "-k", 1)["documents"][0]
    assert first["address"] == f"shard {SHARD}, document 0"
    assert "of note 0" in first["text"]
    assert "<|endoftext|>" not in first["text"]
    assert run(["shards", "head", str(notes)]) == 0
    assert "== shard" in capsys.readouterr().out


def test_head_says_where_ingested_documents_come_from(
    whole: Path, notes: Path, tmp_path: Path, capsys: Captured
) -> None:
    documents = asked(capsys, "shards", "head", notes, "-k", 60)["documents"]
    assert len(documents) == 60, "of several shards"
    for document in documents:
        number = Path(document["origin"]["file"]).stem
        assert f"of note {number} " in document["text"]
    assert asked(capsys, "shards", "head", whole, "-k", 1)["documents"][0]["origin"] is None
    rows = [{"id": f"row-{n}", "text": f"record {n} of the file " * 9} for n in range(3)]
    (tmp_path / "rows.jsonl").write_text("\n\n".join(map(json.dumps, rows)))
    options = IngestOptions(vocab_size=300)
    ingest_corpus([tmp_path / "rows.jsonl"], tmp_path / "out", options, lambda _: None)
    assert run(["shards", "head", str(tmp_path / "out" / SHARD)]) == 0
    assert f"from {tmp_path / 'rows.jsonl'}, line 3, id row-1\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        (Origin("a", "a/b.parquet.zst", record=7), "a/b.parquet.zst, row 7"),
        (Origin("a", "a/b.txt"), "a/b.txt"),
        (Origin("a", "a/b.txt", offset=9, note="part 2"), "a/b.txt, from byte 9 (part 2)"),
    ],
)
def test_an_origin_is_said_in_words(origin: Origin, text: str) -> None:
    assert origin_text(origin) == text


def test_verify_names_chunk_and_block(whole: Path, tmp_path: Path, capsys: Captured) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "corpus"))
    assert asked(capsys, "shards", "verify", out)["state"] == "ok"
    damage(out / SHARD)
    found = asked(capsys, "shards", "verify", out, code=3)
    (fault,) = found["faults"]
    assert (found["state"], found["shards"]) == ("damaged", 3)
    assert fault["chunk"] in range(3)
    assert re.fullmatch(r"(code|multilingual)/\d+/[a-z]{2}/\d+", fault["block"])
    assert run(["shards", "verify", str(out)]) == 3
    assert fault["block"] in capsys.readouterr().err
    assert run(["shards", "repair", str(out)]) == 0
    assert fault["block"] in capsys.readouterr().out
    assert (out / SHARD).read_bytes() == (whole / SHARD).read_bytes()


def test_an_ingested_shard_is_taken_from_a_copy(
    notes: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = Path(shutil.copytree(notes, tmp_path / "corpus"))
    damage(out / SHARD)
    refused = asked(capsys, "shards", "repair", out, code=3)
    assert "ingested" in refused["files"][0]["how"]
    assert "--from" in refused["files"][0]["how"]
    done = asked(capsys, "shards", "repair", out, "--from", notes)
    assert done["files"][0]["state"] == "repaired"
    assert (out / SHARD).read_bytes() == (notes / SHARD).read_bytes()


def test_stats_is_one_page_with_nothing_to_load(
    whole: Path, notes: Path, tmp_path: Path, capsys: Captured
) -> None:
    for corpus, levels in ((whole, 5), (notes, 0)):
        page = tmp_path / f"{corpus.name}.html"
        found = asked(capsys, "shards", "stats", corpus, "--out", page)["pages"][0]["statistics"]
        assert len(found["levels"]) == levels
        assert sum(count for _, count in found["lengths"]) == found["documents"]
        assert sum(found["types"].values()) == found["tokens"]
        text = page.read_text()
        assert text.count("<svg") >= 4
        assert not re.search(r"(src|href)=|<script|https?://", text)
    assert found["growth"][-1][0] > 1000
    assert 0.2 < found["heaps"] < 1.2


def test_whatever_is_no_shard_is_refused(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "a.h5").write_bytes(b"no shard")
    listed = asked(capsys, "shards", "ls", tmp_path / "a.h5", code=3)["shards"][0]
    assert listed["fault"]
    assert "cannot" not in listed["path"]
    assert asked(capsys, "shards", "verify", tmp_path / "a.h5", code=3)["faults"]
    for name in ("ls", "verify", "stats", "repair", "head"):
        asked(capsys, "shards", name, tmp_path / "gone", code=2)
        asked(capsys, "shards", name, tmp_path, code=2)


def test_h5dump_reads_a_shard(whole: Path) -> None:
    tool = shutil.which("h5dump")
    if tool is None:
        pytest.skip(
            "h5dump is not installed here; h5py with hdf5plugin reads shards in another test"
        )
    done = subprocess.run(
        [tool, "-d", "block_address", str(whole / SHARD)],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert "code/1/en" in done.stdout
    done = subprocess.run(
        [tool, "-d", "tokens", "-c", "8", str(whole / SHARD)],
        env={**os.environ, "HDF5_PLUGIN_PATH": hdf5plugin.PLUGIN_PATH},
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    with h5py.File(whole / SHARD) as file:
        first = ", ".join(map(str, file["tokens"][:8]))
    assert first in done.stdout


def test_generate_refuses_before_a_rank_starts(
    whole: Path, tmp_path: Path, capsys: Captured
) -> None:
    strange = tmp_path / "mine"
    strange.mkdir()
    (strange / "thesis.tex").write_text("years of work")
    base = ("generate", "--tokens", "1M", "--tokenizer", whole / "tokenizer.json", "--out")
    for arguments, word in [
        ((*base, strange), "thesis.tex"),
        ((*base, strange, "--force"), "thesis.tex"),
        ((*base, whole), "blocks 7, not 16"),
        (("generate", "--tokens", "lots", "--out", tmp_path / "a"), "50M"),
        (("generate", "--tokens", "1M", "--out", tmp_path / "a", "--level", "9-3"), "10-40"),
        (("generate", "--tokens", "1M", "--out", tmp_path / "a", "--type", "poems"), "poems"),
        ((*base, tmp_path / "a", "--name", "\udcff"), "UTF-8"),
        ((*base, tmp_path / "\udcff"), "UTF-8"),
        ((*base[:4], __file__, "--out", tmp_path / "a"), "damaged"),
        (("generate", tmp_path / "no.toml", "--tokens", "1M", "--out", tmp_path / "a"), "no.toml"),
    ]:
        assert word in asked(capsys, *arguments, code=2)["error"]
    assert (strange / "thesis.tex").exists()
    assert not (tmp_path / "a").exists()


def test_the_corpus_has_every_block_once(whole: Path, capsys: Captured) -> None:
    shards = asked(capsys, "shards", "ls", whole)["shards"]
    assert sum(s["tokens"] for s in shards) == BLOCKS * BLOCK_TOKENS
