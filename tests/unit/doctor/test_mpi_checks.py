"""What the checks make of an mpirun, an MPI library, settings and a start of ranks."""

import pytest
from unit.doctor.machine import BUILD, IMPORTS, TRIAL, Machine, said

from qmpi.doctor.checks.tuning import breaks, hurts
from qmpi.doctor.programs.lines import Death, Job, Library, RankStart
from qmpi.doctor.running import Answer
from qmpi.doctor.surroundings import Launcher

HYDRA = "HYDRA build details:\n    Version:                                 5.0.2\n"
"""What mpirun of MPICH 5.0.2 prints."""


def without(kind: type) -> list:
    return [line for line in IMPORTS if not isinstance(line, kind)]


def test_no_mpirun_is_named_with_the_mend(machine: Machine) -> None:
    machine.changes["launcher"] = Launcher(None, "no mpirun: install qmpi with the `mpi` extra")
    machine.expect("mpirun", "error", "`mpi` extra")
    machine.expect("ULFM", "error", "no ULFM")
    machine.expect("MPI start", "warning", "no mpirun")


def test_another_mpi_has_no_ulfm_and_does_not_fit_the_library(machine: Machine) -> None:
    machine.play("--version", HYDRA)
    machine.expect("mpirun", "error", "HYDRA build details", "QMPI_MPIRUN")
    machine.expect("ULFM", "error", "no ULFM", "pip install 'qmpi[mpi]'")
    machine.expect("MPI library", "error", "mpirun is not of Open MPI")


def test_an_old_open_mpi_is_refused(machine: Machine) -> None:
    machine.play("--version", "mpirun (Open MPI) 4.1.6\n")
    machine.expect("mpirun", "error", "4.1.6", "too old")
    machine.expect("MPI library", "error", "each rank would be alone")


def test_open_mpi_without_fault_tolerance_is_named(machine: Machine) -> None:
    machine.play("ompi_info", BUILD.replace("yes", "no"))
    machine.expect("ULFM", "error", "--disable-ft")
    machine.changes["trial_ranks"] = 0
    machine.expect("MPI threads", "ok", "not built in")


def test_what_the_ranks_saw_goes_before_what_was_built(machine: Machine) -> None:
    machine.play("programs.ranks", said(*TRIAL[:4], Job(4, "single", False, "Open MPI v5.0.11")))
    machine.answers["programs.ranks"] = Answer(
        137, machine.answers["programs.ranks"].out, "signal 9", 2.0
    )
    machine.expect("ULFM", "error", "started without it")
    machine.expect("MPI threads", "warning", "granted: single")
    machine.expect("death of a rank", "error", "the job ended with it", "exit code 137")
    machine.expect("MPI start", "ok")


def test_no_ompi_info_is_a_warning_that_says_how_to_know(machine: Machine) -> None:
    (machine.root / "bin/ompi_info").unlink()
    machine.changes["trial_ranks"] = 0
    machine.expect("ULFM", "warning", "no ompi_info beside mpirun", "qmpi doctor --mpi")
    machine.expect("MPI threads", "warning", "qmpi doctor --mpi")


@pytest.mark.parametrize(
    ("library", "state", "word"),
    [
        ("MPICH Version: 5.0.2", "error", "not Open MPI"),
        ("Open MPI v4.1.6, package", "error", "each rank would be alone"),
        ("Open MPI v5.0.7, package", "warning", "5.0.7"),
    ],
)
def test_a_library_of_another_installation(
    machine: Machine, library: str, state: str, word: str
) -> None:
    machine.play("programs.imports", said(*without(Library), Library(library, "/l/libmpi.so")))
    machine.expect("MPI library", state, word)


