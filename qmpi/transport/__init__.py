"""Floor 3: moving bytes between ranks. mpi4py lives here and nowhere else."""
