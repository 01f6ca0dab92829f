"""A plan as people read it: short lines, each with its unit; what is not known is said so."""

from collections.abc import Sequence

from qmpi.planning.advice import Advice
from qmpi.planning.estimate import Details
from qmpi.planning.wording import amount, count_text, layout_text, seconds_text, size_text

UNKNOWN = "not known"
CAUSES = (
    ("products", "matrix products"),
    ("attention", "attention"),
    ("sweeps", "element by element"),
    ("calls", "calls of kernels"),
    ("exchange", "sent within teams"),
    ("waiting", "filling and draining the pipeline"),
    ("reduce", "summing gradients"),
    ("apply", "update"),
    ("digest", "digests"),
    ("snapshot", "snapshots"),
    ("evaluation", "evaluations"),
    ("offload", "copies from and to the host"),
)


def plan_lines(details: Details, where: str) -> list[tuple[str, str]]:
    """Return a plan as names and words.

    Args:
        details: the plan.
        where: name of the machine.

    Returns:
        Pairs in reading order.
    """
    job, plan = details.job, details.plan
    train = job.settings.train
    met = plan.active_parameters
    active = f" ({count_text(met)} met by a token)" if met != plan.parameters else ""
    flops = (
        f"{count_text(plan.parameters)} parameters{active}, "
        f"{count_text(plan.flops_per_token)}FLOP a token "
        "(6 a matrix weight, causal attention by half)"
    )
    return [
        ("job", f"{job.settings.job.name} on {where}"),
        ("model", flops),
        (
            "run",
            f"{amount(job.tokens)} in {job.steps:,} steps of {amount(job.step_tokens)} "
            f"({train.lanes:,} lanes)",
        ),
        ("ranks", _ranks(details)),
        ("memory", _memory(details)),
        ("step", _step(details)),
        ("time", _days(details)),
        ("failures", _failures(details)),
        ("energy", _energy(details)),
        ("cost", _cost(details)),
        *_loads(details),
        ("layout", _layout(details)),
        ("fastest", advice_text(details.advice)),
    ]


def _layout(details: Details) -> str:
    job, team = details.job, details.team
    parallel, held = job.settings.parallel, details.plan.layout["position"]["parameters"]
    if parallel.team_size == 1:
        return "data parallel: each trainer holds the whole model"
    sent = "" if team is None else ", ".join(f"{a} {size_text(b)}" for a, b in team.sent.items())
    idle = 0.0 if team is None else team.bubble
    bubble = f", bubble {idle:.0%}" if parallel.pipeline > 1 else ""
    return (
        f"{job.teams:,} team{'s' if job.teams != 1 else ''} of {layout_text(parallel)}: a rank "
        f"holds {count_text(held)} parameters at most, sends a step {sent or UNKNOWN}{bubble}"
    )


def plan_text(details: Details, where: str, chosen: Sequence[str] = ()) -> str:
    """Return a plan as text for a terminal.

    Args:
        details: the plan.
        where: name of the machine.
        chosen: why the layout is what it is, where qmpi chose it.

    Returns:
        Lines.
    """
    pairs = [*plan_lines(details, where), *(("chosen", words) for words in chosen)]
    width = max(len(name) for name, _ in pairs)
    lines = [f"{name:{width}}  {words}" for name, words in pairs]
    lines += [f"{'limit':{width}}  {words}" for words in details.plan.limits]
    return "\n".join(lines)


def compare_rows(plans: Sequence[Details]) -> list[tuple[str, ...]]:
    """Return a table of plans with different numbers of trainers.

    Args:
        plans: ascending by trainers.

    Returns:
        The head, then a row each.
    """
    head = ("trainers", "nodes", "step", "tokens/s", "utilisation", "days", "cost", "of the time")
    return [head, *map(_compare_row, plans)]


def compare_text(plans: Sequence[Details]) -> str:
    """Return the comparison as text for a terminal.

    Args:
        plans: ascending by trainers.

    Returns:
        Lines of a table.
    """
    rows = compare_rows(plans)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    cells = [[cell.rjust(size) for cell, size in zip(row, widths, strict=True)] for row in rows]
    return "\n".join("  ".join(row) for row in cells)


def _compare_row(details: Details) -> tuple[str, ...]:
    job, plan = details.job, details.plan
    step = plan.step_seconds
    return (
        f"{job.counts.trainers:,}",
        f"{job.nodes:,}",
        UNKNOWN if step is None else seconds_text(step),
        UNKNOWN if step is None else f"{job.step_tokens / step:,.0f}",
        _share(plan.utilisation),
        days_text(plan.days),
        UNKNOWN if plan.cost is None else f"{plan.cost:,.0f} {job.machine.prices.currency}",
        _share(plan.effective_share),
    )


def _share(share: float | None) -> str:
    return UNKNOWN if share is None else f"{share:.1%}"


def days_text(days: float | None) -> str:
    """Return a number of days in the unit that fits it."""
    return UNKNOWN if days is None else seconds_text(days * 86_400)


