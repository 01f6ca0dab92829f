"""Unpacking: whole or not at all, once, and never outside the directory."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from unit.launch.pack.small import (
    FILES,
    HERE,
    content,
    forged,
    leftovers,
    manifest_of,
    put,
    write_small,
)
from zstandard import ZstdDecompressor

from qmpi.errors import CorruptData, InputError, LaunchError, StorageError
from qmpi.launch.pack.item import Item
from qmpi.launch.pack.machine import Machine
from qmpi.launch.pack.manifest import MANIFEST_NAME
from qmpi.launch.pack.presence import SEEN_NAME


def names(target: Path) -> set[str]:
    return set(content(target)) - {MANIFEST_NAME, SEEN_NAME}


@pytest.mark.parametrize("name", ["env", "my env", "a[b]*?", "line\nbreak", "$(x);'\"", "\u00e9"])
def test_everything_arrives(tmp_path: Path, name: str) -> None:
    archive = write_small(tmp_path / f"{name}.tar.zst")
    target = tmp_path / "not there yet" / name
    placed = put(archive, target)
    assert not placed.reused
    assert names(target) == {item.path for item in FILES}
    there = content(target)
    assert there["bin/python"] == (b"#!/bin/sh\nexit 0\n", 0o755)
    assert there["lib/a folder/one.py"] == (b"one = 1\n" * 50, 0o644)
    assert there["bin/python3"][0] == b"-> python"
    assert put(archive, target).reused
    assert not leftovers(target.parent)


def test_tar_reads_a_pack(tmp_path: Path) -> None:
    plain = tmp_path / "p.tar"
    with write_small(tmp_path / "p").open("rb") as packed:
        reader = ZstdDecompressor().stream_reader(packed, read_across_frames=True)
        plain.write_bytes(reader.read())
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["tar", "-xf", str(plain), "-C", str(out)], check=True, timeout=20)
    assert names(out) == {item.path for item in FILES}


def test_equal_environments_make_equal_files(tmp_path: Path) -> None:
    one, two = write_small(tmp_path / "1"), write_small(tmp_path / "2")
    assert one.read_bytes() == two.read_bytes()


def test_every_cut_is_found(tmp_path: Path) -> None:
    whole = write_small(tmp_path / "p").read_bytes()
    archive = tmp_path / "cut"
    checksum = 4  # without it every file still has its digest
    for size in {*range(0, len(whole) - checksum, 37), len(whole) - checksum - 1}:
        archive.write_bytes(whole[:size])
        with pytest.raises((CorruptData, InputError)):
            put(archive, tmp_path / "env")
        assert not (tmp_path / "env").exists()
    assert not leftovers(tmp_path)


def test_every_flipped_bit_is_found_or_changes_nothing(tmp_path: Path) -> None:
    whole = write_small(tmp_path / "p").read_bytes()
    put(tmp_path / "p", tmp_path / "right")
    right = content(tmp_path / "right")
    archive, chance, refused = tmp_path / "flipped", random.Random(5), 0
    for place in range(0, len(whole), 11):
        bit = chance.randrange(8)
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        target = tmp_path / f"env{place}"
        try:
            put(archive, target)
        except (CorruptData, InputError):
            refused += 1
            assert not target.exists()
        else:
            assert content(target) == right
    assert refused > len(whole) // 11 - 3
    assert not leftovers(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["../out", "/tmp/out", "a/../../out", "a//b", "./a", "a/", "", "a\0b", MANIFEST_NAME, "a\nb"],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    manifest = manifest_of((Item("plain", b"x"),))
    bad = (replace(manifest.files[0], path=name),)
    archive = forged(tmp_path / "in" / "p", replace(manifest, files=bad), manifest.files, b"x")
    with pytest.raises(CorruptData):
        put(archive, tmp_path / "in" / "env")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]


@pytest.mark.parametrize("link", ["../x", "/etc/passwd", "a/b", "..", ".", "nothing", "python3"])
def test_links_that_lead_elsewhere_are_refused(tmp_path: Path, link: str) -> None:
    items = (Item("bin/python", b"x"), Item("bin/python3", b"", link=link))
    with pytest.raises(CorruptData, match="link that leads elsewhere"):
        put(write_small(tmp_path / "p", items), tmp_path / "env")


def test_a_file_below_a_file_and_a_name_twice(tmp_path: Path) -> None:
    for items in ((Item("a", b"1"), Item("a/b", b"2")), (Item("a", b"1"), Item("a", b"2"))):
        with pytest.raises(CorruptData, match=r"below a file|twice"):
            put(write_small(tmp_path / "p", items), tmp_path / "env")


def test_members_that_the_manifest_does_not_name(tmp_path: Path) -> None:
    wrong = {
        "another file": (Item("b", b"1"),),
        "a link for a file": (Item("a", b"", link="etc"),),
        "another size": (Item("a", b"12"),),
        "another content": (Item("a", b"2"),),
        "one more": (Item("a", b"1"), Item("b", b"1")),
        "none": (),
    }
    promised = manifest_of((Item("a", b"1"),))
    for what, items in wrong.items():
        contents = [item.content() for item in items]
        archive = forged(tmp_path / what, promised, manifest_of(items).files, *contents)
        with pytest.raises(CorruptData, match="damaged"):
            put(archive, tmp_path / "env")
    assert not (tmp_path / "env").exists()


@pytest.mark.parametrize("text", [b"", b"PK\x03\x04", b"\x28\xb5\x2f\xfd" + bytes(40)])
def test_other_files_are_no_packs(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "p").write_bytes(text)
    with pytest.raises((InputError, CorruptData)):
        put(tmp_path / "p", tmp_path / "env")
    with pytest.raises(StorageError, match="does not exist"):
        put(tmp_path / "none", tmp_path / "env")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="pipe"):
        put(tmp_path / "pipe", tmp_path / "env")


def test_another_kind_of_machine_is_refused(tmp_path: Path) -> None:
    archive = write_small(tmp_path / "p", machine="riscv64")
    with pytest.raises(InputError, match=r"made on Linux riscv64.*run `qmpi pack`"):
        put(archive, tmp_path / "env")


def test_what_is_there_is_mended_but_not_replaced_unasked(tmp_path: Path) -> None:
    target = tmp_path / "env"
    archive = write_small(tmp_path / "p")
    put(archive, target)
    (target / "lib/a folder/one.py").unlink()  # as programs do that clear old files
    assert not put(archive, target).reused
    assert put(archive, target).reused
    other = write_small(tmp_path / "q", (*FILES, Item("more", b"x")))
    with pytest.raises(InputError, match="--replace"):
        put(other, target)
    assert put(archive, target).reused
    assert not put(other, target, replace=True).reused
    assert (target / "more").exists()
    assert not leftovers(tmp_path)


def test_digests_are_compared_after_a_start_of_the_machine(tmp_path: Path) -> None:
    target = tmp_path / "env"
    archive = write_small(tmp_path / "p")
    put(archive, target)
    file = target / "lib/a folder/one.py"
    file.write_bytes(b"two = 2\n" * 50)  # the same size
    assert put(archive, target).reused
    assert not put(archive, target, verify=True).reused
    file.write_bytes(b"two = 2\n" * 50)
    later = Machine(HERE.system, HERE.kind, HERE.user, "another boot")
    assert not put(archive, target, later).reused
    assert file.read_bytes() == b"one = 1\n" * 50


def test_directories_that_are_no_packs_are_left_alone(tmp_path: Path) -> None:
    archive = write_small(tmp_path / "p")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds other things"):
        put(archive, tmp_path / "mine", replace=True)
    with pytest.raises(InputError, match="is a file"):
        put(archive, tmp_path / "p")
    with pytest.raises(StorageError):
        put(archive, tmp_path / "p" / "below")
    with pytest.raises(StorageError, match="make the directory"):
        put(archive, Path("/proc/nothing/env"))
    put(archive, tmp_path / "empty")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


def test_a_directory_of_others_is_not_trusted(tmp_path: Path) -> None:
    archive, target = write_small(tmp_path / "p"), tmp_path / "env"
    put(archive, target)
    target.chmod(0o777)
    with pytest.raises(InputError, match="others may write"):
        put(archive, target)
    target.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(target, 4242, 4242)
    stranger = Machine(HERE.system, HERE.kind, HERE.user + 1, HERE.boot)
    with pytest.raises(InputError, match="another user"):
        put(archive, target, stranger)


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    archive = write_small(tmp_path / "p")
    (tmp_path / ".env.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(StorageError):
        put(archive, tmp_path / "env")
    assert not (tmp_path / "victim").exists()


def test_no_room_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, real = write_small(tmp_path / "p"), os.statvfs(tmp_path)
    values = list(real)
    values[4] = 0
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(values))
    with pytest.raises(StorageError, match="0 MiB free"):
        put(archive, tmp_path / "env")
    assert not (tmp_path / "env").exists()


def test_an_environment_that_does_not_run_is_not_put_there(tmp_path: Path) -> None:
    def fails(_: Path) -> None:
        raise LaunchError("libssl.so.3: cannot open")

    with pytest.raises(LaunchError):
        put(write_small(tmp_path / "p"), tmp_path / "env", trial=fails)
    assert not (tmp_path / "env").exists()
    assert not leftovers(tmp_path)


AT_ONCE = """
import sys, time
from pathlib import Path
from unit.launch.pack.small import put
def trial(_): time.sleep(0.5)
print(put(Path(sys.argv[1]), Path(sys.argv[2]), trial=trial).reused)
"""


def _start(*arguments: Path) -> subprocess.Popen[str]:
    folder = str(Path(__file__).parents[3])
    return subprocess.Popen(
        [sys.executable, "-c", AT_ONCE, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": folder},
    )


def test_of_many_at_once_one_unpacks(tmp_path: Path) -> None:
    archive, target = write_small(tmp_path / "p"), tmp_path / "env"
    told = [process.communicate(timeout=60)[0].strip() for process in _many(archive, target)]
    assert sorted(told) == ["False", "True", "True", "True"]
    assert names(target) == {item.path for item in FILES}


def _many(archive: Path, target: Path) -> list[subprocess.Popen[str]]:
    return [_start(archive, target) for _ in range(4)]


def test_what_a_killed_one_left_is_removed(tmp_path: Path) -> None:
    archive, target = write_small(tmp_path / "p"), tmp_path / "env"
    process = _start(archive, target)
    while not leftovers(tmp_path):
        assert process.poll() is None
    process.kill()
    process.communicate(timeout=20)
    assert not target.exists()
    assert leftovers(tmp_path)
    assert not put(archive, target).reused
    assert not leftovers(tmp_path)
