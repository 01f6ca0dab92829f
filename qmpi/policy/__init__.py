"""Floor 2: pure decisions over values. No clock, no chance, no I/O, no library beyond the stdlib."""
