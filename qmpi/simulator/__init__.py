"""Floor 4: the shipped roles in one process, on a virtual clock and network, with seeded faults."""
