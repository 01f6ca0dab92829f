"""The loop around the job (second level of healing): start it, and start it again when it died.

Theory of operation. The death of a rank is healed inside the job. The death of the coordinator, of
mpirun, of an MPI daemon or of the machine ends the MPI job. Then there is no end marker, and the
supervisor starts the job again: the ranks find the newest verified snapshot in node-local RAM
files, else on disk, and go on to the same bits. How often and how soon is `policy.relaunch`. A job
that ended for the run to go back is started again too; the ranks find in the journal where it goes.
mpirun's exit code is never believed. However this loop is left, nothing that it started is left
running.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.settings import FailureSettings
from qmpi.errors import LaunchError, RunInUse
from qmpi.launch.allocation.muster import Muster
from qmpi.launch.asking import StopAsker
from qmpi.launch.death import cause_of_death, died_option, how_launcher_ended
from qmpi.launch.followed import (
    clear_followed,
    end_before,
    refused_marker,
    stopped_marker,
    stopped_without_job,
)
from qmpi.launch.job_log import excerpt, next_log
from qmpi.launch.mpirun import LaunchPlan
from qmpi.launch.mpirun_process import finish_launcher, start_launcher
from qmpi.launch.room import check_room
from qmpi.launch.scratch import make_scratch
from qmpi.launch.sessions import has_ended
from qmpi.launch.stall import StallWatch
from qmpi.launch.start_watch import StartWatch, came_up
from qmpi.policy.relaunch import may_relaunch
from qmpi.protocol.status import EndMarker
from qmpi.runtime.clock import Clock
from qmpi.runtime.leftovers import clear_stop, end_leftovers
from qmpi.runtime.ownership import beating, leave_at_once, refusal_by_living, take_run
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.status_file import EndStamp, end_stamp, read_end
from qmpi.units import Seconds

POLL_SECONDS = 0.05
END_SECONDS = 15.0
"""How long mpirun may take to end after the end marker; ranks leave within a few seconds."""

STOP_SECONDS = 120.0
"""How long a requested stop may take: the steps granted, a snapshot and a checkpoint."""

FREE_SECONDS = 5.0
"""How long the ranks of a job that just died may take to let go of the run directory."""

STILLBORN_TRIES = 2
"""Starts that may end before there is a status: such a fault rarely heals itself."""

DEATH_LINES = 3
"""Lines of either end of the job's log that are told with a death that is healed."""


class _StopAskedError(Exception):
    """A stop was asked for while the hosts were being asked."""


def _nothing(*_: EndMarker | None) -> None:
    """Do nothing."""


class SupervisorEvent(Struct, frozen=True):
    """Something the supervisor did, in words."""

    time: float
    what: str


class Supervision(Struct, frozen=True):
    """What the supervisor is given.

    Attributes:
        limits: how often the job may be started again.
        on_event: told what happens, in words.
        on_tick: called a few times a second while the job runs; for a live view.
        stop: True once the user wants the run to stop.
        follow: if the run goes on already, wait for its end instead of refusing; a stop ends the
            following, or the job if its command was killed.
        adopt: the same, but only for a job whose command was killed.
        status_seconds: time between two writes of status.json.
        claimed: called once the run belongs to this command, before anything starts: checks that it
            is the run that is wanted, and writes what the ranks read. A command that is refused
            has changed nothing.
        released: told at the end how the job of a claimed run ended, None by an error; the run
            still belongs to this command.
        hosts: asked before each start which of them live; None: the plan says it all.
        check: called before the job is started again: checks what the ranks read, which people
            edit.
        old_end: stamp of the end marker of an earlier start; set by `supervise`. It stays until the
            ranks are let into the run, so that a start which is refused has removed nothing.
    """

    limits: FailureSettings
    on_event: Callable[[SupervisorEvent], None]
    on_tick: Callable[[], None]
    stop: Callable[[], bool]
    follow: bool = False
    adopt: bool = False
    status_seconds: float = 1.0
    claimed: Callable[[], None] = _nothing
    released: Callable[[EndMarker | None], None] = _nothing
    hosts: Muster | None = None
    check: Callable[[], None] = _nothing
    old_end: EndStamp = None


def supervise(plan: LaunchPlan, supervision: Supervision, clock: Clock) -> EndMarker:
    """Run a job to its end, whatever dies.

    Args:
        plan: the job.
        supervision: limits and callbacks.
        clock: the clock.

    Returns:
        The end marker of the run; "stopped" also if the job died after a stop was asked for.

    Raises:
        LaunchError: the job kept dying, or never started.
        RunInUse: another command or job has the run.
        StorageError: the run directory takes no data any more.
    """
    directory = RunDirectory(plan.run)
    directory.create()
    supervision = replace(supervision, old_end=end_before(directory, clock))
    try:
        waited = _wait_for_command(directory, supervision, clock)
    except RunInUse as holder:
        if not (supervision.follow and supervision.stop()):
            raise
        reason = f"this command only followed the run, and the other goes on: {holder}"
        return stopped_marker(plan.run, reason, clock)
    with _own(directory, supervision, clock):
        if _wait_for_ranks(directory, supervision, clock) or waited:
            marker = _new_end(directory, supervision)
            clear_followed(directory, Seconds(END_SECONDS if marker else 0.0), clock)
            if marker is not None:
                return marker
        supervision.claimed()
        try:
            marker = _supervise(plan, directory, supervision, clock)
        except BaseException:
            supervision.released(None)
            raise
        supervision.released(marker)
        return marker


