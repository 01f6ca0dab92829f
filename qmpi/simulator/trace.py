"""What happened, event by event: digest, first difference of two runs, messages of a step.

Equal seeds give equal traces, byte for byte, whatever the hash seed of the process is; the digest
proves it.
"""

import re
from collections.abc import Iterator
from hashlib import sha256

import msgspec
from msgspec import Struct

from qmpi.driver.process import Handled
from qmpi.driver.router import Action, Perform, Post, Schedule, Tell
from qmpi.ports.base import Event
from qmpi.ports.transport import Received
from qmpi.protocol.envelope import Header
from qmpi.protocol.messages import Message
from qmpi.units import Rank

LONGEST_TEXT = 48


class Entry(Struct, frozen=True):
    """One event of one role, and what followed."""

    time: float
    rank: int
    role: str
    event: str
    effects: tuple[str, ...]

    def line(self) -> str:
        """Return it as one line of text."""
        head = f"{self.time:12.6f} rank {self.rank} {self.role}: {self.event}"
        return f"{head} -> {'; '.join(self.effects)}" if self.effects else head


class Spoken(Struct, frozen=True):
    """A message as it was sent; `step` is -1 for messages of no step."""

    time: float
    source_rank: int
    source: str
    target_rank: int
    target: str
    message: str
    step: int
    detail: str


def brief(value: Struct) -> str:
    """Return a Struct in a few words: its name, and those fields that are short.

    Args:
        value: an event, effect or message.
    """
    words = [type(value).__name__]
    for name in value.__struct_fields__:
        field: object = getattr(value, name)
        text = _field(field)
        if text:
            words.append(f"{name}={text}")
    return " ".join(words)


def _field(field: object) -> str:
    match field:
        case bool() | int() | str():
            return repr(field)[:LONGEST_TEXT]
        case float():
            return f"{field:.6f}"
        case bytes():
            return f"<{len(field)} bytes>"
        case tuple():
            text = repr(field)  # pyright: ignore[reportUnknownArgumentType]
            short = len(text) <= LONGEST_TEXT
            return text if short else f"<{len(field)} items>"  # pyright: ignore[reportUnknownArgumentType]
        case Received() | Header():
            return ""
        case Struct():
            return type(field).__name__
        case _:
            return ""


def event_text(event: Event) -> str:
    """Return an event in words.

    Args:
        event: what happened.
    """
    if isinstance(event, Received):
        return message_text(event.header, event.message)
    return brief(event)


def message_text(header: Header, message: Message) -> str:
    """Return a received message in words.

    Args:
        header: of the message.
        message: itself.
    """
    source = header.source
    return f"{brief(message)} from rank {source.rank} {source.role} g{header.generation}"


def action_text(action: Action) -> str:
    """Return an effect in words.

    Args:
        action: what the driver was asked to do.
    """
    match action:
        case Post(header, message, _):
            return f"send {brief(message)} to rank {header.target.rank} {header.target.role}"
        case Schedule(_, name, at):
            return f"timer {name} at {at:.6f}"
        case Perform(_, effect, _):
            return brief(effect)
        case Tell(owner, event, _):
            return f"tell {owner} {brief(event)}"


def names_of(handled: Handled) -> Iterator[str]:
    """Yield the names that a fault may wait for: of the event, its message, and the effects.

    Args:
        handled: an event and what followed.
    """
    event = handled.event
    yield type(event.message if isinstance(event, Received) else event).__name__
    for action in handled.actions:
        if isinstance(action, Perform):
            yield type(action.effect).__name__


class Trace:
    """The record of a run.

    Invariants: `digest` covers every entry, kept or not.
    """

    def __init__(self, *, keep: int) -> None:
        """Start empty.

        Args:
            keep: newest entries (and messages) kept in memory; 0: all of them; -1: record nothing,
                since words for every event cost more than the event.
        """
        self._keep = keep
        self._hash = sha256()
        self.entries: list[Entry] = []
        self.spoken: list[Spoken] = []

    def add(self, time: float, rank: Rank, handled: Handled) -> None:
        """Record one event.

        Args:
            time: virtual seconds.
            rank: where.
            handled: the event, its role, and what followed.
        """
        if self._keep < 0:
            return
        effects = tuple(action_text(a) for a in handled.actions)
        event = event_text(handled.event)
        self._enter(Entry(time, int(rank), str(handled.owner), event, effects))
        self.spoken += [_spoken(time, a) for a in handled.actions if isinstance(a, Post)]
        if self._keep and len(self.spoken) > 2 * self._keep:
            del self.spoken[: -self._keep]

    def note(self, time: float, text: str) -> None:
        """Record what befell the machine.

        Args:
            time: virtual seconds.
            text: what.
        """
        if self._keep >= 0:
            self._enter(Entry(time, -1, "fault", text, ()))

    def _enter(self, entry: Entry) -> None:
        self._hash.update(msgspec.msgpack.encode(entry))
        self.entries.append(entry)
        if self._keep and len(self.entries) > 2 * self._keep:
            del self.entries[: -self._keep]

    @property
    def digest(self) -> str:
        """SHA-256 over all entries; "" if none are recorded."""
        return self._hash.hexdigest() if self._keep >= 0 else ""

    def story(self, count: int) -> str:
        """Return the newest entries without the signs of life, as text.

        Args:
            count: how many.
        """
        lines = [entry.line() for entry in self.entries]
        told = [line for line in lines if not re.search(r"Beat|WriteStatus", line)]
        return "\n".join(told[-count:])

    def to_text(self, step: int) -> str:
        """Return the messages of one step, in order of sending, a line each.

        Args:
            step: which step.

        Returns:
            Lines "time source -> target message detail".
        """
        return "\n".join(
            f"{s.time:10.4f}  {s.source} {s.source_rank} -> {s.target} {s.target_rank}  "
            f"{s.message} {s.detail}".rstrip()
            for s in self.spoken
            if s.step == step
        )


def first_difference(a: Trace, b: Trace) -> str:
    """Say where two runs part.

    Args:
        a: one trace, with all entries kept.
        b: the other.

    Returns:
        Both entries as text; "" if the traces are equal.
    """
    for number, (mine, other) in enumerate(zip(a.entries, b.entries, strict=False)):
        if mine != other:
            return f"entry {number}:\n  {mine.line()}\n  {other.line()}"
    if len(a.entries) != len(b.entries):
        number = min(len(a.entries), len(b.entries))
        more = a if len(a.entries) > number else b
        return f"entry {number} is in one trace only:\n  {more.entries[number].line()}"
    return ""


def _spoken(time: float, post: Post) -> Spoken:
    header, message = post.header, post.message
    step: object = getattr(message, "step", -1)
    lane: object = getattr(message, "lane", None)
    return Spoken(
        time=time,
        source_rank=int(header.source.rank),
        source=str(header.source.role),
        target_rank=int(header.target.rank),
        target=str(header.target.role),
        message=type(message).__name__,
        step=step if isinstance(step, int) else -1,
        detail="" if lane is None else f"lane {lane}",
    )
