"""What a GPU need not hold: moments and activations that wait in the host's memory."""
