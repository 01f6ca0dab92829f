"""Floor 3, lower half: the transformer. `shape` counts without torch; the rest is torch alone."""
