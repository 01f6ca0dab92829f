"""Floor 3: files on disk and in RAM file systems. No decisions; importing it loads no library."""
