"""Floor 4: the real world: start-up, event loop, performing effects, supervision. The only clock."""
