"""`qmpi simulate`: what a job would do, played without starting it."""

import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qmpi.cli.options import JobPath, job_options
from qmpi.cli.output import show_json
from qmpi.cli.sizes import Size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from qmpi.policy.reads import ComingBlock

EPILOG = """\b
Examples:
  qmpi simulate --cache jobs/laptop.toml
  qmpi simulate --cache job.toml --capacity 256M --steps 2000
  qmpi simulate --cache job.toml --set memory.budget=1073741824 --json
"""

MOST_ROWS = 100_000
"""Rows that are followed unless more steps are asked for; some ten microseconds each."""


TELL_SECONDS = 2.0
"""Between two words on the way."""


@click.command("simulate", epilog=EPILOG)
@click.argument("job", type=JobPath())
@click.option("--cache", "is_cache", is_flag=True, help="The caches of the memory ranks.")
@click.option(
    "--capacity",
    type=Size(),
    help="Bytes that each memory rank keeps, as 256M; default: memory.budget of the job.",
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    metavar="N",
    help="Steps that are followed; default: those of the job, of 100,000 rows at most.",
)
@job_options
def command(
    *,
    job: Path,
    is_cache: bool,
    capacity: int | None,
    steps: int | None,
    overrides: tuple[str, ...],
    run_dir: str | None,
    as_json: bool,
) -> None:
    """Play what JOB would read through the caches of its memory ranks, by every policy.

    Nothing is started, and no token is read: which chunk is read when follows from the job.
    """
    from qmpi.config.load import load_job

    if not is_cache:
        raise click.UsageError("say what to simulate: --cache")
    settings = load_job(job, overrides, run_dir)
    if steps is not None and steps > settings.train.steps:
        click.echo(
            f"qmpi: the job has {settings.train.steps:,} steps, so --steps {steps} follows those "
            "alone; --set train.steps=N makes it longer",
            err=True,
        )
    tell = _told_on_the_way(quiet=as_json)
    told = cache_facts(settings, capacity, steps, tell)
    if as_json:
        show_json(told)
        return
    for line in cache_text(told):
        click.echo(line)


def _told_on_the_way(*, quiet: bool) -> "Callable[[str], None]":
    begun, told = time.monotonic(), -math.inf

    def tell(what: str) -> None:
        nonlocal told
        now = time.monotonic()
        if not quiet and now - told >= TELL_SECONDS:
            told = now
            after = f" ({now - begun:.0f} s)" if now - begun >= 1.0 else ""
            click.echo(f"qmpi: {what}{after}", err=True)

    return tell


def _unheard(what: str) -> None:
    """Be told what nobody waits for."""
    del what


def _counted(
    blocks: "Iterable[ComingBlock]", rows: int, tell: "Callable[[str], None]"
) -> "Iterator[ComingBlock]":
    for number, block in enumerate(blocks, 1):
        yield block
        tell(f"{number * rows:,} rows are followed to their chunks")


def cache_facts(
    settings: Any,  # noqa: ANN401
    capacity: int | None,
    steps: int | None,
    tell: "Callable[[str], None]" = _unheard,
) -> dict[str, Any]:
    """Play the reads of a job through caches of every policy.

    Args:
        settings: a checked job.
        capacity: bytes of each memory rank; None: as the job says.
        steps: first ones of the run; None: all, or as many as `MOST_ROWS` rows make.
        tell: told often how far it is, if it takes long.

    Returns:
        Facts by name; under "policies" by policy.

    Raises:
        InputError: a corpus is missing or too short.
        StorageError: a corpus cannot be read.
    """
    from qmpi.cli.check import rank_count, roles_dealt
    from qmpi.corpora.read_order import open_job_data, reads_of
    from qmpi.memory.compare import Room, Sizes, compare_orders
    from qmpi.policy.reads import coming_blocks
    from qmpi.protocol.batch import begun_batch
    from qmpi.storage.cache import default_cache
    from qmpi.units import Rank, Step

    train = settings.train
    rows = train.lanes * train.microbatches * train.sequences
    number = min(steps or max(1, MOST_ROWS // rows), train.steps)
    memories = roles_dealt(settings, rank_count(settings.roles, None))["memory"]
    ranks = [Rank(rank) for rank in range(memories)]
    batch = begun_batch(settings, Step(0), 0)
    data = open_job_data(settings, default_cache(os.environ))
    blocks = coming_blocks(batch, train.lanes, range(number), ranks)
    told = tell if number * rows > MOST_ROWS else _unheard
    told(f"{number * rows:,} rows are followed, which takes a while")
    blocks = _counted(blocks, rows // train.lanes, told)
    reads = reads_of(settings, data, blocks, ranks)
    budget = settings.memory.budget if capacity is None else capacity
    traces, size_of = list(reads.chunks.values()), data.places.size_of
    rooms = [Room(level.kind, level.budget) for level in settings.memory.levels]
    sizes = Sizes(size_of, data.stored.of)
    compared = compare_orders(
        traces, sizes, budget, settings.job.seed, rooms, lambda name: told(f"policy {name}")
    )
    distinct = {key for trace in traces for key in trace}
    return {
        "job": settings.job.name,
        "steps": number,
        "memory_ranks": memories,
        "capacity": budget,
        "levels": [{"kind": room.name, "budget": room.budget} for room in rooms],
        "reads": sum(map(len, traces)),
        "chunks": len(distinct),
        "chunk_bytes": sum(map(size_of, distinct)),
        "stored_bytes": sum(map(data.stored.of, distinct)),
        "rows": reads.rows,
        "policy": settings.memory.policy,
        "policies": {
            name: {
                "hits": found.hits,
                "misses": found.misses,
                "hit_rate": round(found.hit_rate, 6),
                "evictions": found.evictions,
                "bytes_by_level": {**found.bytes_by_level, "anew": reads.generated_bytes},
            }
            for name, found in compared.items()
        },
    }


def cache_text(told: dict[str, Any]) -> "Iterator[str]":
    """Say in words what `cache_facts` found.

    Args:
        told: its facts.

    Yields:
        Lines.
    """
    from qmpi.cli.sizes import binary

    ranks = told["memory_ranks"]
    below = [level["kind"] for level in told["levels"]]
    yield (
        f"{told['steps']:,} steps of {told['job']}: {told['reads']:,} reads of {told['chunks']:,} "
        f"chunks ({binary(told['chunk_bytes'])} decoded), {ranks} memory "
        f"rank{'' if ranks == 1 else 's'} with {binary(told['capacity'])} each"
    )
    if not told["reads"]:
        yield "the job reads no corpus: its rows are generated, and there is nothing to keep"
        return
    for level in told["levels"]:
        yield (
            f"each keeps {binary(level['budget'])} compressed in level {level['kind']}; all chunks "
            f"are {binary(told['stored_bytes'])} so"
        )
    shown = ["memory", *below, "shards"]
    heads = "".join(f" {f'from {level}':>12}" for level in shown)
    yield f"{'policy':13} {'hits':>7}{heads} {'evictions':>10}"
    for name, found in told["policies"].items():
        levels, mark = found["bytes_by_level"], " *" if name == told["policy"] else ""
        cells = "".join(f" {binary(levels[level]):>12}" for level in shown)
        yield f"{name + mark:13} {found['hit_rate']:7.1%}{cells} {found['evictions']:>10,}"
    if anew := told["policies"][told["policy"]]["bytes_by_level"]["anew"]:
        yield f"generated anew, whatever the policy: {binary(anew)}"
    yield "* what the job has; one that sees less than the whole future has fewer hits"
