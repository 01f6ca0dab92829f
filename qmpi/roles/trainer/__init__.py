"""The role that computes: `machine` is its state machine, the rest are its parts."""
