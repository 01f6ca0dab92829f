"""An ingestion as a whole: equal however it is dealt, killed and gone on with; traceable."""

import errno
import gzip
import json
import os
import random
import sys
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from qmpi.errors import InputError, StorageError, UserError
from qmpi.ingest import scan as ingest_scan
from qmpi.ingest import stages as ingest_stages
from qmpi.ingest import write as write_unit
from qmpi.ingest.clean import unit as clean_unit
from qmpi.ingest.corpus import IngestOptions, ingest_corpus, prepare_ingest, publish
from qmpi.ingest.dedup import near as near_duplicates
from qmpi.ingest.judge.rules import thresholds
from qmpi.ingest.read import texts as text_records
from qmpi.ingest.stages import CLEAN, DEDUP, WRITE, IngestPlan
from qmpi.storage.corpus import Corpus
from qmpi.storage.corpus_directory import WORK_FOLDER
from qmpi.storage.origins import LEFT_OUT_NAME, all_origins, origin_of
from qmpi.storage.tokenizer import Tokenizer

DRAW = random.Random(5)
LEXICON = ["".join(DRAW.choices("abcdefghijklmnop", k=DRAW.randint(2, 8))) for _ in range(3000)]
OPTIONS = IngestOptions(
    vocab_size=400, rules=thresholds("light", {}), near_duplicates=0.8, shard_tokens=40_000
)


def _ignore(_progress):
    return None


def _prose(draw, words):
    return " ".join(draw.choices(LEXICON, k=words)) + ".\n"


@pytest.fixture
def small_units(monkeypatch):
    monkeypatch.setattr(ingest_scan, "UNIT_BYTES", 16 << 10)
    monkeypatch.setattr(text_records, "LONGEST_DOCUMENT", 8 << 10)
    monkeypatch.setattr(text_records, "_WINDOW", 2 << 10)
    monkeypatch.setattr(text_records, "_HEAD", 2 << 10)
    monkeypatch.setattr(write_unit, "_LEAST_BYTES", 40 << 10)
    monkeypatch.setattr(ingest_stages, "KEYS_AT_ONCE", 400)


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    draw = random.Random(9)
    texts = [_prose(draw, 80) for _ in range(200)]
    texts[50], texts[120] = texts[7], texts[8].replace(" ", " extra ", 1)
    lines = [json.dumps({"id": f"r{n}", "text": text}) for n, text in enumerate(texts)]
    lines[30] = "{broken"
    lines[60:60] = ["", ""]
    (root / "a.jsonl").write_text("\n".join(lines) + "\n\n")
    (root / "b.txt").write_text("".join(_prose(draw, 12) for _ in range(600)))
    (root / "c.txt").write_text(texts[3])
    (root / "d.jsonl.gz").write_bytes(gzip.compress("\n".join(lines[150:170]).encode()))
    whole = "\n".join(json.dumps({"text": _prose(draw, 90)}) for _ in range(400)).encode()
    (root / "e.jsonl.gz").write_bytes(gzip.compress(whole)[:-2000])
    (root / "f.txt.zst").write_bytes(zstandard.compress(_prose(draw, 4000).encode())[:-20])
    table = {"text": [_prose(draw, 60) for _ in range(90)], "id": list(range(90))}
    pq.write_table(pa.table(table), root / "g.parquet", row_group_size=20)
    (root / "rep.txt").write_text("the same line\n" * 300)
    (root / "code.py").write_text(Path(near_duplicates.__file__).read_text())
    return root


def _facts(corpus):
    facts = Corpus.open(corpus).facts
    return msgspec.structs.replace(facts, name="")


def _same(one, two):
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in two.iterdir())
    for name in names:
        if name not in {"index.json", "ingest-report.json"}:
            assert (one / name).read_bytes() == (two / name).read_bytes(), name
    assert _facts(one) == _facts(two)


