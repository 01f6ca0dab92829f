"""Floor 3: the step engine. Torch, no messages, no policy, no threads; the clock is passed in."""