@contextmanager
def _own(directory: RunDirectory, supervision: Supervision, clock: Clock) -> Iterator[None]:
    """Hold the run; if another host takes it over, this process must not write there any more."""
    with (
        take_run(directory.supervisor_lock, clock, supervision.on_tick, (directory.lock,)) as lock,
        beating(lock, leave_at_once),
    ):
        yield


def _wait_for_command(directory: RunDirectory, supervision: Supervision, clock: Clock) -> bool:
    told = False  # also whether there was one
    while (holder := _holder(directory.supervisor_lock, supervision, clock)) is not None:
        if supervision.stop() or not supervision.follow:
            raise holder
        if not told:
            _say(supervision, clock, f"following it to its end: {holder}")
        told = True
        clock.sleep(POLL_SECONDS)
        supervision.on_tick()
    return told


def _wait_for_ranks(directory: RunDirectory, supervision: Supervision, clock: Clock) -> bool:
    # A job whose command was killed still runs: starting another beside it would kill it. To resume
    # a run that goes on already means to follow it to its end, and to stop it if asked to.
    if not (supervision.follow or supervision.adopt):
        return _wait_briefly(directory, supervision, clock)
    try:
        return _follow_ranks(directory, supervision, clock)
    except KeyboardInterrupt:
        # As with ranks of its own: who insists ends them at once.
        end_leftovers(directory.ranks)
        raise


def _wait_briefly(directory: RunDirectory, supervision: Supervision, clock: Clock) -> bool:
    until = clock.now() + FREE_SECONDS
    while (holder := _holder(directory.lock, supervision, clock)) is not None:
        if supervision.stop() or clock.now() > until:
            raise holder
        clock.sleep(POLL_SECONDS)
        supervision.on_tick()
    return False


def _follow_ranks(directory: RunDirectory, supervision: Supervision, clock: Clock) -> bool:
    since, told = clock.now(), False
    asked_at: Seconds | None = None
    asker = _asker(directory, supervision, clock)
    while (holder := _holder(directory.lock, supervision, clock)) is not None:
        if supervision.stop():
            asked_at = clock.now() if asked_at is None else asked_at
            asker.ask()
            _end_the_slow(directory, clock.now() - asked_at, holder)
        elif not told and clock.now() - since > FREE_SECONDS:
            _say(supervision, clock, f"following it to its end: {holder}")
            told = True
        clock.sleep(POLL_SECONDS)
        supervision.on_tick()
    return told or asked_at is not None


def _end_the_slow(directory: RunDirectory, asked_for: float, holder: RunInUse) -> None:
    if asked_for > STOP_SECONDS:
        end_leftovers(directory.ranks)
    if asked_for > STOP_SECONDS + END_SECONDS:
        raise holder  # it is on another host


def _holder(lock: Path, supervision: Supervision, clock: Clock) -> RunInUse | None:
    refused = refusal_by_living(lock, clock, supervision.on_tick)
    return RunInUse(refused) if refused else None


def _supervise(
    plan: LaunchPlan, directory: RunDirectory, supervision: Supervision, clock: Clock
) -> EndMarker:
    supervision = replace(supervision, old_end=end_stamp(plan.run))
    clear_stop(directory)
    try:
        marker = _keep_running(plan, directory, supervision, clock)
        while marker.goes_back and not supervision.stop():
            told = f"started again, to go back before the spike of step {marker.step - 1}"
            _say(supervision, clock, told)
            supervision = replace(supervision, old_end=end_stamp(plan.run))
            marker = _keep_running(replace(plan, once=()), directory, supervision, clock)
        return marker
    finally:
        if supervision.hosts is not None:
            supervision.hosts.dismiss()
        end_leftovers(directory.ranks)
        # Asked again until obeyed, it may have been asked once too often.
        clear_stop(directory)


