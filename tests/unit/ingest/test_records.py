"""Scan and readers: what is opened, how files are cut, what comes out of a slice."""

import gzip
import io
import json
import os
import socket
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qmpi.errors import InputError
from qmpi.ingest import scan as ingest_scan
from qmpi.ingest.read import json_lines
from qmpi.ingest.read import texts as text_records
from qmpi.ingest.read.files import Fields, Record, Refusal, reason_of, unpacked
from qmpi.ingest.read.parquet import parquet_records
from qmpi.ingest.scan import Slice, SourceFile, changed_at, cut_units, packing, plain_suffix, scan

FIELDS = Fields("text", "id")
WHOLE = Slice(0, 0, -1)


def _file(path):
    facts = path.stat()
    return SourceFile(os.fsencode(path), "", facts.st_size, facts.st_mtime_ns)


def _names(found):
    return [Path(os.fsdecode(file.path)).name for file in found.files]


def test_the_walk_opens_nothing_strange_and_names_it(tmp_path):
    root = tmp_path / "in"
    (root / "b").mkdir(parents=True)
    (root / "a.txt").write_text("a")
    (root / "b" / "c.txt").write_text("c")
    (root / ".hidden").write_text("secret")
    (root / "b" / "loop").symlink_to(root, target_is_directory=True)
    (root / "self").symlink_to(root / "self")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(str(root / "s"))
        found = scan(root, tmp_path / "out")
    assert _names(found) == ["a.txt", "c.txt"]
    left = {Path(item.where).name: item.reason for item in found.left_out}
    assert left == {
        "fifo": "not a file",
        "s": "not a file",
        "self": "not a file",
        "loop": "linked directory",
    }


def test_what_qmpi_made_is_no_input(tmp_path):
    for name, files in {
        "corpus": ["index.json", "tokenizer.json"],
        "generated": ["manifest.json", "tokenizer.json", "a.txt"],
        "shards": ["shard-000003.h5", "notes.txt"],
        "run": ["job.toml", "journal.jsonl"],
        "x.partial": ["plan.json"],
    }.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text('{"qmpi_ingest":1}')
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.json").write_text("{}")
    (tmp_path / "mine" / "plan.json").write_text("{}")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").write_text("a")
    found = scan(tmp_path, tmp_path / "out")
    assert _names(found) == ["index.json", "plan.json"]
    assert [item.reason for item in found.left_out] == ["made by qmpi"] * 5


def test_names_that_are_no_utf8_are_read_and_shown(tmp_path):
    path = os.fsencode(tmp_path) + b"/a\xff.txt"
    Path(os.fsdecode(path)).write_text("text")
    found = scan(tmp_path, tmp_path / "out")
    assert found.files[0].path == path
    assert [r.text for r in text_records.text_records(found.files[0], WHOLE, "")] == ["text"]
    assert ingest_scan.shown(path).endswith(r"a\xff.txt")


def test_missing_paths_and_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a file or a directory"):
        scan(tmp_path / "pipe", tmp_path / "out")
    with pytest.raises(InputError, match="does not exist"):
        scan(tmp_path / "none", tmp_path / "out")


