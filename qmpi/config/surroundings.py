"""Sections of a job file that say where it runs; the run's identity holds none of them."""

from typing import Annotated

from msgspec import Meta, Struct


class HostSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[hosts]: which hosts fail together. Copies of a state lie in different failure domains."""

    domain: Annotated[
        str,
        Meta(
            max_length=200,
            description=(
                "Regular expression; what its first group matches in a host's name is the host's "
                'failure domain, as "^(x\\d+c\\d+)" for a cabinet. Empty: that of the '
                "scheduler's topology if it tells one, else each host is a domain of its own."
            ),
        ),
    ] = ""


class MachineSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[machine]: where the job is to run, for `qmpi plan` and `qmpi submit`."""

    name: Annotated[
        str,
        Meta(
            description=(
                "A machine that qmpi knows, or a machine file; empty: this machine as it is found."
            )
        ),
    ] = ""
    node_hour: Annotated[
        float, Meta(ge=0.0, description="Price of a node for an hour; 0: as the machine says.")
    ] = 0.0
    kwh: Annotated[
        float, Meta(ge=0.0, description="Price of a kilowatt-hour; 0: as the machine says.")
    ] = 0.0
    node_days: Annotated[
        float,
        Meta(ge=0.0, description="Days between two losses of a node; 0: as the machine says."),
    ] = 0.0