@pytest.mark.usefixtures("small_units")
def test_units_in_any_order_by_any_rank_make_the_same_bytes(tree, tmp_path):
    report = ingest_corpus([tree], tmp_path / "one", OPTIONS, _ignore)
    assert len(report.facts.shards) > 3
    prepared = prepare_ingest([tree], tmp_path / "two", OPTIONS)
    for stage in range(5):
        units = list(range(IngestPlan(prepared.spec, prepared.work).units(stage)))
        random.Random(stage).shuffle(units)
        told = {}
        for unit in [*units, *units[:2]]:
            # A new plan for each unit knows only what lies in files, as another rank would.
            made = IngestPlan(prepared.spec, prepared.work).run(stage, unit, _ignore)
            told[unit] = msgspec.structs.replace(made, digest="")
        # Who goes on later knows as much of a unit as who did it.
        found = IngestPlan(prepared.spec, prepared.work).done(stage)
        assert found == told
    result = IngestPlan(prepared.spec, prepared.work).finish()
    assert result["digest"] == report.facts.digest
    publish(prepared)
    _same(tmp_path / "one", tmp_path / "two")


@pytest.mark.usefixtures("small_units")
@pytest.mark.parametrize(
    "stage", [CLEAN, WRITE, *(pytest.param(n, marks=pytest.mark.slow) for n in (0, DEDUP, 3))]
)
def test_a_killed_ingestion_goes_on_and_ends_the_same(tree, tmp_path, monkeypatch, stage):
    ingest_corpus([tree], tmp_path / "one", OPTIONS, _ignore)
    run = IngestPlan.run
    done = []

    def dying(self, number, unit, progress):
        if number == stage and (unit or number in {0, 3}):
            raise KeyboardInterrupt
        return run(self, number, unit, progress)

    def counting(self, number, unit, progress):
        done.append((number, unit))
        return run(self, number, unit, progress)

    monkeypatch.setattr(IngestPlan, "run", dying)
    with pytest.raises(KeyboardInterrupt):
        ingest_corpus([tree], tmp_path / "two", OPTIONS, _ignore)
    # What was half written does no harm, and what was damaged since is made again.
    partial = tmp_path / "two.partial"
    (partial / ".shard-000000.h5.host-1.tmp").write_bytes(b"half")
    if stage >= DEDUP:
        damaged = partial / WORK_FOLDER / "clean" / "000001.keys"
        damaged.write_bytes(damaged.read_bytes()[:-8])
    monkeypatch.setattr(IngestPlan, "run", counting)
    ingest_corpus([tree], tmp_path / "two", OPTIONS, _ignore)
    assert not [item for item in done if item[0] < min(stage, CLEAN)]
    if stage >= DEDUP:
        assert [item for item in done if item[0] == CLEAN] == [(CLEAN, 1)]
    if stage == WRITE:
        assert (WRITE, 0) not in done
    _same(tmp_path / "one", tmp_path / "two")
    assert not partial.exists()


