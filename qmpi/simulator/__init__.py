"""Floor 4: the same roles in one process, on a virtual clock and a virtual network."""
