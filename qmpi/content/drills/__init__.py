"""Drills: short problems of graded length, a family to a stream."""
