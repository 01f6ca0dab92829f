"""The roles of a work farm: a dealer and its workers."""
