"""The plan of a job: everything that `qmpi plan` says, from the job, its ranks and its machine.

Theory of operation. `make_plan` joins the parts of this package: memory and time of the engine as
it is, loads, failures, then days, energy and money. What follows from an unknown figure is unknown
too: None, never a guess. `Plan` is what scripts read; `Details` holds what people are shown beside.
"""

from typing import Any

import msgspec
from msgspec import Struct

from qmpi.planning.advice import Advice, advise
from qmpi.planning.engine_time import EngineTime
from qmpi.planning.limits import affordable, limits
from qmpi.planning.loads import Loads, loads
from qmpi.planning.offload import Apart, told
from qmpi.planning.reliability import DAY, Reliability, reliability
from qmpi.planning.shape import active_parameters, flops_per_token
from qmpi.planning.team import Heaviest, TeamTime, heaviest, largest_part, team_time
from qmpi.planning.workload import Workload


class Plan(Struct, frozen=True, kw_only=True):
    """What scripts read; None stands for "not known".

    Attributes:
        parameters: trained; a tied head counts once.
        active_parameters: that one token meets; of a dense model all of them.
        flops_per_token: forward and backward, causal attention counted by half.
        memory_bytes_by_kind: of a trainer; where ranks share a model, of the one with the most.
        step_seconds: of a step, failures apart.
        utilisation: share of the peak (GPUs), or of the rate measured in place (cores).
        days: of the run, failures included where their rate is known.
        energy_kwh: of the nodes, with the building's overhead.
        cost: in the machine file's currency.
        failures_per_day: losses of a node.
        effective_share: of the time that training gets.
        layout: what this version does with the ranks, what would be needed, loads.
        limits: sentences.
    """

    parameters: int
    active_parameters: int
    flops_per_token: float
    memory_bytes_by_kind: dict[str, int]
    step_seconds: float | None
    utilisation: float | None
    days: float | None
    energy_kwh: float | None
    cost: float | None
    failures_per_day: float | None
    effective_share: float | None
    layout: dict[str, Any]
    limits: tuple[str, ...]


class Details(Struct, frozen=True, kw_only=True):
    """A plan with its parts.

    Attributes:
        job: what was planned.
        plan: for scripts.
        time: of a step by cause; None: not known.
        load: on network, files, coordinator, generators; None likewise.
        failing: what failures cost; None likewise.
        advice: the layout that would be fastest; None: not known.
        there: what of a trainer is in the host's memory beside its GPU.
        team: time of a team's step and what its ranks send each other; None: not known.
    """

    job: Workload
    plan: Plan
    time: EngineTime | None
    load: Loads | None
    failing: Reliability | None
    advice: Advice | None
    there: Apart
    team: TeamTime | None


def make_plan(job: Workload) -> Details:
    """Plan a job.

    Args:
        job: the job on its machine.

    Returns:
        The plan.
    """
    most, train = heaviest(job), job.settings.train
    team = None if job.speeds is None else team_time(job, job.speeds)
    time = None if team is None else team.time
    load = None if time is None else loads(job, time.total)
    failing = None if time is None else reliability(job, time.total)
    days = _days(job, time, failing)
    energy = _energy(job, days)
    sequences = train.lanes * train.microbatches * train.sequences
    gpus = job.counts.trainers + job.counts.spares
    advice = advise(job.shape, job.machine, gpus, sequences, train.sequence_tokens)
    flops = flops_per_token(job.shape, train.sequence_tokens)
    plan = Plan(
        parameters=job.parameters,
        active_parameters=active_parameters(job.shape),
        flops_per_token=flops,
        memory_bytes_by_kind=most.memory,
        step_seconds=None if time is None else time.total,
        utilisation=_utilisation(job, time, flops),
        days=days,
        energy_kwh=energy,
        cost=_cost(job, days, energy),
        failures_per_day=_node_losses(job),
        effective_share=None if failing is None else failing.share,
        layout={
            **_layout(job, advice, time, load),
            "host_bytes_by_kind": told(most.there),
            "position": _position(job, most, team),
        },
        limits=limits(job, most, time, load, failing),
    )
    return Details(
        job=job,
        plan=plan,
        time=time,
        load=load,
        failing=failing,
        advice=advice,
        there=most.there,
        team=team,
    )


def _node_losses(job: Workload) -> float | None:
    return job.nodes / job.node_days if job.node_days else None


def _utilisation(job: Workload, time: EngineTime | None, flops: float) -> float | None:
    if time is None or job.speeds is None:
        return None
    # Trainers that crowd a core share its peak.
    cores = job.machine.node.cores * job.nodes / job.settings.train.threads
    places = job.counts.trainers if job.on_gpus else min(job.counts.trainers, cores)
    return job.step_tokens * flops / (time.total * places * job.speeds.peak)


def _days(job: Workload, time: EngineTime | None, failing: Reliability | None) -> float | None:
    if time is None:
        return None
    share = failing.share if failing is not None and failing.share is not None else 1.0
    return job.steps * time.total / DAY / share


def _energy(job: Workload, days: float | None) -> float | None:
    watts = job.machine.node.watts
    if days is None or not watts:
        return None
    return job.nodes * watts * job.machine.prices.overhead * days * 24 / 1000


def _cost(job: Workload, days: float | None, energy: float | None) -> float | None:
    prices, asked = job.machine.prices, job.settings.machine
    hour, kwh = asked.node_hour or prices.node_hour, asked.kwh or prices.kwh
    if days is None or not (hour or kwh) or (kwh and energy is None):
        return None
    return job.nodes * hour * days * 24 + kwh * (energy or 0.0)


def _layout(
    job: Workload, advice: Advice | None, time: EngineTime | None, load: Loads | None
) -> dict[str, Any]:
    counts, parallel = job.counts, job.settings.parallel
    step = None if time is None else time.total
    return {
        "possible": {
            "ranks": counts.ranks,
            "data": job.teams,
            "pipeline": parallel.pipeline,
            "context": parallel.context,
            "expert": parallel.expert,
            "tensor": parallel.tensor,
            "nodes": job.nodes,
            "spares": counts.spares,
        },
        "needed": _needed(advice),
        "step_seconds_by_cause": None if time is None else msgspec.to_builtins(time),
        "loads": None if load is None else msgspec.to_builtins(load),
        "tokens": job.tokens,
        "tokens_in_30_days": None if step is None else affordable(job, step, 30.0),
    }


def _position(job: Workload, most: Heaviest, team: TeamTime | None) -> dict[str, Any]:
    """Return what the heaviest position of a team has, and what a rank sends within it."""
    return {
        "parameters": largest_part(job),
        "state_bytes": most.job.state_bytes,
        "sent_bytes_by_axis": None if team is None else team.sent,
        "bubble": None if team is None else team.bubble,
    }


def _needed(advice: Advice | None) -> dict[str, Any] | None:
    if advice is None:
        return None
    layout = advice.layout
    return {
        "gpus": advice.gpus,
        "data": layout.data,
        "tensor": layout.tensor,
        "pipeline": layout.pipeline,
        "recompute": layout.recompute,
        "sharded": layout.sharded,
        "step_seconds": advice.step_seconds,
        "utilisation": advice.utilisation,
        "memory_bytes": advice.memory_bytes,
    }