@given(
    sizes=st.lists(st.integers(0, 5 * ingest_scan.UNIT_BYTES), max_size=12), packed=st.booleans()
)
@settings(max_examples=60, deadline=None)
def test_units_cover_every_byte_once_in_order(sizes, packed):
    name = b"a.gz" if packed else b"a"
    files = [SourceFile(name, "", size, 0) for size in sizes]
    slices = [piece for unit in cut_units(files) for piece in unit]
    assert all(cut_units(files))
    for number, size in enumerate(sizes):
        mine = [piece for piece in slices if piece.file == number]
        assert mine[0].begin == 0
        assert mine[-1].end == -1
        assert [p.end for p in mine[:-1]] == [p.begin for p in mine[1:]]
        assert len(mine) == (1 if packed else max(1, -(-size // ingest_scan.unit_bytes(files))))
    assert [piece.file for piece in slices] == sorted(piece.file for piece in slices)
    # Only the first slice of a unit begins inside a file.
    assert not any(piece.begin for unit in cut_units(files) for piece in unit[1:])


def test_endings():
    assert (packing(b"x/A.JSONL.GZ"), plain_suffix(b"x/A.JSONL.GZ")) == (".gz", ".jsonl")
    assert (packing(b"a.zst"), plain_suffix(b"a.zst")) == (".zst", "")


@given(
    text=st.text(st.sampled_from("ab \n\u00e9\u4f60\U0001f600"), max_size=400),
    codec=st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "utf-32-le"]),
    packed=st.booleans(),
)
@example(text="a" * 22 + " a", codec="utf-32-le", packed=False)
@settings(max_examples=150, deadline=None)
def test_slices_of_a_text_agree_on_its_cuts(tmp_path_factory, text, codec, packed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_records, "LONGEST_DOCUMENT", 64)
        patch.setattr(text_records, "_WINDOW", 32)
        patch.setattr(text_records, "_HEAD", 32)
        mark = "" if codec == "utf-8" else "\ufeff"
        data = (mark + text).encode(codec)
        path = tmp_path_factory.mktemp("t") / ("a.txt.gz" if packed else "a.txt")
        path.write_bytes(gzip.compress(data) if packed else data)
        file = _file(path)
        whole = list(text_records.text_records(file, WHOLE, ""))
        if text.strip() and not any(isinstance(item, Refusal) for item in whole):
            joined = "".join(item.text for item in whole)
            assert joined.strip() == text.strip() or not all(part.strip() for part in [joined])
        assert all(len(item.text.encode(codec)) <= 64 + 2 * 32 for item in whole if item[0])
        if packed:
            return
        borders = [*range(0, len(data), 128), -1]
        cut = [
            item
            for begin, end in pairwise(borders)
            for item in text_records.text_records(file, Slice(0, begin, end), "")
        ]
        texts = [item.text for item in cut if isinstance(item, Record)]
        assert texts == [item.text for item in whole if isinstance(item, Record)]


@pytest.mark.parametrize(
    ("data", "encoding", "reason"),
    [
        (b"a\0b", "", "binary"),
        (b"good\n\xff\xfe", "", "not UTF-8"),
        (b"\xe9t\xe9", "ascii", "wrong encoding"),
        (b"", "", "empty"),
        (b" \n ", "", "empty"),
        (b"x" * 70_000 + b"\xff", "", "not UTF-8"),
        (b"\xff\xfeabc\xd8", "", "wrong encoding"),
    ],
)
def test_a_file_with_a_bad_byte_gives_no_text(tmp_path, data, encoding, reason):
    (tmp_path / "a").write_bytes(data)
    items = list(text_records.text_records(_file(tmp_path / "a"), WHOLE, encoding))
    assert [(type(item), item.reason) for item in items] == [(Refusal, reason)]


def test_a_named_encoding_is_used_for_what_is_not_utf8(tmp_path):
    for name, data in {
        "a": "\u00e9t\u00e9".encode("latin-1"),
        "b": "\u00e9t\u00e9".encode(),
    }.items():
        (tmp_path / name).write_bytes(data)
        (item,) = text_records.text_records(_file(tmp_path / name), WHOLE, "latin-1")
        assert item.text == "\u00e9t\u00e9"
    (tmp_path / "c").write_bytes(b"\xef\xbb\xbfabc")
    (item,) = text_records.text_records(_file(tmp_path / "c"), WHOLE, "")
    assert (item.text, item.note) == ("abc", "")


def _lines(path):
    return list(json_lines.json_records(_file(path), WHOLE, FIELDS))


@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=20),
    size=st.integers(1, 90),
)
@settings(max_examples=100, deadline=None)
def test_slices_of_json_lines_agree(tmp_path_factory, texts, size):
    path = tmp_path_factory.mktemp("j") / "a.jsonl"
    lines = [json.dumps({"id": n, "text": t}) if t else "" for n, t in enumerate(texts)]
    path.write_text("\n".join(lines), encoding="utf-8")
    file = _file(path)
    borders = [*range(0, max(1, file.size), size), -1]
    parts = [
        list(json_lines.json_records(file, Slice(0, begin, end), FIELDS))
        for begin, end in pairwise(borders)
    ]
    found = [(item.offset, item.text, item.identity) for part in parts for item in part if item[0]
             and isinstance(item, Record)]  # fmt: skip
    whole = [item for item in _lines(path) if isinstance(item, Record)]
    assert found == [(item.offset, item.text, item.identity) for item in whole]
    # Each slice ends with its number of lines: their sum numbers the lines of the next.
    assert sum(part[-1].number for part in parts) == _lines(path)[-1].number
    base = 0
    for part in parts:
        for item in part[:-1]:
            if isinstance(item, Record):
                assert texts[base + item.number - 1] == item.text
        base += part[-1].number


