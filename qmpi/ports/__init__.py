"""Floor 4: what a rank may want of the world, and what the world may tell it. One file a port.

A file holds the port's effects (what may be asked), its events (what comes of it), and the Protocol
that a real and a modelled world fulfil, held equal by a suite in tests/conformance. Roles name
effects and events; `qmpi.driver` carries effects to ports and events to roles; nobody else does.
"""
