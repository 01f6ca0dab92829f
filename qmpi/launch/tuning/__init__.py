"""Tuning the constants of a curriculum over small real runs."""
