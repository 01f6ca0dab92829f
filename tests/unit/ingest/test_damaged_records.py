"""One bad record, page or part of a file costs itself alone, and is named."""

import gzip
import json
import os
import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from qmpi.errors import InputError
from qmpi.ingest.corpus import IngestOptions, ingest_corpus
from qmpi.ingest.read.files import Fields, Record, Refusal
from qmpi.ingest.read.json_lines import is_json_lines, with_lines_marked
from qmpi.ingest.read.parquet import parquet_records
from qmpi.ingest.read.texts import text_records
from qmpi.ingest.scan import Slice, SourceFile, changed_at, scan
from qmpi.ingest.spec import spec_of
from qmpi.storage.origins import all_origins

FIELDS = Fields("text", "id")
WHOLE = Slice(0, 0, -1)
ROWS = [f"row {n} of {n * n} words about {n * 7} things" for n in range(3000)]
BAD = b"cut in mid \xe4\xb8 character"


def _file(path):
    facts = path.stat()
    return SourceFile(os.fsencode(path), "", facts.st_size, changed_at(facts))


def _strings(cells, kind=None):
    """A column whose cells nobody has checked."""
    ends = [0]
    for cell in cells:
        ends.append(ends[-1] + len(cell))
    form, kind = ("q", kind) if kind == pa.large_string() else ("i", pa.string())
    parts = [
        None,
        pa.py_buffer(struct.pack(f"<{len(ends)}{form}", *ends)),
        pa.py_buffer(b"".join(cells)),
    ]
    return pa.Array.from_buffers(kind, len(cells), parts)


def _with_bad(*numbers):
    cells = [row.encode() for row in ROWS]
    for number in numbers:
        cells[number - 1] = BAD
    return cells


def _read(path, folder):
    found = list(parquet_records(_file(path), WHOLE, FIELDS, folder))
    kept = {item.number: item for item in found if isinstance(item, Record)}
    return kept, [item for item in found if isinstance(item, Refusal)]


@pytest.mark.parametrize("numbers", [(1,), (3000,), (10, 300, 301, 2999)])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), "dictionary"])
def test_a_cell_that_is_no_utf8_costs_its_row(tmp_path, numbers, kind):
    column = _strings(_with_bad(*numbers), kind)
    if kind == "dictionary":
        column = pa.DictionaryArray.from_arrays(pa.array(range(3000), pa.int32()), column)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": column}), path, row_group_size=500)
    kept, refused = _read(path, tmp_path)
    assert [(item.number, item.reason) for item in refused] == [(n, "not UTF-8") for n in numbers]
    assert {n: item.text for n, item in kept.items()} == {
        n: row for n, row in enumerate(ROWS, 1) if n not in numbers
    }


def test_an_identity_that_python_cannot_hold_costs_nothing(tmp_path):
    path = tmp_path / "a.parquet"
    for column, shown in (
        (_strings(_with_bad(10)), "cut in mid \\xe4\\xb8 character"),
        (pa.array([2**62 + 1] * 3000, pa.timestamp("us")), str(2**62 + 1)),
        (pa.array([2**62 + 1] * 3000, pa.timestamp("ns")), str(2**62 + 1)),
    ):
        pq.write_table(pa.table({"text": ROWS, "id": column}), path)
        kept, refused = _read(path, tmp_path)
        assert (len(kept), refused) == (3000, [])
        assert kept[10].identity == shown


