"""Sources behind those of the job file, as a data role opens them. Part of memory and generator.

Theory of operation. The directory names the sources that were added, and those that are proposed.
Whoever holds another directory than before opens what it names; of a proposal it tells the chief
what it found, once. A role that joins later does the same, for it gets the whole directory. What
was agreed on and cannot be opened here, or is not what was agreed on, spoils the rows that are
drawn from it, and no others.

Invariants: nothing is opened before the role has opened the sources of the job.
"""

from qmpi.config.data import Source
from qmpi.config.settings import Settings
from qmpi.policy.added_sources import with_sources
from qmpi.ports.data import OpenSources, SourcesOpened
from qmpi.protocol.added import Proposal, SourcesTried
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.pulse import Directory

Named = tuple[tuple[Source, ...], Proposal | None]


class AddedSources:
    """What one role knows of the sources that it has open.

    Attributes:
        settings: the job, with the sources that were added.
        facts: of what is open, of the job file first; empty until those are.
        named: what the newest directory added and proposed.
    """

    def __init__(self, settings: Settings) -> None:
        """Nothing is open yet.

        Args:
            settings: the job, as its file has it.
        """
        self.settings = self._job = settings
        self.facts: tuple[SourceFact, ...] = ()
        self._fault = ""
        self.named: Named = ((), None)
        self._under_way = 0

    def follow(self, directory: Directory) -> list[OpenSources]:
        """Open what a directory names.

        Args:
            directory: newer than the ones before.

        Returns:
            The work; none if it names what the one before did.
        """
        named = (directory.added, directory.proposal)
        if named == self.named:
            return []
        self.named, self._under_way = named, self._under_way + 1
        self.settings = with_sources(self._job, directory.added)
        return [OpenSources(*named)]

    def opened(self, event: SourcesOpened) -> SourcesTried | None:
        """Take in what is open now.

        Args:
            event: it says so.

        Returns:
            What to tell the chief of a proposal; None: none was tried.
        """
        is_first, self.facts, self._fault = not self.facts, event.sources, event.fault
        self._under_way -= not is_first
        added, proposal = self.named
        if not event.request or proposal is None or event.request != proposal.request:
            return None
        tried = self.facts[len(self._job.data.sources) + len(added) :]
        return SourcesTried(event.request, () if event.fault else tried, event.fault)

    def has_yet_to_open(self, name: str) -> bool:
        """Return whether a source is one that a directory on its way must name first.

        Args:
            name: of the source.
        """
        known = {source.name for source in self.settings.data.sources}
        known |= {fact.name for fact in self.facts}
        return name not in known

    def waits(self, directory: Directory) -> bool:
        """Return whether a source that was agreed on is still being opened.

        Args:
            directory: the newest.
        """
        return self._under_way > 0 and len(directory.sources) > len(self.facts)

    def fault(self, number: int, directory: Directory) -> str:
        """Say why nothing can be drawn from a source here.

        Args:
            number: of the source.
            directory: the newest.

        Returns:
            In words; "" if it can.
        """
        if number < len(self._job.data.sources):
            return ""
        if number >= len(self.facts):
            return self._fault or f"source {directory.sources[number].name!r} is not open"
        if self.facts[number] != directory.sources[number]:
            name = directory.sources[number].name
            return f"source {name!r} is not what it was when it was added: {self.facts[number]}"
        return ""