def advice_text(advice: Advice | None) -> str:
    """Return the layout that would be fastest, in words."""
    if advice is None:
        return f"{UNKNOWN}: it takes a machine whose GPUs are known and large enough"
    layout, gpus = advice.layout, f"{advice.gpus:,} GPU{'s' if advice.gpus != 1 else ''}"
    shared = {"none": "", "optimizer": ", optimizer state", "all": ", weights and state"}
    shares = shared[layout.sharded]
    again = ", layers computed again in backward" if layout.recompute == "full" else ""
    return (
        f"{gpus} as data {layout.data:,} x tensor {layout.tensor} x pipeline "
        f"{layout.pipeline}{shares + ' shared out' if shares else ''}{again}, NCCL hidden behind "
        f"products: {seconds_text(advice.step_seconds)} a step, {advice.utilisation:.0%} of the "
        f"peak, {size_text(advice.memory_bytes)} a GPU"
    )


def _ranks(details: Details) -> str:
    counts = details.job.counts
    kinds = [
        (1, "coordinator"),
        (counts.trainers, "trainer"),
        (counts.spares, "spare"),
        (counts.generators, "generator"),
        (counts.memories, "memory rank"),
        (counts.replicas, "replica"),
    ]
    words = [f"{n:,} {name}{'s' if n != 1 else ''}" for n, name in kinds if n]
    nodes = details.job.nodes
    return f"{counts.ranks:,}: {', '.join(words)}; {nodes:,} node{'s' if nodes != 1 else ''}"


def _memory(details: Details) -> str:
    memory = details.plan.memory_bytes_by_kind
    parts = ", ".join(f"{name} {size_text(size)}" for name, size in memory.items() if size)
    host = details.there.host_bytes
    beside = f"; beside it {size_text(host)} of the host's, pinned" if host else ""
    return f"{size_text(sum(memory.values()))} a trainer: {parts}{beside}"


def _step(details: Details) -> str:
    time, plan = details.time, details.plan
    if time is None or plan.step_seconds is None:
        return UNKNOWN
    parts = [
        f"{name} {getattr(time, field) / time.total:.0%}"
        for field, name in CAUSES
        if getattr(time, field) >= 0.005 * time.total
    ]
    speed = f"{details.job.step_tokens / time.total:,.0f} tokens/s"
    of = "the peak" if details.job.on_gpus else "the rate of products"
    return (
        f"{seconds_text(time.total)}, {speed}, {_share(plan.utilisation)} of {of}: "
        f"{', '.join(parts)}"
    )


def _days(details: Details) -> str:
    return days_text(details.plan.days)


def _failures(details: Details) -> str:
    plan, failing = details.plan, details.failing
    if plan.failures_per_day is None:
        return f"{UNKNOWN}: neither job nor machine says how often a node is lost"
    if failing is None:
        return f"{plan.failures_per_day:.2g} nodes a day"
    return (
        f"{plan.failures_per_day:.2g} nodes a day, {seconds_text(failing.seconds_each)} lost with "
        f"each: {_share(failing.share)} of the time is training"
    )


def _energy(details: Details) -> str:
    energy = details.plan.energy_kwh
    if energy is None:
        return f"{UNKNOWN}: the machine file does not say what a node draws"
    return (
        f"{energy / 1000:,.0f} MWh"
        if energy >= 1e4
        else f"{energy:,.{0 if energy >= 100 else 2}f} kWh"
    )


def _cost(details: Details) -> str:
    cost = details.plan.cost
    if cost is None:
        return f"{UNKNOWN}: neither job nor machine gives a price"
    return f"{cost:,.0f} {details.job.machine.prices.currency}"


def _rate(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def _loads(details: Details) -> list[tuple[str, str]]:
    load = details.load
    if load is None:
        return []
    written, opening = load.checkpoint_seconds, load.opening_seconds
    shards = f"{load.corpus_shards:,} shard{'s' if load.corpus_shards != 1 else ''}"
    corpus = (
        f"; one pass reads {size_text(load.corpus_bytes)} in {shards}, before compression"
    ) * bool(load.corpus_bytes)
    made = (
        f"; generators write {amount(load.generated_tokens)} of it, room for "
        f"{amount(load.generator_room)}"
    ) * bool(load.generated_tokens)
    return [
        (
            "network",
            f"{size_text(load.reduce_bytes)} of gradients from each trainer a step, "
            f"{size_text(load.block_bytes_a_second)} of blocks a second",
        ),
        (
            "data",
            f"{amount(details.job.step_tokens / (details.time.total if details.time else 1))} a "
            f"second{made}{corpus}",
        ),
        (
            "copies",
            f"{size_text(load.snapshot_bytes)}, in RAM every {seconds_text(load.snapshot_every)}, "
            f"on disk every {seconds_text(load.checkpoint_every)} (to write one: "
            f"{UNKNOWN if written is None else seconds_text(written)})",
        ),
        (
            "coordinator",
            f"{_rate(load.coordinator_messages)} messages and "
            f"{size_text(load.coordinator_bytes)} a second, {load.coordinator_core:.1%} of a core",
        ),
        (
            "start",
            f"{load.opens:,} files opened"
            + ("" if opening is None else f" in {seconds_text(opening)}"),
        ),
    ]
