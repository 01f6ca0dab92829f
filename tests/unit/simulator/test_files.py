"""Files of the simulated machine: folders by rank and position, pruned, found, full and lost."""

import pytest

from qmpi.errors import CorruptData, StorageError
from qmpi.simulator.files import DISK, Files, Writing
from qmpi.units import Rank, Step


def steps(files: Files, host: str = "a") -> list[tuple[int, int, str]]:
    return [(fact.step, fact.position, fact.place) for fact in files.find(host)]


def write(files: Files, step: int, place="ram", position=0, host="a", rank=1):
    writing = Writing(host, Rank(rank), Step(step), position)
    return files.write(place, writing, b"%d.%d" % (step, position))


def test_positions_and_steps_have_files_of_their_own():
    files = Files(keep=2)
    for place in ("ram", "disk"):
        facts = [write(files, step, place, position) for step in (1, 2) for position in (0, 1)]
        assert [files.read(fact.path, "a") for fact in facts] == [b"1.0", b"1.1", b"2.0", b"2.1"]
    assert len(steps(files)) == 8


def test_the_newest_of_a_position_are_kept():
    files = Files(keep=2)
    for step in (1, 2, 3, 4):
        write(files, step)
    write(files, 1, position=1)
    assert steps(files) == [(4, 0, "ram"), (3, 0, "ram"), (1, 1, "ram")]
    write(files, 4)
    assert steps(files) == [(4, 0, "ram"), (3, 0, "ram"), (1, 1, "ram")]


@pytest.mark.parametrize(("place", "full"), [("ram", "a"), ("disk", DISK)])
def test_a_full_place_refuses_and_keeps_what_it_has(place, full):
    files = Files(keep=2)
    for step in (1, 2):
        write(files, step, place)
    files.fill(full)
    with pytest.raises(StorageError):
        write(files, 3, place)
    assert [step for step, _, _ in steps(files)] == [2, 1]
    write(files, 3, place, host="b") if place == "ram" else write(files, 3, "ram")
    files.free(full)
    write(files, 3, place)
    assert (3, 0, place) in steps(files)


def test_ram_is_read_on_its_host_alone_and_lost_with_it():
    files = Files(keep=2)
    ram, disk = write(files, 1), write(files, 1, "disk")
    assert files.read(disk.path, "b") == b"1.0"
    with pytest.raises(StorageError):
        files.read(ram.path, "b")
    files.lose_hosts(["a"])
    with pytest.raises(StorageError):
        files.read(ram.path, "a")
    assert steps(files) == [(1, 0, "disk")]


def test_what_is_damaged_is_not_handed_out():
    files = Files(keep=2)
    write(files, 1)
    newest = write(files, 2)
    assert files.corrupt("ram", Rank(1)) == newest.path
    assert files.corrupt("ram", Rank(7)) == ""
    with pytest.raises(CorruptData):
        files.read(newest.path, "a")
    assert [step for step, _, _ in steps(files)] == [1]
