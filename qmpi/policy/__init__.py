"""Floor 2: pure decisions over values. No clock, chance, I/O, or library beyond the stdlib."""
