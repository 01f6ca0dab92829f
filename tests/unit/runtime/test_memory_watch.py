"""A rank that takes most of the memory there is says so, once."""

from pathlib import Path

from qmpi.runtime.memory_watch import MemoryWatch
from qmpi.storage.memory_here import memory_limit, resident_bytes

GIB = 1 << 30


def test_it_is_told_once_from_the_share_on():
    taken = [0]
    watch = MemoryWatch(lambda: 100 * GIB, lambda: taken[0])
    told = []
    for taken[0] in (10 * GIB, 85 * GIB - 1, 85 * GIB, 99 * GIB):
        told.append(watch.look())
    assert told[:2] == ["", ""]
    assert told[2].startswith("takes 85 GiB of the 100 GiB that all processes may have here")
    assert told[3] == ""


def test_the_limit_of_a_group_counts(tmp_path: Path):
    group = tmp_path / "sys/fs/cgroup/job"
    group.mkdir(parents=True)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/job\n")
    without = memory_limit(tmp_path)
    (group / "memory.max").write_text("123456\n")
    assert memory_limit(tmp_path) == 123456 < without
    (group / "memory.max").write_text("max\n")
    assert memory_limit(tmp_path) == without


def test_where_the_kernel_tells_nothing_nothing_is_told(tmp_path: Path):
    assert resident_bytes(tmp_path) == 0
    assert resident_bytes() > 1 << 20
    assert MemoryWatch(lambda: GIB, lambda: 0).look() == ""
