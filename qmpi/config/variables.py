"""Variables by which the command that starts ranks tells them what is no setting of the job."""

HOSTS_LEFT_OUT = "QMPI_HOSTS_LEFT_OUT"
"""Hosts that this start had to do without, a line each, as "host b is left out: no answer"."""
