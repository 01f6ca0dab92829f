"""Which hosts a job has, from the variables and files of each batch system."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from qmpi.errors import InputError
from qmpi.launch.allocation.find import find_allocation, look_around
from qmpi.launch.allocation.hostfile import parse_hostfile
from qmpi.launch.allocation.hosts import Around, HostSlots, name_here
from qmpi.units import Seconds


def around(
    environ: Mapping[str, str],
    files: Mapping[str, str] | None = None,
    commands: Mapping[str, str] | None = None,
    here: str = "a1",
) -> Around:
    def read(path: str) -> str:
        if path not in (files or {}):
            raise FileNotFoundError(2, "No such file or directory")
        return (files or {})[path]

    def run(words: Sequence[str]) -> str:
        return (commands or {}).get(" ".join(words), "")

    return Around(environ, read, run, here, Seconds(1000.0))


def slots(*told: tuple[str, int]) -> tuple[HostSlots, ...]:
    return tuple(HostSlots(*one) for one in told)


SLURM = {
    "SLURM_JOB_ID": "7",
    "SLURM_JOB_NODELIST": "a[1-2],b07",
    "SLURM_NTASKS": "5",
    "SLURM_TASKS_PER_NODE": "2(x2),1",
    "SLURMD_NODENAME": "a2",
    "SLURM_JOB_END_TIME": "4600",
}


def test_slurm_says_all():
    found = find_allocation(around(SLURM, here="machine"))
    assert found.hosts == slots(("a1", 2), ("a2", 2), ("b07", 1))
    assert (found.scheduler, found.job, found.here, found.end) == ("slurm", "7", "a2", 4600.0)
    assert "a[1-2],b07" in found.why


def test_cores_that_slurm_counts_as_tasks_are_no_wish():
    environ = {**SLURM, "SLURM_TASKS_PER_NODE": "128(x3)"}
    del environ["SLURM_NTASKS"]
    assert {host.slots for host in find_allocation(around(environ)).hosts} == {0}


@pytest.mark.parametrize(
    ("left", "end"),
    [("1-02:03:04\n", 1000 + 93784), ("59:00", 4540), ("UNLIMITED", None), ("", None)],
)
def test_a_slurm_that_sets_no_end_is_asked(left: str, end: float | None):
    environ = {name: value for name, value in SLURM.items() if name != "SLURM_JOB_END_TIME"}
    commands = {"squeue -h -j 7 -o %L": left}
    assert find_allocation(around(environ, commands=commands)).end == end


def test_a_host_of_openpbs_stands_there_once_a_rank():
    environ = {"PBS_NODEFILE": "/nodes", "PBS_JOBID": "12.server", "QMPI_END_TIME": "5000"}
    files = {"/nodes": "a1.cluster\na1.cluster\nb.cluster\nb.cluster\n"}
    found = find_allocation(around(environ, files))
    assert found.hosts == slots(("a1.cluster", 2), ("b.cluster", 2))
    assert (found.scheduler, found.here, found.end) == ("pbs", "a1.cluster", 5000.0)


def test_torque_may_name_a_host_again_later_and_one_line_each_is_no_wish():
    mixed = find_allocation(around({"PBS_NODEFILE": "/n"}, {"/n": "a1\nb\na1\n"}))
    assert mixed.hosts == slots(("a1", 2), ("b", 1))
    plain = find_allocation(around({"PBS_NODEFILE": "/n"}, {"/n": "a1\nb\n"}))
    assert plain.hosts == slots(("a1", 0), ("b", 0))


def test_lsf_names_its_hosts_in_a_file_or_in_a_variable():
    environ = {"LSB_JOBID": "3", "LSB_MCPU_HOSTS": "a1 2 b 4"}
    assert find_allocation(around(environ)).hosts == slots(("a1", 2), ("b", 4))
    environ["LSB_DJOB_HOSTFILE"] = "/h"
    found = find_allocation(around(environ, {"/h": "b\nb\na1\n"}))
    assert found.hosts == slots(("b", 2), ("a1", 1))
    assert (found.scheduler, found.here) == ("lsf", "a1")


def test_flux_is_asked_since_it_sets_no_list():
    commands = {
        "flux getattr hostlist": "a[1-3]\n",
        "flux getattr jobid": "f1\n",
        "flux job timeleft": "600\n",
    }
    found = find_allocation(around({"FLUX_URI": "local:///run/flux/local"}, commands=commands))
    assert found.hosts == slots(("a1", 0), ("a2", 0), ("a3", 0))
    assert (found.scheduler, found.job, found.end) == ("flux", "f1", 1600.0)
    assert find_allocation(around({"FLUX_URI": "local:///gone"})).scheduler == ""


def test_grid_engine_writes_hosts_and_slots():
    environ = {"PE_HOSTFILE": "/pe", "JOB_ID": "9"}
    files = {"/pe": "a1.c 4 all.q@a1.c UNDEFINED\nb.c 2 all.q@b.c UNDEFINED\n"}
    found = find_allocation(around(environ, files))
    assert found.hosts == slots(("a1.c", 4), ("b.c", 2))
    assert (found.scheduler, found.job) == ("gridengine", "9")


def test_without_a_batch_system_this_machine_is_all():
    found = find_allocation(around({"PATH": "/bin"}))
    assert found.is_single
    assert found.hosts == slots(("a1", 0))


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"PBS_NODEFILE": "/gone"}, "PBS_NODEFILE names /gone, which cannot be read"),
        ({"PE_HOSTFILE": "/gone"}, "PE_HOSTFILE"),
        ({"LSB_JOBID": "3", "LSB_MCPU_HOSTS": "a1 2 b"}, "LSB_MCPU_HOSTS"),
        ({"LSB_JOBID": "3", "LSB_MCPU_HOSTS": f"a1 {'9' * 30}"}, "LSB_MCPU_HOSTS"),
        ({"LSB_JOBID": "3", "LSB_MCPU_HOSTS": f"a1 {'9' * 5000}"}, "LSB_MCPU_HOSTS"),
        ({"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "a[1-"}, "is no list of hosts"),
        ({"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "-oProxyCommand=x"}, "name of a host"),
        ({"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "a;reboot"}, "name of a host"),
        ({"QMPI_END_TIME": "noon"}, "QMPI_END_TIME=noon"),
        ({"QMPI_END_TIME": "9" * 5000}, "QMPI_END_TIME=999"),
    ],
)
def test_what_cannot_be_understood_is_named(environ: dict[str, str], told: str):
    with pytest.raises(InputError, match=told.replace("(", r"\(")):
        find_allocation(around(environ))


def test_a_file_of_the_user_comes_first(tmp_path: Path):
    found = find_allocation(around(SLURM, {"h": "b07 slots=3 # the big one\n"}), Path("h"))
    assert found.hosts == slots(("b07", 3))
    # The batch system still starts the daemons, and ends the job.
    assert (found.scheduler, found.here, found.end) == ("slurm", "", 4600.0)
    with pytest.raises(InputError, match=r"--hostfile .*gone"):
        find_allocation(look_around({}, Seconds(0.0)), tmp_path / "gone")


def test_the_form_of_a_file_of_hosts():
    text = "# all\na slots=2\nb\tslots = 4 max_slots=8\n\na slots=1\n10.0.0.3 slots=1\n"
    assert parse_hostfile(text, "h") == slots(("a", 3), ("b", 4), ("10.0.0.3", 1))
    assert parse_hostfile("a\nb\n", "h") == slots(("a", 0), ("b", 0))
    assert parse_hostfile("a\nb\na\n", "h") == slots(("a", 2), ("b", 1))
    for wrong in ("", "# none\n", "a slots=x\n", "-a\n", "a;b\n", "a slots=0\n", "a b c\n"):
        with pytest.raises(InputError, match="h"):
            parse_hostfile(wrong, "h")


def test_a_machine_finds_itself_with_and_without_its_domain():
    assert name_here(["a.x.org", "b.x.org"], "b") == "b.x.org"
    assert name_here(["a", "b"], "b.x.org") == "b"
    assert name_here(["a", "b"], "c") == ""
    assert name_here(["ln0", "ln1"], "machine", ("ln1",)) == "ln1"
    assert name_here(["a", "localhost"], "c") == "localhost"
    # The first number of an address is no host name.
    assert name_here(["10.0.0.1"], "10.0.0.2") == ""


def test_a_file_of_hosts_that_is_no_text_is_named(tmp_path: Path):
    path = tmp_path / "nodes"
    path.write_bytes(b"a1\n\xff\xfe\n")
    with pytest.raises(InputError, match=r"PBS_NODEFILE names .*it is no text"):
        find_allocation(look_around({"PBS_NODEFILE": str(path)}, Seconds(0.0)))
