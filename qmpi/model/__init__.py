"""Floor 3: the transformer. torch only."""
