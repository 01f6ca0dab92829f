"""Floor 3: one state machine a file, without I/O. Nothing from outside is imported here."""
