"""The header that travels with each message, and the roles it goes between."""

from enum import StrEnum

from msgspec import Struct

from qmpi.units import Generation, Rank

WIRE_VERSION = 2
"""Raised when a header or message changes in a way that older code would misread."""


class RoleName(StrEnum):
    """The roles. A rank has at most one instance of each.

    A training job has the first six, a work farm dealer and workers; each rank has a herald.
    """

    COORDINATOR = "coordinator"
    GENERATOR = "generator"
    MEMORY = "memory"
    TRAINER = "trainer"
    REPLICA = "replica"
    SPARE = "spare"
    DEALER = "dealer"
    WORKER = "worker"
    HERALD = "herald"


class Address(Struct, frozen=True, order=True):
    """One role instance: (rank, role) is unique in a job."""

    rank: Rank
    role: RoleName


class Header(Struct, frozen=True, kw_only=True):
    """Who says something to whom, and when in the story.

    Attributes:
        version: `WIRE_VERSION` of the sender.
        source: sending role instance.
        target: receiving role instance.
        sequence: number of this message among all that the source rank sent, from 1.
        generation: generation the sender was in; older ones are refused for generation-bound
            messages.
        cause: what made the sender speak, as "rank:sequence" of a message or the name of a timer or
            work.
    """

    version: int
    source: Address
    target: Address
    sequence: int
    generation: Generation
    cause: str