@pytest.mark.parametrize(
    ("name", "value", "state"),
    [
        ("OMPI_MCA_coll", "han,basic", "warning"),
        ("OMPI_MCA_coll", "^han", "ok"),
        ("OMPI_MCA_coll", "^basic", "warning"),
        ("OMPI_MCA_pml", "ucx", "warning"),
        ("OMPI_MCA_pml", "ob1", "ok"),
        ("OMPI_MCA_mtl", "ofi", "warning"),
        ("OMPI_MCA_mtl", "^ofi", "ok"),
        ("OMPI_MCA_btl", "self,sm", "warning"),
        ("OMPI_MCA_btl", "^openib", "ok"),
        ("OMPI_MCA_mpi_ft_enable", "false", "warning"),
        ("OMPI_MCA_mpi_yield_when_idle", "0", "warning"),
        ("PRTE_MCA_oob_tcp_keepalive_time", "3", "warning"),
        ("PRTE_MCA_oob_tcp_keepalive_time", "0", "ok"),
        ("OMPI_MCA_btl_tcp_if_include", "ib0", "error"),
        ("OMPI_MCA_btl_tcp_if_include", "eth0", "ok"),
        ("OMPI_MCA_btl_tcp_if_include", "10.0.0.0/8", "ok"),
    ],
)
def test_settings_of_the_environment(machine: Machine, name: str, value: str, state: str) -> None:
    environ = dict(machine.surroundings().environ)
    machine.changes["environ"] = {**environ, name: value}
    machine.expect("MPI settings", state, value)


def test_settings_of_the_users_files_count_and_the_environment_wins(machine: Machine) -> None:
    machine.write("home/u/.openmpi/mca-params.conf", "# mine\npml = ucx # fast\n")
    machine.expect("MPI settings", "warning", "pml=ucx", "mca-params.conf")
    environ = dict(machine.surroundings().environ)
    machine.changes["environ"] = {**environ, "OMPI_MCA_pml": "ob1"}
    machine.expect("MPI settings", "ok", "pml=ob1")


def test_a_parameter_that_nothing_is_known_of_neither_hurts_nor_breaks() -> None:
    assert not hurts("mpi_show_handle_leaks", "1")
    assert not breaks("btl_tcp_if_include", "ib0", set())


def test_a_start_that_fails_says_what_mpirun_said(machine: Machine) -> None:
    machine.play(
        "programs.ranks", "", code=1, err="-----\nThere are no slots\n\nfor 4 ranks.\n-----\n"
    )
    machine.expect("MPI start", "error", "0 of 4 ranks", "There are no slots for 4 ranks.")
    for name in ("death of a rank", "clocks", "shared files"):
        machine.expect(name, "warning", "for 4 ranks.")


def test_ranks_that_are_alone_are_no_job(machine: Machine) -> None:
    alone = [line for line in TRIAL if isinstance(line, RankStart)]
    machine.play("programs.ranks", said(*alone, Job(1, "multiple", True, "Open MPI v5.0.11")))
    machine.expect("MPI start", "error", "each rank was alone")


def test_slow_imports_of_ranks_lead_to_a_packed_environment(machine: Machine) -> None:
    slow = [RankStart(rank, "a", 0.3, 40.0, 0.2, 0.01, 20000) for rank in range(4)]
    machine.play("programs.ranks", said(*slow, *TRIAL[4:]))
    machine.expect("MPI start", "warning", "imports 40.0 s", "qmpi pack")


def test_a_death_that_not_all_hear_of_is_an_error(machine: Machine) -> None:
    machine.play("programs.ranks", said(*TRIAL[:5], Death(3, 3, 2, 10.0)))
    machine.expect("death of a rank", "error", "2 of 3 others heard")
    machine.play("programs.ranks", said(*TRIAL[:5], Death(3, 3, 3, 9.0)))
    machine.expect("death of a rank", "warning", "within 9.00 s")


@pytest.mark.parametrize(
    ("skew", "state"), [(0.002, "ok"), (-3.0, "warning"), (90.0, "error"), (-90.0, "error")]
)
def test_clocks_of_two_hosts(machine: Machine, skew: float, state: str) -> None:
    far = RankStart(3, "b", 0.3, 0.4, 0.2, 0.01, 20000, skew=skew)
    machine.play("programs.ranks", said(*TRIAL[:3], far, *TRIAL[4:]))
    machine.expect("clocks", state, "b is")


def test_a_run_directory_that_one_host_does_not_see(machine: Machine) -> None:
    far = RankStart(3, "b", 0.3, 0.4, 0.2, 0.01, 100, shared="it does not see what rank 0 wrote")
    machine.play("programs.ranks", said(*TRIAL[:3], far, *TRIAL[4:]))
    machine.expect("shared files", "error", "b: it does not see", "all hosts mount")
    machine.changes["ranks"] = 100
    machine.expect("open files", "error", "ulimit -n is 100 on b")
