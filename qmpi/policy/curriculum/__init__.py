"""What the next window of steps trains on, from the losses of those before."""
