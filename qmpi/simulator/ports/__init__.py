"""Modelled ports: what `qmpi.ports` promises, in virtual time, on a machine that can be broken."""