@pytest.mark.usefixtures("small_units")
def test_other_options_or_files_start_anew(tree, tmp_path, monkeypatch):
    def kill(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(IngestPlan, "finish", kill)
        with pytest.raises(KeyboardInterrupt):
            ingest_corpus([tree], tmp_path / "out", OPTIONS, _ignore)
    assert prepare_ingest([tree], tmp_path / "out", OPTIONS).resumed
    (tree / "new.txt").write_text("one more file")
    assert not prepare_ingest([tree], tmp_path / "out", OPTIONS).resumed
    other = msgspec.structs.replace(OPTIONS, near_duplicates=0.9)
    assert not prepare_ingest([tree], tmp_path / "out", other).resumed


@pytest.mark.usefixtures("small_units")
def test_every_document_has_its_origin(tree, tmp_path):
    out = tmp_path / "out"
    facts = ingest_corpus([tree], out, OPTIONS, _ignore).facts
    corpus = Corpus.open(out)
    tokens = corpus.read(0, corpus.tokens).tolist()
    text = Tokenizer.load(corpus.tokenizer_path).decode(tokens)
    documents = text.split("<|endoftext|>")[:-1]
    origins = list(all_origins(out))
    assert len(documents) == len(origins) == facts.documents
    lines = (tree / "a.jsonl").read_text().split("\n")
    rows = pq.read_table(tree / "g.parquet").to_pydict()
    seen = set()
    for document, origin in zip(documents, origins, strict=True):
        assert origin.bytes == len(document.encode())
        name = Path(origin.file).name
        seen.add(name)
        if name == "a.jsonl":
            record = json.loads(lines[origin.record - 1])
            assert (record["text"], record["id"]) == (document, origin.id)
            data = (tree / name).read_bytes()[origin.offset :]
            assert json.loads(data.split(b"\n", 1)[0]) == record
        elif name == "b.txt":
            assert (tree / name).read_bytes()[origin.offset :].startswith(document.encode())
        elif name == "g.parquet":
            assert rows["text"][origin.record - 1] == document
            assert str(rows["id"][origin.record - 1]) == origin.id
    assert seen == {"a.jsonl", "b.txt", "g.parquet", "code.py", "e.jsonl.gz"}
    assert origin_of(out, 5) == origins[5]
    assert "no near duplicate" in origins[0].kept
    with pytest.raises(InputError, match="no origin"):
        origin_of(out, facts.documents)


@pytest.mark.usefixtures("small_units")
def test_what_is_left_out_is_counted_and_listed(tree, tmp_path):
    report = ingest_corpus([tree], tmp_path / "out", OPTIONS, _ignore)
    left = report.facts.left_out
    assert left["near duplicate"] == 1
    assert left["duplicate"] == 22  # one line, c.txt, twenty lines of d.jsonl.gz
    assert left["damaged"] == 2
    assert left["not JSON"] == 1
    assert left["rule max_repeated_lines"] == 1
    assert report.damaged == 3
    assert {k: v.documents for k, v in report.dropped.items()} == left
    assert report.dropped["rule max_repeated_lines"].bytes == 14 * 300
    reader = zstandard.ZstdDecompressor().stream_reader(
        (tmp_path / "out" / LEFT_OUT_NAME).read_bytes(), read_across_frames=True
    )
    listed = [json.loads(line) for line in reader.read().splitlines()]
    assert len(listed) == sum(left.values())
    near = next(item for item in listed if item["reason"].startswith("near"))
    assert near["where"].endswith("a.jsonl:123")
    assert near["reason"].endswith("a.jsonl:9)")


def test_the_first_document_stays_and_texts_without_words_are_no_duplicates(tmp_path):
    lines = ["!!!", "???", "one two three four five", "one two three four five.", "!!!"]
    data = "\n".join(json.dumps({"text": line}) for line in lines)
    (tmp_path / "a.jsonl").write_text(data)
    options = IngestOptions(vocab_size=300, near_duplicates=0.8)
    report = ingest_corpus([tmp_path / "a.jsonl"], tmp_path / "out", options, _ignore)
    assert report.facts.left_out == {"duplicate": 1, "near duplicate": 1}
    assert [o.record for o in all_origins(tmp_path / "out")] == [1, 2, 3]


def test_evaluation_sets_and_languages_are_kept_out(tmp_path):
    draw = random.Random(2)
    secret = _prose(draw, 40)
    (tmp_path / "eval.jsonl").write_text(json.dumps({"q": secret}))
    (tmp_path / "a.txt").write_text(_prose(draw, 50) + secret)
    (tmp_path / "b.txt").write_text("The house is at the end of the road, and nobody lives there.")
    (tmp_path / "c.txt").write_text("La maison est au bout de la rue, et personne n'y habite.")
    options = IngestOptions(
        vocab_size=300, screen=(tmp_path / "eval.jsonl",), languages=("en",), rules={"min_words": 3}
    )
    paths = [tmp_path / name for name in ("b.txt", "c.txt")]
    report = ingest_corpus(paths, tmp_path / "out", options, _ignore)
    assert report.facts.left_out == {"language": 1}
    assert report.dropped["language"].examples[0].endswith("(fr)")
    options = msgspec.structs.replace(options, languages=(), force=True)
    report = ingest_corpus([tmp_path / "a.txt", paths[0]], tmp_path / "out", options, _ignore)
    assert report.facts.left_out == {"evaluation set": 1}
    assert report.dropped["evaluation set"].examples[0].endswith("eval.jsonl:1)")


def test_a_full_disk_leaves_what_is_done_for_the_next_try(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("some words of a text that is long enough")

    def full(*_):
        raise StorageError("full")

    with monkeypatch.context() as patch:
        patch.setattr(IngestPlan, "finish", full)
        with pytest.raises(StorageError):
            ingest_corpus([tmp_path / "a.txt"], tmp_path / "out", OPTIONS, _ignore)
    told = []
    ingest_corpus([tmp_path / "a.txt"], tmp_path / "out", OPTIONS, told.append)
    assert max(p.bytes_read for p in told if p.stage == "clean") == 40


def test_a_file_that_changes_under_way_is_left_out(tmp_path, monkeypatch):
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(f"{name} text that is of some use")
    run = IngestPlan.run

    def changing(self, stage, unit, progress):
        if stage == CLEAN:
            (tmp_path / "b.txt").write_text("something else by now")
        return run(self, stage, unit, progress)

    monkeypatch.setattr(IngestPlan, "run", changing)
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    report = ingest_corpus(paths, tmp_path / "out", OPTIONS, _ignore)
    assert report.facts.left_out == {"changed while it was read": 1}
    assert report.damaged == 1


@pytest.mark.parametrize(
    ("number", "reason"), [(errno.EACCES, "unreadable"), (errno.EIO, "damaged")]
)
def test_a_file_that_cannot_be_opened_is_left_out(tmp_path, monkeypatch, number, reason):
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(f"{name} text that is of some use")
    real = os.open

    def failing(path, *rest, **more):
        if os.fsencode(path).endswith(b"b.txt"):
            raise OSError(number, os.strerror(number), path)
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", failing)
    report = ingest_corpus([tmp_path], tmp_path / "out", OPTIONS, _ignore)
    assert report.facts.left_out == {reason: 1}
    assert report.facts.documents == report.damaged == 1


def test_a_folder_that_cannot_be_listed_is_left_out(tmp_path, monkeypatch):
    (tmp_path / "in" / "locked").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text("some text that is of use")
    real = os.scandir

    def failing(path):
        if not isinstance(path, int) and os.fsencode(path).endswith(b"locked"):
            raise PermissionError(errno.EACCES, "no", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", failing)
    report = ingest_corpus([tmp_path / "in"], tmp_path / "out", OPTIONS, _ignore)
    assert report.facts.left_out == {"unreadable": 1}


def test_two_commands_never_work_on_one_directory(tmp_path):
    (tmp_path / "a.txt").write_text("some text that is of use")
    tried = []

    def again(_progress):
        if not tried:
            tried.append(True)
            with pytest.raises(UserError, match="in use"):
                ingest_corpus([tmp_path / "a.txt"], tmp_path / "out", OPTIONS, _ignore)

    assert ingest_corpus([tmp_path / "a.txt"], tmp_path / "out", OPTIONS, again).facts.documents
    assert tried


def test_missing_parquet_support_is_explained(tmp_path, monkeypatch):
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match=r"pip install 'qmpi\[ingest\]'"):
        ingest_corpus([tmp_path / "a.parquet"], tmp_path / "out", OPTIONS, _ignore)
    assert not (tmp_path / "out.partial").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"near_duplicates": 0.3}, "0.5 to 1"),
        ({"encoding": "latin-99"}, "latin-99"),
        ({"vocab_size": 256}, "vocab_size"),
        ({"vocab_size": 1 << 31}, "vocab_size"),
        ({"languages": ("xx",)}, "xx"),
        ({"screen": (Path("none.jsonl"),)}, "none.jsonl"),
    ],
)
def test_options_that_cannot_be_used_are_named(tmp_path, change, said):
    (tmp_path / "a.txt").write_text("text")
    options = msgspec.structs.replace(OPTIONS, **change)
    with pytest.raises(InputError, match=said):
        ingest_corpus([tmp_path / "a.txt"], tmp_path / "out", options, _ignore)
    assert not (tmp_path / "out.partial").exists()


def test_a_long_text_of_a_record_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(clean_unit, "LONGEST_DOCUMENT", 100)
    text = "".join(f"{n} " for n in range(150))
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": text}))
    options = IngestOptions(vocab_size=300)
    ingest_corpus([tmp_path / "a.jsonl"], tmp_path / "out", options, _ignore)
    origins = list(all_origins(tmp_path / "out"))
    assert [o.note for o in origins][:2] == ["characters 0 to 100", "characters 100 to 200"]
    assert sum(o.bytes for o in origins) == len(text)


def test_progress_counts_up_to_its_total(tree, tmp_path):
    told = []
    ingest_corpus([tree], tmp_path / "out", OPTIONS, told.append)
    assert list(dict.fromkeys(p.stage for p in told)) == list(IngestPlan.stages)
    for stage in ("clean", "write"):
        mine = [p for p in told if p.stage == stage]
        assert mine[-1].bytes_read == mine[-1].bytes_total > 0
        read = np.array([p.bytes_read for p in mine])
        assert (read <= mine[-1].bytes_total).all()