def _harm(path, group, column, count=40):
    chunk = pq.ParquetFile(path).metadata.row_group(group).column(column)
    data = bytearray(path.read_bytes())
    place = chunk.data_page_offset + chunk.total_compressed_size // 2
    for offset in range(place, place + count):
        data[offset] ^= 0x5A
    path.write_bytes(data)


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_a_damaged_page_costs_the_rest_of_its_row_group(tmp_path, compression):
    path = tmp_path / "a.parquet"
    table = pa.table({"text": ROWS, "id": range(3000)})
    options = {"compression": compression, "row_group_size": 1000, "use_dictionary": False}
    pq.write_table(table, path, **options, write_page_checksum=True, data_page_size=2000,
                   write_batch_size=50)  # fmt: skip
    _harm(path, 1, 1)
    kept, refused = _read(path, tmp_path)
    assert (len(kept), refused) == (3000, []), "the texts are read without the identities"
    assert kept[1].identity == "0"
    _harm(path, 1, 0)
    kept, refused = _read(path, tmp_path)
    (lost,) = refused
    assert (lost.reason, lost.last) == ("damaged", 2000)
    assert 1001 < lost.number <= 1500, "rows before the damage are kept"
    assert sorted(kept) == [*range(1, lost.number), *range(2001, 3001)]
    report = ingest_corpus([path], tmp_path / "c", IngestOptions(vocab_size=300), lambda _: None)
    assert report.facts.documents == len(kept)
    assert report.left_out[0].where == f"{path}:{lost.number}-2000"


# Compressed lines.

PACKERS = {
    "gz": gzip.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def _lines(begin, end):
    rows = ({"text": row} for row in ROWS[begin:end])
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("harm", ["flip", "cut", "checksum", "beginning"])
def test_a_damaged_part_of_a_compressed_file_costs_itself(tmp_path, kind, harm):
    parts = [PACKERS[kind](_lines(begin, begin + 1000)) for begin in (0, 1000, 2000)]
    torn = bytearray(parts[1])
    if harm == "cut":
        del torn[-len(torn) // 3 :]
    else:
        at = {"flip": len(torn) // 2, "checksum": len(torn) - 5 if kind == "gz" else -1}.get(
            harm, 0
        )
        torn[at] ^= 0x55
    path = tmp_path / f"a.jsonl.{kind}"
    path.write_bytes(parts[0] + torn + parts[2])
    report = ingest_corpus([path], tmp_path / "c", IngestOptions(vocab_size=300), lambda _: None)
    assert report.facts.documents == 2000
    assert report.facts.left_out == {"damaged": 1}
    begin, end = len(parts[0]), len(parts[0]) + len(torn)
    assert report.left_out[0].where == f"{path}, compressed bytes {begin} to {end}"
    found = [origin.record for origin in all_origins(tmp_path / "c")]
    assert found[:1000] == list(range(1, 1001))


@pytest.mark.parametrize("kind", PACKERS)
def test_a_line_that_a_damage_cuts_is_no_record(tmp_path, kind):
    data = _lines(0, 3000)
    parts = [PACKERS[kind](data[begin : begin + 50_000]) for begin in range(0, len(data), 50_000)]
    torn = bytearray(parts[1])
    torn[len(torn) // 2] ^= 0x55
    path = tmp_path / f"a.jsonl.{kind}"
    path.write_bytes(parts[0] + torn + b"".join(parts[2:]))
    report = ingest_corpus([path], tmp_path / "c", IngestOptions(vocab_size=300), lambda _: None)
    lost = data[:50_000].rpartition(b"\n")[2] + data[50_000:100_000]
    lost += data[100_000:].partition(b"\n")[0]
    assert report.facts.documents == 3000 - lost.count(b"\n") - 1
    assert report.facts.left_out["damaged"] == 1
    assert sum(report.facts.left_out.values()) == 3, "and two halves of lines"


def test_nothing_is_kept_of_a_file_of_one_damaged_part(tmp_path):
    torn = bytearray(gzip.compress(_lines(0, 1000)))
    torn[-5] ^= 1
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(torn)
    (tmp_path / "b.txt").write_text(ROWS[0])
    report = ingest_corpus(
        [tmp_path], tmp_path / "c", IngestOptions(vocab_size=300), lambda _: None
    )
    assert report.facts.documents == 1
    assert report.left_out[0] == (str(path), "damaged")


# Lines of JSON in files of another name.


def _marked(path, field="text"):
    return with_lines_marked(scan(path, path / "none"), Fields(field, "id")).files[0]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ('{"content": "a"}\n{"content": "b"}\n', True),
        ('\n{"content": "a"}\r\n\r\n{"content": "b"}', True),
        ('\ufeff{"content": "a"}\n{"content": "b"}\n', True),
        ('{"content": "a"}\n{"content": torn}\n{"content": "b"}\n', True),
        ('{"content": "one"}\n', True),
        ('{"other": "one"}\n', False),
        ('{\n  "content": "a"\n}\n', False),
        ('[{"content": "a"},\n{"content": "b"}]\n', False),
        ('{"content": "a"}\nno JSON at all\n', False),
        ("", False),
        ("\n\n", False),
    ],
)
@pytest.mark.parametrize("ending", ["json", "json.gz", "JSON.zst", "txt"])
def test_json_files_of_a_record_a_line_are_known(tmp_path, content, lines, ending):
    path = tmp_path / f"a.{ending}"
    packing = {"gz": gzip.compress, "zst": zstandard.compress}.get(ending.partition(".")[2], bytes)
    path.write_bytes(packing(content.encode()))
    file = _marked(path, "content")
    assert is_json_lines(file) == (lines and ending != "txt")


def test_lines_in_a_json_file_are_read_as_those_of_jsonl(tmp_path):
    reports = []
    for name in ("part.json.gz", "part.jsonl.gz"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(_lines(0, 500).replace(b'"text"', b'"content"')))
        options = IngestOptions(field="content", vocab_size=300)
        out = tmp_path / name.replace(".", "")
        reports.append(ingest_corpus([path], out, options, lambda _: None))
        assert [origin.record for origin in all_origins(out)] == list(range(1, 501))
    assert reports[0].facts.digest == reports[1].facts.digest


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("a.json", {"field": "content"}, "--field content"),
        ("a.txt", {"field": "content"}, "--field content"),
        ("a.txt", {"id_field": "key"}, "--id-field key"),
        ("a.jsonl", {"encoding": "latin-1"}, "--encoding latin-1"),
        ("a.jsonl", {"field": "content", "id_field": "content"}, "--id-field content"),
    ],
)
def test_an_option_that_no_input_is_read_by_is_refused(tmp_path, name, options, word):
    (tmp_path / name).write_text('[{"content": "a"}]\n')
    with pytest.raises(InputError, match=word):
        ingest_corpus([tmp_path / name], tmp_path / "c", IngestOptions(**options), lambda _: None)
    assert not (tmp_path / "c.partial").exists()


