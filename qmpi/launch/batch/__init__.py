"""Handing a job in to a batch system: layout on nodes, the script, the scheduler's own command."""