def _keep_running(
    plan: LaunchPlan, directory: RunDirectory, supervision: Supervision, clock: Clock
) -> EndMarker:
    starts: list[Seconds] = []
    stillborn, first = 0, plan.once
    while not supervision.stop():
        try:
            plan = _mustered(plan, supervision, clock)
        except _StopAskedError:
            break
        end_leftovers(directory.ranks)
        starts.append(clock.now())
        log = next_log(directory)
        again = f" again, start {len(starts)}" if len(starts) > 1 else ""
        _say(supervision, clock, f"starting {plan.described()}{again}")
        marker = _run_once(plan, directory, log, supervision, clock)
        if marker is not None:
            return marker
        if supervision.stop():
            break
        stillborn = 0 if came_up(directory.status, starts[-1]) else stillborn + 1
        refused = refused_marker(plan.run, supervision.check, clock)
        if refused is not None:
            return refused
        first = first if stillborn else ()
        died = died_option(cause_of_death(directory, log, starts[-1]))
        plan = replace(plan, once=(*first, *died))
        if stillborn >= STILLBORN_TRIES:
            raise LaunchError(f"the job ended {stillborn} times before it began\n{excerpt(log)}")
        limits, now = supervision.limits, clock.now()
        window = Seconds(limits.relaunch_window_seconds)
        decision = may_relaunch(starts[1:], now, limits.max_relaunches, window)
        why = decision.reason
        if not decision.allowed:
            raise LaunchError(f"the job died {len(starts)} times; {why}\n{excerpt(log)}")
        check_room(directory)
        told = f"the job died without an end marker; {why}\n{excerpt(log, DEATH_LINES)}"
        _say(supervision, clock, told)
        _wait(decision.wait_seconds, supervision, clock)
    return stopped_without_job(plan.run, clock, write=bool(starts) or not supervision.old_end)


def _mustered(plan: LaunchPlan, supervision: Supervision, clock: Clock) -> LaunchPlan:
    if supervision.hosts is None:
        return plan

    def rest(seconds: float) -> None:
        clock.sleep(seconds)
        supervision.on_tick()
        if supervision.stop():
            raise _StopAskedError

    return supervision.hosts.plan(plan, lambda what: _say(supervision, clock, what), rest)


def _run_once(
    plan: LaunchPlan,
    directory: RunDirectory,
    log: Path,
    supervision: Supervision,
    clock: Clock,
) -> EndMarker | None:
    scratch = make_scratch(plan.run)
    with log.open("wb") as output:
        process = start_launcher(plan, output, scratch)
        patience = 0.0
        try:
            fault = _watch(process, plan.ranks_here, directory, supervision, clock)
            if fault is None:
                patience = END_SECONDS
            elif fault:
                _say(supervision, clock, fault)
                # At its end, where a reader of the log looks for why the job ended.
                output.write(f"qmpi: {fault}\n".encode())
        finally:
            # Also when a second Ctrl-C or a bug in a callback ends this command: no job without it.
            finish_launcher(process, patience, clock)
            end_leftovers(directory.ranks, here_alone=True)
            shutil.rmtree(scratch, ignore_errors=True)
        if fault is None and (gone := how_launcher_ended(process.returncode)):
            output.write(f"qmpi: {gone}\n".encode())
    supervision.on_tick()
    return _new_end(directory, supervision)


def _watch(
    process: subprocess.Popen[bytes],
    ranks: int,
    directory: RunDirectory,
    supervision: Supervision,
    clock: Clock,
) -> str | None:
    """Wait for the end of the job.

    Returns:
        None if it ended or says that it will; why it is to be ended, "" if that was told already.
    """
    asked_at: Seconds | None = None
    limits, every = supervision.limits, supervision.status_seconds
    stall = StallWatch(directory.status, limits, every, clock.now())
    told = (directory.status, directory.journal)
    start = StartWatch(process.pid, ranks, told, clock.now())
    asker = _asker(directory, supervision, clock)
    while not has_ended(process) and _new_end(directory, supervision) is None:
        clock.sleep(POLL_SECONDS)
        supervision.on_tick()
        if supervision.stop():
            if not start.is_up():
                return "stopped before the ranks had met; ending the job"  # nobody listens yet
            asked_at = clock.now() if asked_at is None else asked_at
            asker.ask()
        if asked_at is not None and clock.now() - asked_at > STOP_SECONDS:
            return ""
        fault = stall.look(clock.now()) or start.look(clock.now())
        if fault:
            return fault
    return None


def _asker(directory: RunDirectory, supervision: Supervision, clock: Clock) -> StopAsker:
    return StopAsker(
        directory,
        lambda what: _say(supervision, clock, what),
        lambda: _new_end(directory, supervision) is not None,
    )


def _new_end(directory: RunDirectory, supervision: Supervision) -> EndMarker | None:
    stamp = end_stamp(directory.root)
    return None if stamp == supervision.old_end else read_end(directory.root)


def _wait(seconds: float, supervision: Supervision, clock: Clock) -> None:
    deadline = clock.now() + seconds
    while clock.now() < deadline and not supervision.stop():
        clock.sleep(POLL_SECONDS)
        supervision.on_tick()


def _say(supervision: Supervision, clock: Clock, what: str) -> None:
    supervision.on_event(SupervisorEvent(clock.now(), what))
