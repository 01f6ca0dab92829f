"""Floor 4: the real world: start-up, event loop, effects, supervision. The only clock."""