def test_json_lines_of_all_kinds(tmp_path, monkeypatch):
    monkeypatch.setattr(json_lines, "_LONGEST_LINE", 200)
    lines = [
        b'{"text": "good", "id": 7}', b"{broken", b'{"text": 7}', b"[1]", b'{"other": "x"}',
        b'{"text": "lone \\ud800"}', b'{"text": "with nan", "x": NaN}', b'{"text": " "}', b"",
        b'{"text": "\xff"}', b'{"text": "' + b"x" * 500 + b'"}', b'{"text": "end", "id": null}',
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    items = [(i.number, i.text if isinstance(i, Record) else i.reason)
             for i in _lines(tmp_path / "a.jsonl")]  # fmt: skip
    assert items == [
        (1, "good"), (2, "not JSON"), (3, "no text field 'text'"), (4, "no text field 'text'"),
        (5, "no text field 'text'"), (6, "not UTF-8"), (7, "with nan"), (8, "empty"),
        (10, "not UTF-8"), (11, "JSON line over 64 MiB"), (12, "end"), (12, ""),
    ]  # fmt: skip


def test_json_lines_are_utf8_and_nothing_else(tmp_path):
    path = tmp_path / "a.jsonl"
    text = "".join(f'{{"text": "line {n}"}}\n' for n in range(4))
    path.write_text("\ufeff" + text, encoding="utf-8")
    assert [item.text for item in _lines(path)[:-1]] == [f"line {n}" for n in range(4)]
    path.write_text(text, encoding="utf-16")
    items = _lines(path)[:-1]
    assert {item.reason for item in items} == {"not JSON", "not UTF-8"}


@pytest.mark.parametrize("content", ["", "\n", " \n\n\t"])
def test_json_lines_without_a_record_are_told(tmp_path, content):
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    *told, last = _lines(path)
    assert [(item.number, item.reason) for item in told] == [(0, "empty")]
    assert last.number == content.count("\n") + content.endswith("\t")


@pytest.mark.parametrize(
    ("written", "identity"),
    [
        ('"r\\u00e9"', "ré"), ("7", "7"), ("null", ""), ("true", "true"),
        ('"a\\ud800"', "a\\ud800"), ("9" * 5000, "9" * 200), ('"' + "é" * 500 + '"', "é" * 200),
        ('{"a": [1]}', '{"a": [1]}'), ("[NaN, null]", "[NaN, null]"),
    ],
)  # fmt: skip
def test_whatever_a_record_calls_itself_can_be_stored(tmp_path, written, identity):
    path = tmp_path / "a.jsonl"
    # The second line is no JSON; Python reads it, which refuses long numbers.
    lines = [f'{{"text": "good", "id": {written}{besides}}}' for besides in ("", ', "x": NaN')]
    path.write_text("\n".join(lines[: 1 if written.isdigit() else 2]), encoding="utf-8")
    found = [item.identity for item in _lines(path)[:-1]]
    assert found == [identity] * len(found)
    identity.encode()


@pytest.mark.parametrize("year", [-100, 8000])
def test_a_time_of_change_set_by_hand_can_be_stored(year):
    # Not every file system takes such a time.
    facts = SimpleNamespace(st_mtime_ns=year * 365 * 86_400 * 10**9)
    stored = changed_at(facts)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(stored)) == stored
    assert stored != changed_at(SimpleNamespace(st_mtime_ns=facts.st_mtime_ns + 1))