# Encodings.


def _texts(tmp_path, data, encoding):
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    return list(text_records(_file(path), WHOLE, encoding))


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("unicode_escape", b"caf\xe9 \\ud800 half a pair"),
        ("unicode_escape", b"caf\xe9 \\N{no such name}"),
        ("raw_unicode_escape", b"caf\xe9 \\ud800 half a pair"),
        ("utf-7", b"caf\xe9"),
        ("euc_jis_2004", b"caf\xe9"),
    ],
)
def test_bytes_that_an_encoding_gives_no_text_for_are_told(tmp_path, encoding, data):
    (item,) = _texts(tmp_path, data, encoding)
    assert (type(item), item.reason) == (Refusal, "wrong encoding")


@pytest.mark.parametrize(
    "name", ["rot13", "base64", "zlib", "hex", "idna", "Puny-Code", "undefined", "mbcs", "a\0b"]
)
def test_codecs_that_are_no_encodings_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="latin-1"):
        spec_of([tmp_path], tmp_path / "c", IngestOptions(encoding=name), "", "")


def test_an_encoding_counts_where_a_file_shows_late_that_it_is_no_utf8(tmp_path):
    late = b"plain words " * 10_000 + b"caf\xe9"
    (item,) = _texts(tmp_path, late, "latin-1")
    assert isinstance(item, Record)
    assert (item.text[-4:], item.note) == ("caf\u00e9", "latin-1")
    (item,) = _texts(tmp_path, late, "")
    assert item.reason == "not UTF-8"
    (item,) = _texts(tmp_path, "caf\u00e9 ".encode() + late, "latin-1")
    assert item.reason == "not UTF-8", "its head says that it is UTF-8"
