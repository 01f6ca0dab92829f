"""Floor above training: a model out of a run and into one. Checkpoints, export, import, text."""
