"""Computing a lane on several ranks: what the parts of a team give one another."""
