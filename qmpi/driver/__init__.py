"""Floor 6: what a rank does between an event and the world, once for both worlds."""
