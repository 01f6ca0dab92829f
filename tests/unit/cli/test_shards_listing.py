"""`qmpi shards ls` can be read in any terminal, and by programs."""

import pytest

from qmpi.cli.shards_listing import HEADINGS, listing
from qmpi.corpora.survey import ShardSummary

TYPES = ("technical", "scientific", "code", "mathematics", "philosophy", "creative")
MIXED = ShardSummary(
    path="corpora/mixed/shard-000000.h5",
    tokens=123_456_789,
    documents=345_678,
    ratio=2.345,
    types=dict.fromkeys(TYPES, 100),
    levels=(1, 100),
)
BROKEN = ShardSummary(path="corpora/mixed/shard-000001.h5", fault="cannot open it: no such file")
INGESTED = ShardSummary(path="notes/shard-000000.h5", tokens=5, documents=1, ratio=0.1)
ALL = (MIXED, BROKEN, INGESTED)


def lines(width: int | None, *shards: ShardSummary) -> list[str]:
    return [plain(line) for line in listing(shards or ALL, width)]


def test_of_no_shards_the_headings_are_shown() -> None:
    assert [plain(line).split() for line in listing((), 80)] == [list(HEADINGS)]


def plain(line: str) -> str:
    for mark in ("\x1b[0m", "\x1b[1m", "\x1b[31m"):
        line = line.replace(mark, "")
    return line


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_cut(width: int) -> None:
    shown = lines(width)
    assert max(map(len, shown)) <= width
    said = " ".join(" ".join(shown).split())
    for shard in ALL:
        assert shard.path in said
        assert shard.fault in said
    for name in (*TYPES, "123M", "345,678", "tokens", "documents", "ratio", "levels", "ingested"):
        assert name in said, name
    for name in TYPES:
        assert any(f"{name} 17 %" in line for line in shown), "a share stays beside its type"


def test_a_wide_terminal_and_a_pipe_get_a_line_a_shard() -> None:
    for width in (200, None):
        heading, *rows = lines(width)
        assert tuple(heading.split()) == HEADINGS
        assert [row.split()[0] for row in rows] == [shard.path for shard in ALL]
    assert max(map(len, lines(None))) > 120, "however long"


def test_a_table_fits_80_columns_where_there_is_little_to_say() -> None:
    assert tuple(lines(80, INGESTED)[0].split()) == HEADINGS
    assert lines(40, INGESTED)[0] == INGESTED.path


def test_a_path_is_never_cut() -> None:
    long = ShardSummary(path="x/" * 60 + "shard-000000.h5", tokens=1, documents=1)
    assert lines(40, long)[0] == long.path
