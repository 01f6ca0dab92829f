"""Floor 5: the `qmpi` command. Loads neither MPI nor torch unless a command needs it."""
