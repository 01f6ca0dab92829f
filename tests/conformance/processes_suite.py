"""What the processes of every host must do: kill no stranger, leave for good, ask once."""

from collections.abc import Callable
from typing import Protocol

from qmpi.ports.base import Event
from qmpi.ports.processes import Processes, ProfileRequested, RecipeRequested, StopRequested
from qmpi.protocol.profiles import ProfileRequest
from qmpi.protocol.recipe import RecipeRequest
from qmpi.units import Rank

LOOKS = 40


class World(Protocol):
    """One rank of a job, another of the same host, and whoever else runs there.

    Attributes:
        processes: as this rank sees them.
        own: its pid.
        peer: pid of another rank of the job on this host.
        stranger: pid of a process of this host that is not of the job.
        far: pid of a rank on another host; on this host a stranger has that number.
    """

    processes: Processes
    own: int
    peer: int
    stranger: int
    far: int

    def alive(self, pid: int) -> bool:
        """Return whether a process of this host lives; a kill takes a moment."""
        ...

    def ask_to_stop(self) -> None:
        """Ask the run to stop, as its user does."""
        ...

    def ask_for_profile(self, request: ProfileRequest) -> None:
        """Ask for a profile, as `qmpi profile` does."""
        ...

    def ask_for_recipe(self, request: RecipeRequest) -> None:
        """Ask for other weights, as `qmpi recipe` does."""
        ...

    def take_back(self) -> None:
        """Take back what is asked for, as `qmpi recipe --withdraw` does."""
        ...

    def asked_for(self) -> RecipeRequest | None:
        """Return what the next start would find."""
        ...

    def looks(self, times: int) -> list[Event]:
        """Let the rank look so often, over some seconds; return all it was told."""
        ...


def check_a_rank_of_this_host_is_fenced(world: World) -> None:
    assert world.alive(world.peer)
    world.processes.fence(world.peer, "silent")
    assert not world.alive(world.peer)


def check_one_that_is_gone_is_no_error(world: World) -> None:
    for _ in range(2):
        world.processes.fence(world.peer, "silent")
    assert not world.alive(world.peer)


def check_nobody_fences_itself(world: World) -> None:
    world.processes.fence(world.own, "silent")
    assert world.alive(world.own)
    assert not world.processes.leaving


def check_a_stranger_is_never_fenced(world: World) -> None:
    world.processes.fence(world.stranger, "silent")
    assert world.alive(world.stranger)


def check_the_number_of_a_far_rank_names_nobody_here(world: World) -> None:
    world.processes.fence(world.far, "silent")
    assert world.alive(world.far)


def check_numbers_that_name_no_process_do_nothing(world: World) -> None:
    # 0 and negative numbers name whole groups of processes, 1 the system's first.
    for pid in (1, 0, -1, -world.own):
        world.processes.fence(pid, "silent")
    assert world.alive(world.own)
    assert world.alive(world.peer)
    assert world.alive(world.stranger)


def check_leaving_is_final(world: World) -> None:
    assert not world.processes.leaving
    world.processes.leave(3, "the job ends", together=False)
    assert world.processes.leaving
    world.processes.leave(0, "again", together=False)
    world.looks(3)
    assert world.processes.leaving


def check_nobody_asks_by_himself(world: World) -> None:
    assert world.looks(LOOKS) == []


def check_a_request_to_stop_is_told_once(world: World) -> None:
    world.looks(3)
    world.ask_to_stop()
    told = world.looks(LOOKS)
    assert [type(event) for event in told] == [StopRequested]
    assert isinstance(told[0], StopRequested)
    assert told[0].reason
    world.ask_to_stop()
    assert world.looks(LOOKS) == []


def check_each_request_for_a_profile_is_told_once(world: World) -> None:
    for name in ("a", "b"):
        request = ProfileRequest(name, 2, (Rank(1),))
        world.ask_for_profile(request)
        assert world.looks(LOOKS) == [ProfileRequested(request)]
        assert world.looks(LOOKS) == []


def check_a_request_for_weights_is_told_once_and_stays_until_it_is_closed(world: World) -> None:
    for name in ("a", "b"):
        request = RecipeRequest(name, (("python", 0.5),), 20)
        world.ask_for_recipe(request)
        assert world.looks(LOOKS) == [RecipeRequested(request)]
        assert world.looks(LOOKS) == []
        world.processes.close_request("another")
        assert world.asked_for() == request
        for _ in range(2):
            world.processes.close_request(name)
        assert world.asked_for() is None
        assert world.looks(LOOKS) == []


def check_that_a_request_for_weights_is_taken_back_is_told_once(world: World) -> None:
    for name in ("a", "b"):
        request = RecipeRequest(name, (("python", 0.5),), 20)
        world.ask_for_recipe(request)
        assert world.looks(LOOKS) == [RecipeRequested(request)]
        world.take_back()
        assert world.looks(LOOKS) == [RecipeRequested(None)]
        assert world.looks(LOOKS) == []


Check = Callable[[World], None]
CHECKS: tuple[Check, ...] = (
    check_a_rank_of_this_host_is_fenced,
    check_one_that_is_gone_is_no_error,
    check_nobody_fences_itself,
    check_a_stranger_is_never_fenced,
    check_the_number_of_a_far_rank_names_nobody_here,
    check_numbers_that_name_no_process_do_nothing,
    check_leaving_is_final,
    check_nobody_asks_by_himself,
    check_a_request_to_stop_is_told_once,
    check_each_request_for_a_profile_is_told_once,
    check_a_request_for_weights_is_told_once_and_stays_until_it_is_closed,
    check_that_a_request_for_weights_is_taken_back_is_told_once,
)
