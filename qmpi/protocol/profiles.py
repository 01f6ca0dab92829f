"""Profiles of a live job: what a trainer's engine did, operation by operation, over some steps."""

from typing import Literal

from msgspec import Struct

from qmpi.units import Rank

MOST_STEPS = 1000
"""Most steps of one profile: its operations are kept in memory until it is written."""

MOST_RANKS = 64
"""Most ranks that are profiled at once."""


class ProfileRequest(Struct, frozen=True):
    """RUN/profile.json: what `qmpi profile` asks a live job for.

    Attributes:
        name: of the profile; letters, digits, "-" and "_". It names the folder in RUN/profiles.
        steps: how many, 1 to `MOST_STEPS`.
        ranks: trainers, at most `MOST_RANKS`; empty: all of them.
    """

    name: str
    steps: int
    ranks: tuple[Rank, ...]


class ProfileOrder(Struct, frozen=True, tag="profile_order"):
    """The receiving trainer profiles its next `steps` steps."""

    name: str
    steps: int


class ProfileDone(Struct, frozen=True, tag="profile_done"):
    """A trainer's answer to `ProfileOrder`.

    Attributes:
        name: of the profile.
        path: the trace that was written; "" if none was.
        fault: why none was, in words.
    """

    name: str
    path: str
    fault: str = ""


class ProfiledRank(Struct, frozen=True):
    """How far a rank is with a profile.

    Attributes:
        state: "failed" has a reason in `fault`, "written" a file at `path`.
    """

    rank: int
    state: Literal["under way", "written", "failed"] = "under way"
    path: str = ""
    fault: str = ""


class ProfileReport(Struct, frozen=True):
    """How far a profile is; part of the status.

    Attributes:
        ranks: those asked, by rank.
        refused: why nobody was asked; "" if somebody was.
    """

    name: str
    steps: int
    ranks: tuple[ProfiledRank, ...] = ()
    refused: str = ""
