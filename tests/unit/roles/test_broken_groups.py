"""The coordinator and groups that break: what begins a new series, who goes, what the end says."""

from unit.roles.coordinated_job import HOSTS, ROLES, Job, sent

from qmpi.ports.clock import SetTimer, TimerFired
from qmpi.ports.processes import FenceProcess
from qmpi.ports.transport import RankLost
from qmpi.protocol.membership import Fence, FormGroup, GroupBroken, GroupReady, Regroup
from qmpi.roles.coordinator.broken import REFORM
from qmpi.units import Rank, Seconds, Step

NO_THREADS = "the rendezvous failed: Resource temporarily unavailable"


def broke(job: Job, rank: int = 4, *, own_fault: bool = False, why: str = NO_THREADS) -> float:
    """Break the group in force; return for how long the next one waits."""
    told = GroupBroken(job.role.generation, why, own_fault=own_fault)
    effects = job.word(rank, told)
    waits = [e.at - job.now for e in effects if isinstance(e, SetTimer) and e.name == REFORM]
    return waits[0] if waits else 0.0


def formed(job: Job, trainers: tuple[int, ...] = (3, 4)) -> bool:
    """Let all say what they hold; return whether a group is formed."""
    effects = [effect for rank in trainers for effect in job.hold(rank, job.role.record.committed)]
    return bool(sent(effects, FormGroup))


def breaks_on(job: Job, times: int, *, own_fault: bool = False) -> None:
    for _ in range(times):
        wait = broke(job, own_fault=own_fault)
        if job.role.phase != "regrouping":
            return
        assert formed(job) == (wait == 0)
        if wait:
            job.now = Seconds(job.now + wait)
            assert sent(job.tell(TimerFired(REFORM)), FormGroup)


def test_the_next_group_waits_although_all_have_answered() -> None:
    job = Job()
    job.run()
    assert broke(job) == 0
    assert formed(job)
    assert broke(job) == 0
    assert formed(job)
    assert broke(job) == 0.5
    assert "tried again in 0.5 s" in job.role.why
    assert not formed(job)
    assert job.role.phase == "regrouping"
    assert set(sent(job.tell(TimerFired(REFORM)), FormGroup)) == {3, 4}


def test_the_end_names_ranks_hosts_reasons_and_what_to_do() -> None:
    job = Job()
    job.run()
    job.report(0)
    breaks_on(job, 5)
    broke(job, 3, why="the rendezvous store is gone")
    job.now = Seconds(job.now + 30)
    job.tell(TimerFired(REFORM))
    assert formed(job)
    breaks_on(job, 20)
    assert job.role.phase == "ending"
    state, reason = job.end
    assert state == "failed"
    for words in (
        "broke 10 times in ",
        "rank 3 on host b, once: the rendezvous store is gone",
        f"rank 4 on host b, 9 times: {NO_THREADS}",
        "`ulimit -v`",
        "`qmpi train --resume '/runs/my run'` goes on from step 1",
        "qmpi explain no-connection",
    ):
        assert words in reason


def test_a_step_a_death_and_a_new_member_begin_a_new_series() -> None:
    job = Job()
    job.run()
    breaks_on(job, 7)
    assert broke(job) == 8
    job.report(0)
    assert len(job.role.broken.series) == 0
    assert set(sent(job.effects, FormGroup)) == {3, 4}
    assert formed(job), "what waited is formed at once"
    assert broke(job) == 0
    assert formed(job)
    breaks_on(job, 6)
    job.tell(RankLost(Rank(5), "killed"))
    assert len(job.role.broken.series) == 0
    breaks_on(job, 7)
    job.tell(RankLost(Rank(4), "killed"))
    assert len(job.role.broken.series) == 0
    assert set(sent(job.hold(3, job.role.record.committed), FormGroup)) == {3, 6}
    job.role.broken.broke(Rank(3), GroupBroken(job.role.generation, ""), job.now)
    job.role.broken.formed([Rank(3)])
    assert len(job.role.broken.series) == 1, "fewer are no others"
    job.role.broken.formed([Rank(3), Rank(4)])
    assert len(job.role.broken.series) == 0


def test_a_member_that_cannot_connect_is_replaced_as_if_it_had_died() -> None:
    job = Job()
    job.run()
    breaks_on(job, 7, own_fault=True)
    effects = job.word(4, GroupBroken(job.role.generation, NO_THREADS, own_fault=True))
    (fence,) = sent(effects, Fence).values()
    assert isinstance(fence, Fence)
    assert fence.pid == 1004
    assert not [effect for effect in effects if isinstance(effect, FenceProcess)]
    assert set(sent(effects, Regroup)) == {3}
    assert job.role.roster.is_buried(Rank(4))
    (failure,) = job.role.record.failures
    assert "8 tries in 16 s" in failure.reason
    assert NO_THREADS in failure.reason
    assert "spare rank 6 takes its place" in failure.action
    assert set(sent(job.hold(3, job.role.record.committed), FormGroup)) == {3, 6}


def test_nobody_goes_where_a_death_ends_the_job() -> None:
    job = Job(healing="srun ends them all")
    job.run()
    breaks_on(job, 20, own_fault=True)
    assert job.role.phase == "ending"
    assert not job.role.roster.dead
    assert "10 times" in job.end[1]


def test_a_group_that_is_ready_and_does_nothing_is_counted_too() -> None:
    job = Job()
    job.run()
    for _ in range(20):
        if broke(job):
            job.now = Seconds(job.now + 8)
            job.tell(TimerFired(REFORM))
        if job.role.phase == "ending":
            break
        assert formed(job)
        for rank in (3, 4):
            job.word(rank, GroupReady(job.role.generation, Step(0)))
        assert job.role.phase == "running"
    assert job.role.phase == "ending"


def test_the_job_of_these_tests_has_the_hosts_that_they_name() -> None:
    assert (HOSTS[3], HOSTS[4], len(ROLES)) == ("b", "b", 7)
