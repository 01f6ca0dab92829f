"""The journal: chained, torn ends cut, every other change found."""

import errno
import hashlib
import json
import os
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.errors import CorruptData, StorageError
from qmpi.protocol.journal import (
    FailureSeen,
    GenerationOpened,
    RunEnded,
    RunOpened,
    StepCommitted,
)
from qmpi.storage.journal import Glance, JournalWriter, chain_hash, glance_at, read_journal


def _step(n):
    return StepCommitted(float(n), n, 1, 0, ("ab",), (1.5, 2.5), 2.0, "")


def _write(path, records):
    with JournalWriter.open(path) as writer:
        writer.append(records)


_texts = st.text(max_size=20)
_records = st.lists(
    st.builds(_step, st.integers(0, 2**40))
    | st.builds(RunEnded, st.just(1.0), _texts, st.just(3), _texts, _texts)
    | st.builds(FailureSeen, st.just(0.5), st.just(4), st.just((1, 2)), _texts, _texts, _texts),
    max_size=8,
)


@given(first=_records, second=_records)
@settings(max_examples=25, deadline=None)
def test_what_is_appended_is_read(tmp_path_factory, first, second):
    path = tmp_path_factory.mktemp("j") / "journal.jsonl"
    _write(path, first)
    seen = []
    with JournalWriter.open(path, visit=seen.append) as writer:
        writer.append(second)
    assert seen == first
    assert list(read_journal(path)) == first + second


def test_every_flipped_bit_is_found_or_is_a_torn_end(tmp_path):
    path = tmp_path / "journal.jsonl"
    records = [_step(0), _step(1), _step(2)]
    _write(path, records)
    good = path.read_bytes()
    for place in range(0, len(good) - 1):
        data = bytearray(good)
        data[place] ^= 1 << (place * 5 % 8)
        path.write_bytes(data)
        with pytest.raises(CorruptData, match=r"line [123]"):
            list(read_journal(path))


def test_dropped_and_swapped_lines_are_found(tmp_path):
    path = tmp_path / "journal.jsonl"
    _write(path, [_step(n) for n in range(4)])
    lines = path.read_bytes().splitlines(keepends=True)
    for changed in (lines[1:], [lines[1], lines[0], *lines[2:]], [*lines[:2], lines[3]]):
        path.write_bytes(b"".join(changed))
        with pytest.raises(CorruptData):
            list(read_journal(path))


def test_torn_last_line_is_skipped_and_cut(tmp_path):
    path = tmp_path / "journal.jsonl"
    _write(path, [_step(0), _step(1)])
    whole = path.read_bytes()
    second = whole.index(b"\n") + 1
    for end in range(second, len(whole)):
        path.write_bytes(whole[:end])
        assert list(read_journal(path)) == [_step(0)]
        _write(path, [_step(1)])
        assert path.read_bytes() == whole


def test_append_that_fails_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "journal.jsonl"
    real = os.write
    with JournalWriter.open(path) as writer:
        writer.append([_step(0)])
        left = [7]

        def full(descriptor, data):
            if left[0] == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            written = real(descriptor, data[: left[0]])
            left[0] -= written
            return written

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(StorageError, match="free space"):
            writer.append([_step(1)])
        monkeypatch.setattr(os, "write", real)
        writer.append([_step(1)])
    assert list(read_journal(path)) == [_step(0), _step(1)]


def test_hundred_thousand_lines_are_checked_quickly(tmp_path):
    path = tmp_path / "journal.jsonl"
    _write(path, [_step(n) for n in range(20_000)])
    start = time.process_time()
    assert sum(1 for _ in read_journal(path)) == 20_000
    # 0.2 s is the promise; five times that keeps a slow machine from failing the suite.
    assert time.process_time() - start < 1.0


def test_light_modules_load_no_heavy_library():
    code = (
        "import sys, qmpi.storage.journal, qmpi.storage.status_file, qmpi.storage.snapshot_store,"
        " qmpi.storage.run_directory, qmpi.storage.corpus, qmpi.corpora.builtin;"
        "print(sorted({'h5py','blosc2','numpy','tokenizers','zstandard'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_hash_covers_previous_hash_and_record(tmp_path):
    path = tmp_path / "journal.jsonl"
    _write(path, [_step(0)])
    line = path.read_bytes()
    record = line[line.index(b'"record":') + 9 : line.index(b',"hash"')]
    expected = hashlib.sha256(b"0" * 64 + record).hexdigest()
    assert expected.encode() in line


def _opened(incarnation, back_to=-1):
    return RunOpened(1.0, "id", incarnation, "d", (), (), "", 2, 4, (), back_to)


def test_a_glance_tells_the_starts_and_the_steps_that_stand(tmp_path):
    path = tmp_path / "journal.jsonl"
    first, second, third = _opened(1), _opened(2), _opened(3, back_to=1)
    _write(path, [first, *(_step(n) for n in range(4))])
    assert glance_at(path) == Glance((first,), 4, 4, (first,))
    _write(path, [second])
    assert glance_at(path) == Glance((first, second), 4, 4, (first, second))
    _write(path, [GenerationOpened(1.0, 2, (1,), ((0,),), 2, "live", "why"), _step(2)])
    assert glance_at(path).committed == 3
    _write(path, [FailureSeen(1.0, 3, (), '"type":"run_opened"', "", ""), third])
    assert glance_at(path) == Glance((first, second, third), 1, 5, (first, second, third))


def test_a_glance_at_what_is_no_journal_tells_nothing(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text('{}\n"type":"step_committed"\n"type":"run_opened"')
    assert glance_at(path) == Glance()


def test_a_journal_of_an_old_version_is_read(tmp_path):
    path = tmp_path / "journal.jsonl"
    _write(path, [_opened(1), _step(0)])
    lines, last = [], "0" * 64
    for n, line in enumerate(path.read_text().splitlines()):
        record = json.loads(line)["record"]
        for field in ("hyperparameters", "back_to", "updates"):
            record.pop(field, None)
        raw = json.dumps(record)
        digest = chain_hash(last, raw.encode())
        lines.append(f'{{"n":{n},"prev":"{last}","record":{raw},"hash":"{digest}"}}\n')
        last = digest
    path.write_text("".join(lines))
    opened, step = read_journal(path)
    assert (opened.hyperparameters, opened.back_to, step.updates) == ((), -1, -1)
    assert glance_at(path).committed == 0  # written by another encoder; the chain is what counts
