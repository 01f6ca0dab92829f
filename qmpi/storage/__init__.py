"""Floor 3: files on disk and in RAM file systems. No decisions. Importing the package loads no library."""
