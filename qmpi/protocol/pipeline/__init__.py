"""Pipelines: which stage does what in which order, as tables that can be checked."""
