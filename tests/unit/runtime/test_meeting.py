"""The meeting: identity and faults of rank 0 reach all, early words wait, silence ends."""

import msgspec
import pytest

from qmpi.errors import ConfigError, InputError, MachineError, StorageError
from qmpi.ports.transport import Delivery
from qmpi.protocol.envelope import Address, RoleName
from qmpi.runtime.clock import Clock
from qmpi.runtime.meeting import Introduction, Meeting, Surroundings, facts_of, meet
from qmpi.storage.rank_files import read_rank_files
from qmpi.storage.run_directory import RunDirectory


class Wire:
    """A transport that holds what was sent to this rank."""

    def __init__(self, rank, size, *arrived):
        self.rank, self.size = rank, size
        self.waiting = [Delivery(source, data, ()) for source, data in arrived]
        self.sent = []
        self.losses = []
        self.flushed = False

    def send(self, to, data, frames):
        assert not frames
        self.sent.append((int(to), data))

    def poll(self, limit):
        found, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return found

    def put_back(self, deliveries):
        self.waiting = [*deliveries, *self.waiting]

    def lost(self):
        losses, self.losses = self.losses, []
        return losses

    def flush(self, deadline):
        self.flushed = deadline > 0
        return True


class Opened:
    run_id = "run7"


class Hurried(Clock):
    """Sleeps pass at once."""

    def __init__(self):
        self.slept = 0.0
        super().__init__()

    def now(self):
        return self.slept

    def sleep(self, seconds):
        self.slept += seconds


def meeting(folder, wire, open_run=Opened, entered=lambda: None):
    world = Surroundings(wire, Hurried(), None, {}, entered)
    return meet(world, RunDirectory(folder), open_run)


def introduction(*fields):
    return msgspec.msgpack.encode(Introduction(*fields))


def test_rank_0_opens_the_run_and_tells_all(tmp_path, monkeypatch):
    monkeypatch.setattr("qmpi.runtime.meeting.host_name", lambda: "a")
    wire = Wire(0, 3, (2, b"b"), (1, b"a"))
    met = meeting(tmp_path, wire)
    assert (met.rank, met.hosts, met.run_id) == (0, ("a", "a", "b"), "run7")
    assert isinstance(met.opened, Opened)
    assert wire.sent[2:] == [(1, introduction("run7")), (2, introduction("run7"))]
    assert [process.rank for process in read_rank_files(tmp_path / "ranks")] == [0]


def test_another_rank_hears_and_keeps_what_came_too_early(tmp_path):
    early = ((2, b"beat 1"), (2, b"beat 2"))
    wire = Wire(1, 3, early[0], (0, b"a\nb\nb"), early[1], (0, introduction("run7")), (0, b"next"))
    met = meeting(tmp_path, wire)
    assert (met.hosts, met.run_id, met.opened) == (("a", "b", "b"), "run7", None)
    assert [(int(d.source), d.data) for d in wire.waiting] == [*early, (0, b"next")]


@pytest.mark.parametrize(
    ("error", "kind"),
    [(ConfigError("other settings"), InputError), (StorageError("full"), MachineError)],
)
def test_a_run_that_cannot_be_opened_ends_everybody(tmp_path, error, kind):
    def refuse():
        raise error

    wire = Wire(0, 2, (1, b"a"))
    with pytest.raises(type(error)):
        meeting(tmp_path, wire, refuse)
    assert wire.flushed
    other = Wire(1, 2, (0, b"a\na"), (0, wire.sent[-1][1]))
    with pytest.raises(kind, match=str(error)):
        meeting(tmp_path, other)
    assert list(tmp_path.iterdir()) == []


def test_a_rank_that_is_let_in_is_told_before_it_writes(tmp_path):
    seen = []
    note = lambda: seen.append((tmp_path / "ranks").exists())  # noqa: E731
    wire = Wire(0, 2, (1, b"a"))
    meeting(tmp_path, wire, entered=note)
    with pytest.raises(InputError):
        meeting(
            tmp_path, Wire(1, 2, (0, b"a\na"), (0, introduction("", "in use", 2))), entered=note
        )
    assert seen == [False]


def test_silence_and_death_end_the_wait(tmp_path):
    with pytest.raises(MachineError, match="rank 0 said nothing"):
        meeting(tmp_path, Wire(1, 2))
    wire = Wire(1, 3, (0, b"a\na\na"))
    wire.losses = [(2, "gone")]
    with pytest.raises(MachineError, match="died"):
        meeting(tmp_path, wire)
    with pytest.raises(MachineError, match=r"\[2\]"):
        meeting(tmp_path, Wire(0, 3, (1, b"a")))


def test_mates_are_the_ranks_of_the_host():
    met = Meeting(2, ("a", "b", "b", "a", "b"), "run7", None)
    facts = facts_of(met, Address(0, RoleName.DEALER))
    assert (facts.host, facts.mates, facts.chief.role) == ("b", (1, 2, 4), RoleName.DEALER)
