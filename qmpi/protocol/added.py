"""Sources that a run draws from and that its job file does not have."""

from msgspec import Struct

from qmpi.config.data import Source
from qmpi.protocol.membership import SourceFact


class AddedSource(Struct, frozen=True):
    """A source that was added while the run went on; its number is the next after those before it.

    Attributes:
        source: as the job file would name it; what it weighs is in the recipe log alone.
        fact: what it holds, on every rank alike.
    """

    source: Source
    fact: SourceFact


class Proposal(Struct, frozen=True):
    """Sources that every data rank shall open, and say what it finds.

    Attributes:
        request: name of the request that asks for them; each is tried anew.
        sources: behind those that are there.
    """

    request: str
    sources: tuple[Source, ...]


class SourcesTried(Struct, frozen=True, tag="sources_tried"):
    """What a data rank found that has tried the sources of a proposal.

    Attributes:
        request: name of the request.
        facts: of these sources, in order; empty if one cannot be opened.
        fault: why not, in words; "" if all can.
    """

    request: str
    facts: tuple[SourceFact, ...]
    fault: str = ""
