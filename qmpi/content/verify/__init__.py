"""Checkers. They share no code with the writers: import contracts prove it."""
