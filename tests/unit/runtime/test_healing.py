"""Whether a job heals inside, as its launcher's marks tell."""

from qmpi.runtime.healing import is_direct, why_relaunch_only

MPIRUN = {"PRTE_LAUNCHED": "1", "PMIX_RANK": "0", "OMPI_MCA_mpi_ft_enable": "1"}


def test_mpirun_that_bears_failures_heals_inside():
    assert why_relaunch_only(MPIRUN) == ""
    # Inside of a Slurm step too: it is mpirun that started the rank.
    assert why_relaunch_only({**MPIRUN, "SLURM_STEP_ID": "0"}) == ""


def test_ranks_that_slurm_started_itself_are_healed_by_a_relaunch_only():
    srun = {"PMIX_RANK": "0", "SLURM_STEP_ID": "0", "OMPI_MCA_mpi_ft_enable": "1"}
    assert is_direct(srun)
    assert why_relaunch_only(srun).startswith("srun started the ranks itself")
    assert why_relaunch_only({"PMI_RANK": "0"}).startswith("the batch system started")


def test_mpirun_without_the_flag_is_told_which():
    assert "--with-ft ulfm" in why_relaunch_only({"PRTE_LAUNCHED": "1", "PMIX_RANK": "0"})
    assert "--with-ft ulfm" in why_relaunch_only({**MPIRUN, "OMPI_MCA_mpi_ft_enable": "0"})
