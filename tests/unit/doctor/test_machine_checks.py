"""What the checks make of memory, files, names, limits and the Python of a machine."""

import os
from pathlib import Path

import pytest
from msgspec.structs import replace
from packaging.requirements import Requirement
from unit.doctor.machine import CACHE, CODE, HOME, IMPORTS, RUN, TEMPORARY, TORCH, Machine, said

from qmpi.config.memory import LevelSettings, MemorySettings
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings, SnapshotSettings
from qmpi.config.train import TrainSettings
from qmpi.doctor.checks import ram
from qmpi.doctor.checks.code import judge_packages
from qmpi.doctor.finding import ok
from qmpi.doctor.programs.lines import (
    Code,
    Device,
    Imported,
    Moved,
    Named,
    Small,
    Torch,
    Tried,
)

HUGE = ModelSettings(layers=80, width=8192, heads=64, kv_heads=8)


def imports_with(*changed: Code | Torch | Imported) -> str:
    kinds = tuple(type(one) for one in changed)
    kept = [line for line in IMPORTS if not isinstance(line, kinds)]
    return said(*changed, *kept)


def environ_with(machine: Machine, **more: str) -> None:
    machine.changes["environ"] = {**machine.surroundings().environ, **more}


def test_memory_too_small_for_the_copies(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ram, "space", lambda _folder: machine.room(16 << 20, 16 << 20))
    machine.expect("RAM directory", "error", "do not fit", "mount -o remount,size=")
    machine.expect("shared memory", "error", "Open MPI refuses", "--shm-size=")
    monkeypatch.setattr(ram, "space", lambda _folder: machine.room(20 << 20, 2 << 30))
    machine.expect("RAM directory", "warning", "beside what lies there", "qmpi-*")
    machine.changes["job"] = Settings(model=HUGE)
    machine.expect("RAM directory", "error", "hosts with more memory")
    machine.changes["job"] = Settings()
    machine.expect("shared memory", "warning", "SIGBUS")


