"""Families of multi-step problems with worked steps and one certain answer."""
