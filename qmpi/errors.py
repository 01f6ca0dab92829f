"""The error tree: every error says whose fault it is and which exit code follows.

Floor 0. Four faults: the user's mistake, a peer, the machine, or our own bug. `qmpi` never shows a
traceback for the first three; the fourth is a bug to report.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every qmpi command; a contract for scripts.

    PARTIAL: the work is done, but some input was damaged and left out. It is not 1, which an
    interpreter that cannot even start returns.
    """

    DONE = 0
    USER = 2
    MACHINE = 3
    BUG = 4
    PARTIAL = 5
    REQUEUE = 75


def pointer(page: str) -> str:
    """Return where a reader finds more about an error.

    Args:
        page: name of its page.

    Returns:
        A line.
    """
    return f"more: qmpi explain {page}"


class QmpiError(Exception):
    """Base of all errors raised on purpose. Not raised itself.

    Attributes:
        exit_code: what the process returns when the error reaches the top.
        fault: whose fault it is, in one word, for messages.
    """

    exit_code: ExitCode = ExitCode.BUG
    fault: str = "bug"

    @classmethod
    def page(cls) -> str:
        """Return the name of the page that explains such errors: `qmpi explain NAME`.

        Returns:
            The name of the class in small letters with hyphens, such as "launch-error".
        """
        apart = (f"-{mark.lower()}" if mark.isupper() else mark for mark in cls.__name__)
        return "".join(apart).removeprefix("-")


class UserError(QmpiError):
    """Something the user gave is wrong; the message says what to change."""

    exit_code = ExitCode.USER
    fault = "user"


class ConfigError(UserError):
    """A job file or an option holds an unknown, ill-typed or contradictory value."""


class InputError(UserError):
    """Input data (text, corpus, tokenizer, path) cannot be used as given."""


class RunInUse(UserError):
    """Another job holds the run; nothing may be written there in its stead."""


class PeerError(QmpiError):
    """Another rank failed or misbehaved."""

    exit_code = ExitCode.MACHINE
    fault = "peer"


class PeerLost(PeerError):
    """A rank that this one was waiting for is gone, or has left for a new generation."""


class ProtocolError(PeerError):
    """A message is malformed, too large, unexpected or of another wire version; names the field."""


class MachineError(QmpiError):
    """Disk, memory, network, MPI or the operating system failed."""

    exit_code = ExitCode.MACHINE
    fault = "machine"


class OutOfMemory(MachineError):
    """Memory was refused: on the host, or on the device that computes.

    Attributes:
        wanted_bytes: what the allocation that failed asked for; 0: it does not say.
    """

    def __init__(self, message: str, wanted_bytes: int = 0) -> None:
        """Say what was refused.

        Args:
            message: for people, with what helps.
            wanted_bytes: of the allocation that failed; 0: not known.
        """
        super().__init__(message)
        self.wanted_bytes = wanted_bytes


class NoConnection(MachineError):
    """This rank's own machine has no room for its connections: threads, memory or descriptors."""


class StorageError(MachineError):
    """A file cannot be read or written (full disk, permission, missing)."""


class CorruptData(StorageError):
    """A stored artefact fails its checksum or is torn; it is never used."""


class LaunchError(MachineError):
    """The MPI job could not be started or kept dying."""


class InvariantError(QmpiError):
    """Our bug: something that must hold does not. The message tells the story so far."""