def test_chunks_that_a_host_keeps_are_counted(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = replace(machine.room(2 << 30, 2 << 30), where=str(machine.root / "dev/shm"))
    monkeypatch.setattr(ram, "space", lambda _folder: room)
    machine.expect("RAM directory", "ok")
    level = LevelSettings(kind="host", budget=8 << 30)
    machine.changes["job"] = Settings(memory=MemorySettings(levels=(level,)))
    machine.expect("RAM directory", "error", "compressed chunks 8.00 GiB")
    machine.expect("memory", "ok")
    machine.write("proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 8000000 kB\n")
    machine.expect("memory", "error", "their copies need")
    elsewhere = replace(level, directory="/other/ram")
    machine.changes["job"] = Settings(memory=MemorySettings(levels=(elsewhere,)))
    machine.expect("RAM directory", "ok")


def test_a_directory_for_copies_that_is_none_or_on_disk(machine: Machine) -> None:
    machine.write("proc/self/mountinfo", "27 1 254:0 / / rw - ext4 /dev/vda rw\n")
    machine.expect("RAM directory", "warning", "is ext4, no RAM file system")
    machine.changes["job"] = Settings(snapshot=SnapshotSettings(ram_dir="/nowhere"))
    machine.expect("RAM directory", "error", "/nowhere is not there")
    (machine.root / "dev/shm").rmdir()
    machine.expect("shared memory", "warning", "mount -t tmpfs")


def test_what_serves_the_run_directory_is_said(machine: Machine) -> None:
    here = machine.root / "run"
    for kind, state, word in (
        ("lustre", "ok", "of another machine"),
        ("tmpfs", "warning", "gone with the host"),
        ("xfs", "ok", "xfs"),
    ):
        machine.write("proc/self/mountinfo", f"27 1 254:0 / {here} rw - {kind} x rw\n")
        machine.expect("run directory", state, word)
    machine.play_files(Tried(RUN, "Read-only file system"))
    machine.expect("run directory", "error", "Read-only file system", "--run-dir")


@pytest.mark.parametrize(("speed", "state"), [(1.0, "error"), (20.0, "warning"), (400.0, "ok")])
def test_disk_speed(machine: Machine, speed: float, state: str) -> None:
    machine.play_files(Moved("write", 8_000_000, 8 / speed))
    machine.expect("disk speed", state, f"writes {speed:.0f}")


def test_a_disk_that_is_fast_but_not_for_this_job(machine: Machine) -> None:
    machine.changes["job"] = Settings(model=HUGE)
    machine.expect("disk speed", "warning", "slow disk", "disk_every_steps")
    machine.play_files(machine.room(1 << 30, 2 << 40))
    machine.expect("space", "error", "1.00 GiB of 2.00 TiB free", "lower [snapshot] keep")


def test_a_disk_without_inodes(machine: Machine) -> None:
    machine.play_files(machine.room(1 << 40, 2 << 40, 3))
    machine.expect("space", "error", "3 files more")


@pytest.mark.parametrize(("median", "state"), [(2.0, "error"), (0.3, "warning"), (0.003, "ok")])
def test_small_files(machine: Machine, median: float, state: str) -> None:
    machine.play_files(Small(median, 2 * median))
    machine.expect("small files", state)


def test_renames_and_locks_that_do_not_work(machine: Machine) -> None:
    machine.play_files(Tried("rename", "the old one is still there"))
    machine.expect("rename", "error", "still there", "torn")
    machine.play_files(Tried("flock", "Function not implemented"))
    machine.expect("locks", "warning", "not implemented", "-o flock", "fcntl locks do")
    machine.play_files(Tried("fcntl", "two processes get the same lock"))
    machine.expect("locks", "ok", "fcntl locks do not")


def test_a_file_system_that_hangs_is_told_by_what_came_before(machine: Machine) -> None:
    torn = said(Tried(RUN), machine.room(1 << 40, 2 << 40))
    machine.play("programs.files", torn, code=None, fault="no end within 30 s")
    machine.expect("run directory", "ok")
    machine.expect("disk speed", "warning", "no end within 30 s")
    machine.play("programs.files", "", code=None, fault="no end within 30 s")
    machine.expect("run directory", "error", "does not answer", "Mount it again")


def test_a_wrong_host_name(machine: Machine) -> None:
    machine.play("programs.names", said(Named("a", (), fault="Name or service not known")))
    machine.expect("host name", "warning", "wrong host name", "hostname NAME", "/etc/hosts")
    machine.changes["hosts"] = ("a", "b")
    machine.expect("host name", "error", "wrong host name")
    machine.expect("hosts", "error", "1 name of 2 does not resolve: a")
    machine.play("programs.names", said(Named("a", ("10.9.9.9",))))
    machine.expect("host name", "error", "10.9.9.9, which is not of this machine")
    machine.play("programs.names", said(Named("a", ("10.0.0.1",), "10.0.0.1", False)))
    machine.expect("host name", "error", "firewall")
    machine.play("programs.names", said(Named("a", ("127.0.0.1",), "127.0.0.1", True)))
    machine.expect("host name", "warning", "other hosts take for themselves")
    machine.expect("hosts", "warning", "not all names")


def test_folders_that_cannot_be_written(machine: Machine) -> None:
    cache = machine.root / "home/u/.cache/qmpi"
    fault = "Read-only file system"
    machine.play_files(*(Tried(one, fault) for one in (HOME, CACHE, TEMPORARY)))
    machine.expect("home", "warning", fault, "export HOME")
    machine.expect("cache", "error", fault, "export QMPI_CACHE")
    machine.expect("temporary files", "error", fault, "export TMPDIR")
    (cache / "builtin-python-1").mkdir(parents=True)
    machine.expect("cache", "warning", "what it holds can be used")
    machine.changes["home"] = machine.root / "nobody"
    machine.play_files()
    machine.expect("home", "warning", "is not there")


@pytest.mark.parametrize(
    ("check", "line", "state", "words"),
    [
        ("open files", "Max open files  48  20000  files", "error", ("need 64", "ulimit -n 20000")),
        (
            "open files",
            "Max open files  48  48  files",
            "error",
            ("hard limit (48)", "ulimit -n 64"),
        ),
        ("processes", "Max processes  40  40  processes", "error", ("ulimit -u 80",)),
        ("address space", "Max address space  268435456  x  bytes", "error", ("256 MiB", "-v")),
        ("stack", "Max stack size  65536  x  bytes", "error", ("64.0 KiB", "ulimit -s 8192")),
        ("stack", "Max stack size  1073741824  x  bytes", "warning", ("for each thread",)),
    ],
)
def test_limits_of_the_shell(
    machine: Machine, check: str, line: str, state: str, words: tuple[str, ...]
) -> None:
    machine.write("proc/self/limits", f"Limit  Soft  Hard\n{line}\n")
    machine.expect(check, state, *words)


def test_address_space_matters_more_where_a_gpu_is(machine: Machine) -> None:
    machine.write("proc/self/limits", f"Max address space  {4 << 30}  x  bytes\n")
    machine.expect("address space", "warning", "4.00 GiB: a trainer may map more")
    machine.write("proc/self/limits", f"Max address space  {64 << 30}  x  bytes\n")
    machine.expect("address space", "ok", "64.0 GiB")
    machine.write("dev/nvidiactl", "")
    machine.expect("address space", "warning", "CUDA", "ulimit -v unlimited")


def test_locked_memory_matters_where_a_fast_network_is(machine: Machine) -> None:
    machine.expect("locked memory", "ok", "8.00 MiB")
    (machine.root / "sys/class/infiniband/mlx5_0").mkdir(parents=True)
    machine.expect("locked memory", "warning", "infiniband", "ulimit -l unlimited")


def test_a_control_group_counts(machine: Machine) -> None:
    machine.write("proc/self/cgroup", "0::/job/step\n")
    machine.write("sys/fs/cgroup/job/cpu.max", "50000 100000\n")
    machine.write("sys/fs/cgroup/job/step/memory.max", f"{256 << 20}\n")
    machine.write("sys/fs/cgroup/job/step/pids.max", "20\n")
    machine.expect("cores", "warning", "the time of 0.50", "fewer trainers")
    machine.expect("memory", "error", "allows 256 MiB")
    machine.expect("processes", "error", "allows 20", "--pids-limit")


def test_too_little_memory_now_or_at_all(machine: Machine) -> None:
    machine.write("proc/meminfo", "MemTotal: 32000000 kB\nMemAvailable: 100000 kB\n")
    machine.expect("memory", "warning", "end what uses the rest")
    machine.write("proc/meminfo", "MemTotal: 320000 kB\nMemAvailable: 310000 kB\n")
    machine.expect("memory", "error", "fewer ranks")


def test_torch_that_does_not_load_or_has_other_threads(machine: Machine) -> None:
    broken = Imported("torch", 0.1, 1, 1, "ImportError: libtorch.so")
    machine.play("programs.imports", said(*IMPORTS[:4], broken))
    machine.expect("torch", "error", "libtorch.so", "pip install")
    machine.expect("start-up", "error", "torch: ImportError")
    machine.expect("GPUs", "warning", "cannot be checked")
    machine.play("programs.imports", imports_with(replace(TORCH, threads=8)))
    machine.expect("torch", "warning", "8 threads", "clean shell")


def test_a_program_that_a_signal_ended_says_which(machine: Machine) -> None:
    machine.play("programs.imports", said(*IMPORTS[:4]), code=-4)
    machine.expect("torch", "warning", "ended by SIGILL")
    machine.expect("Python", "ok", "3.11.7")


def test_float8_on_a_processor_is_slow(machine: Machine) -> None:
    machine.play("programs.imports", imports_with(replace(TORCH, devices=())))
    machine.changes["job"] = Settings(train=TrainSettings(precision="float8"))
    machine.expect("bfloat16", "warning", "float8")


def test_bfloat16_that_is_asked_for_and_emulated(machine: Machine) -> None:
    machine.play("programs.imports", imports_with(replace(TORCH, native_bfloat16=False)))
    machine.expect("bfloat16", "ok", "float32")
    machine.changes["job"] = Settings(train=TrainSettings(precision="bfloat16"))
    machine.expect("bfloat16", "warning", "emulated")


def test_gpus(machine: Machine) -> None:
    machine.changes["job"] = Settings(train=TrainSettings(device="cuda"))
    machine.expect("GPUs", "error", 'device = "cuda"')
    machine.changes["find"] = lambda name: "/bin/nvidia-smi" if name == "nvidia-smi" else None
    row = "NVIDIA H200, 143771 MiB, 570.86\n"
    machine.play("csv,noheader", 2 * row)
    machine.expect("GPUs", "error", "2 x NVIDIA H200", "torch sees none", "for CPUs")
    seen = replace(TORCH, devices=(Device("NVIDIA H200", 141 << 30),), cuda="12.9", nccl="2.27.3")
    machine.play("programs.imports", imports_with(seen))
    machine.expect("GPUs", "warning", "the machine has 2", "CUDA_VISIBLE_DEVICES")
    machine.play("csv,noheader", row)
    machine.expect("GPUs", "ok", "1 x NVIDIA H200, 141 GiB each, driver 570.86, CUDA 12.9")


def test_slingshot_without_its_plug_in(machine: Machine) -> None:
    (machine.root / "sys/class/net/hsn0").mkdir()
    machine.expect("collectives", "ok", "no NCCL")
    machine.play("programs.imports", imports_with(replace(TORCH, nccl="2.27.3")))
    machine.expect("collectives", "warning", "libnccl-net.so", "NCCL_NET is not set", "hsn")
    machine.write("opt/ofi/libnccl-net.so", "")
    environ_with(
        machine,
        LD_LIBRARY_PATH="/opt/ofi",
        NCCL_NET="AWS Libfabric",
        NCCL_SOCKET_IFNAME="hsn",
        FI_CXI_DEFAULT_CQ_SIZE="131072",
    )
    machine.expect("collectives", "ok", "with its plug-in")


def test_an_interface_for_gloo_that_is_not_there(machine: Machine) -> None:
    environ_with(machine, GLOO_SOCKET_IFNAME="ib0")
    machine.expect("collectives", "error", "no such interface", "eth0")
    environ_with(machine, GLOO_SOCKET_IFNAME="lo")
    machine.expect("collectives", "ok")
    machine.changes["hosts"] = ("a", "b")
    machine.expect("collectives", "error", "cannot meet")


def test_the_python_of_the_ranks(machine: Machine) -> None:
    stale = replace(CODE, version="3.9.2", uncompiled=100, shadowed=("/x/random.py",))
    machine.play("programs.imports", imports_with(stale))
    machine.expect("Python", "error", "3.9.2", "3.11")
    machine.expect("compiled files", "warning", "180 of 280", "cannot be written", "compileall")
    machine.expect("shadowed modules", "error", "/x/random.py", "PYTHONPATH")
    environ_with(machine, PYTHONDONTWRITEBYTECODE="1")
    machine.expect("compiled files", "warning", "unset PYTHONDONTWRITEBYTECODE")


def test_a_slow_start_and_one_from_a_network_lead_to_a_packed_environment(machine: Machine) -> None:
    machine.write("proc/self/mountinfo", "27 1 0:1 / / rw - lustre x rw\n")
    machine.expect("start-up", "warning", "from lustre: 1,820", "qmpi pack")
    machine.write("proc/self/mountinfo", "27 1 0:1 / / rw - ext4 x rw\n")
    machine.expect("start-up", "ok", "364 files")
    slow = Imported("qmpi", 5.0, 100, 1)
    machine.play("programs.imports", said(slow, CODE))
    machine.expect("start-up", "warning", "qmpi pack")


def test_a_python_that_ranks_may_not_run(machine: Machine) -> None:
    why = "/venv/bin/python cannot be started: Permission denied"
    for what in ("programs.imports", "programs.files"):
        machine.play(what, code=None, fault=why, seconds=0.0)
    machine.expect("Python", "error", why, "anew")
    machine.expect("run directory", "warning", why)


def test_packages_are_compared_with_what_is_wanted() -> None:
    torch, click = Requirement("torch>=2.13,<2.14"), Requirement("click>=8.1")
    assert judge_packages({torch: "2.13.0+cpu", click: "8.5"}) == ok(
        "2 packages, each of a version that is wanted"
    )
    assert judge_packages({torch: "2.9.1", click: "8.5"}).state == "warning"
    missing = judge_packages({torch: "", click: "8.5"})
    assert missing.state == "error"
    assert "torch" in missing.found


def test_schedulers(machine: Machine) -> None:
    machine.expect("scheduler", "ok", "none")
    machine.changes["find"] = lambda name: f"/bin/{name}" if name == "sbatch" else None
    machine.expect("scheduler", "ok", "Slurm; not inside a job")
    environ_with(machine, SLURM_JOB_ID="17")
    machine.expect("scheduler", "warning", "without srun")
    environ_with(machine, SLURM_JOB_ID="", PBS_JOBID="12.x")
    machine.expect("scheduler", "ok", "inside job 12.x of PBS")


def test_a_job_that_cannot_be_dealt_is_a_warning(machine: Machine) -> None:
    machine.changes["ranks"] = 0
    assert machine.one("memory").state == "warning"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_closed_ram_directory(machine: Machine) -> None:
    folder: Path = machine.root / "dev/shm"
    folder.chmod(0o500)
    machine.expect("RAM directory", "error", "Permission denied")


def test_a_path_that_keeps_daemons_from_being_shielded_is_told(machine: Machine) -> None:
    machine.changes["hosts"] = ("a", "b")
    names = (Named("a", ("10.0.0.1",), "10.0.0.1", True), Named("b", ("10.0.0.2",)))
    machine.play("programs.names", said(*names))
    machine.expect("hosts", "ok", "2 names")
    machine.changes["python"] = Path("/my env/bin/python")
    machine.expect("hosts", "warning", "cannot shield", "install qmpi at a path")
    machine.changes["hosts"] = ("a",)
    machine.expect("hosts", "ok")


def test_a_file_where_the_run_is_to_lie(machine: Machine) -> None:
    machine.write("run/file", "")
    for below in ("run/file", "run/file/run"):
        machine.changes["folder"] = machine.root / below
        machine.expect("run directory", "error", "run/file is a file", "name a directory")
