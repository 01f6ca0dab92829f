"""Pure parts: mounts, control groups, needs of a job, figures."""

from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.config.settings import RoleSettings, Settings, SnapshotSettings
from qmpi.doctor.amounts import duration, plural, rate, size
from qmpi.doctor.mounts import mount_of
from qmpi.doctor.needs import needs_of
from qmpi.model.shape import state_bytes
from qmpi.storage.cgroups import Limits, limits_of

MOUNTS = """22 27 0:21 / /proc rw - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 27 0:40 / /my\\040runs rw - nfs4 srv:/x rw
31 27 0:41 / /lab ro,nosuid - fuse.sshfs me@far rw
32 27 0:42 / /dev/shm rw - tmpfs tmpfs rw
33 32 0:43 / /dev/shm ro - ramfs ramfs rw
a torn line
"""


@pytest.mark.parametrize(
    ("path", "kind", "network", "ram"),
    [
        ("/home/u", "ext4", False, False),
        ("/my runs/a", "nfs4", True, False),
        ("/my runs2", "ext4", False, False),
        ("/lab", "fuse.sshfs", True, False),
        ("/dev/shm/x", "ramfs", False, True),
    ],
)
def test_the_nearest_and_last_mount_counts(path: str, kind: str, network: bool, ram: bool) -> None:
    mount = mount_of(PurePath(path), MOUNTS)
    assert mount is not None
    assert (mount.kind, mount.is_network, mount.in_ram) == (kind, network, ram)


def test_mounts_that_are_not_there() -> None:
    assert mount_of(PurePath("/x"), "") is None
    shown = mount_of(PurePath("/lab/x"), MOUNTS)
    assert shown is not None
    assert shown.read_only


@given(st.text())
def test_any_text_of_mounts_is_borne(text: str) -> None:
    mount_of(PurePath("/x"), text)
    limits_of(lambda _path: text)


def test_limits_of_a_unified_control_group() -> None:
    tree = {
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/cpu.max": "max 100000",
        "sys/fs/cgroup/a/b/cpu.max": "150000 100000",
        "sys/fs/cgroup/a/memory.max": "1000000",
        "sys/fs/cgroup/a/b/memory.max": "2000000",
        "sys/fs/cgroup/a/b/pids.max": "max",
    }
    assert limits_of(lambda path: tree.get(path, "")) == Limits(1.5, 1_000_000, None)


def test_limits_of_control_groups_of_the_first_version() -> None:
    tree = {
        "proc/self/cgroup": "4:memory:/m\n3:cpu,cpuacct:/c\n2:pids:/\n1:name=systemd:/s\n",
        "sys/fs/cgroup/memory/m/memory.limit_in_bytes": "5000000",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        "sys/fs/cgroup/cpu/c/cpu.cfs_quota_us": "-1",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/pids/pids.max": "77",
    }
    assert limits_of(lambda path: tree.get(path, "")) == Limits(4.0, 5_000_000, 77)
    assert limits_of(lambda _path: "") == Limits()


def test_the_host_of_the_first_trainer_holds_its_copies_and_those_of_replicas() -> None:
    job = Settings(roles=RoleSettings(trainer=2, replica=1), snapshot=SnapshotSettings(keep=3))
    snapshot = state_bytes(job.model, job.optimizer.kind)
    alone = needs_of(job, 6, 1)
    assert alone.snapshot == snapshot
    assert alone.ram == 2 * 3 * snapshot
    assert (alone.host_ranks, alone.trainers) == (6, 2)
    # On two hosts the replica goes elsewhere than the first trainer.
    apart = needs_of(job, 6, 2)
    assert apart.ram == 3 * snapshot
    assert apart.host_ranks == 3
    one_kept = Settings(snapshot=SnapshotSettings(keep=1))
    # The new copy is whole before the old one goes.
    assert needs_of(one_kept, 1, 1).ram == 2 * 2 * snapshot


@given(st.integers(1, 300), st.integers(1, 40))
def test_needs_grow_with_ranks_and_never_with_hosts(ranks: int, hosts: int) -> None:
    job = Settings()
    here, more, wider = (
        needs_of(job, ranks, hosts),
        needs_of(job, ranks + 1, hosts),
        needs_of(job, ranks, hosts + 1),
    )
    assert here.host_ranks <= more.host_ranks
    assert here.open_files <= more.open_files + 2
    assert wider.host_ranks <= here.host_ranks <= ranks
    assert here.least_segments <= here.segments + (1 << 20) * ranks


def test_figures_as_people_read_them() -> None:
    assert [size(n) for n in (0, 1023, 1536, 5 << 20, 3 << 40)] == [
        "0 B",
        "1023 B",
        "1.50 KiB",
        "5.00 MiB",
        "3.00 TiB",
    ]
    assert [duration(s) for s in (0.0, 0.0425, 0.0999, 12.34, 250.0)] == [
        "0.00 ms",
        "42.5 ms",
        "0.10 s",
        "12.3 s",
        "250 s",
    ]
    assert (plural(1, "rank"), plural(1200, "rank")) == ("1 rank", "1,200 ranks")
    assert rate(5_000_000, 2.0) == 2.5
    assert rate(1, 0.0) > 0
