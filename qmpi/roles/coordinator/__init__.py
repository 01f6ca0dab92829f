"""The role that decides: membership, groups, grants, commits. `machine` is its state machine."""
