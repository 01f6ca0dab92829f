"""Caches with a budget in bytes, and what each order of going would save."""