def test_a_file_that_changed_is_not_read(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one")
    file = _file(path)
    path.write_text("other")
    with pytest.raises(FileNotFoundError) as caught:
        list(text_records.text_records(file, WHOLE, ""))
    assert reason_of(caught.value) == "changed while it was read"
    for replace in (os.mkfifo, os.mkdir):
        path.unlink()
        replace(path)
        with pytest.raises((FileNotFoundError, IsADirectoryError)) as caught:
            list(text_records.text_records(file, WHOLE, ""))
        assert reason_of(caught.value) == "changed while it was read"


def test_parquet_slices_share_row_groups(tmp_path):
    texts = [f"row {n}" for n in range(50)]
    texts[3], texts[4] = None, " "
    table = pa.table({"id": list(range(50)), "text": texts})
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, row_group_size=7)
    file = _file(path)
    whole = list(parquet_records(file, WHOLE, FIELDS, tmp_path))
    assert [item.number for item in whole] == list(range(1, 51))
    assert [item.reason for item in whole if isinstance(item, Refusal)] == [
        "no text field 'text'",
        "empty",
    ]
    assert (whole[9].text, whole[9].identity) == ("row 9", "9")
    borders = [*range(0, file.size, 500), -1]
    parts = [
        item
        for begin, end in pairwise(borders)
        for item in parquet_records(file, Slice(0, begin, end), FIELDS, tmp_path)
    ]
    assert parts == whole
    packed = tmp_path / "b.parquet.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(parquet_records(_file(packed), WHOLE, FIELDS, tmp_path)) == whole


@pytest.mark.parametrize("change", [b"more", b""])
@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.jsonl"])
def test_a_file_that_changes_while_it_is_read_is_told(tmp_path, name, change):
    path = tmp_path / name
    lines = b'{"text": "line"}\n' * 300_000
    path.write_bytes(gzip.compress(lines, 0) if name.endswith(".gz") else lines)
    file = _file(path)
    with unpacked(file) as stream:
        stream.read(10)
        path.write_bytes(path.read_bytes() + change if change else b"short")
        with pytest.raises(FileNotFoundError):
            list(iter(lambda: stream.read(1 << 16), b""))


def test_parquet_without_rows_and_of_views(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
    (item,) = parquet_records(_file(path), WHOLE, FIELDS, tmp_path)
    assert item.reason == "empty"
    pq.write_table(pa.table({"text": pa.array(["a text"], pa.string_view())}), path)
    (item,) = parquet_records(_file(path), WHOLE, FIELDS, tmp_path)
    assert item.text == "a text"


def test_parquet_without_texts_and_damaged(tmp_path):
    path = tmp_path / "a.parquet"
    for table in (pa.table({"body": ["x"]}), pa.table({"text": [1]})):
        pq.write_table(table, path)
        (item,) = parquet_records(_file(path), WHOLE, FIELDS, tmp_path)
        assert item.reason == "no text field 'text'"
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": ["x" * 1000] * 100}), sink)
    path.write_bytes(sink.getvalue()[:-30])
    with pytest.raises(EOFError):
        list(parquet_records(_file(path), WHOLE, FIELDS, tmp_path))
