"""Contradictions between fields of a job: what no field can state alone."""

import re
from collections.abc import Iterator

from msgspec.structs import replace

from qmpi.config.arms import with_arms
from qmpi.config.attention import attention_faults
from qmpi.config.compression_checks import compression_contradictions
from qmpi.config.curriculum_checks import curriculum_contradictions
from qmpi.config.data import DRILLS, ContentSource
from qmpi.config.exact_sum import KEPT_BITS, LEAST_SPARE, SUM_BITS, lane_bits, spare_bits
from qmpi.config.expert_checks import expert_contradictions
from qmpi.config.float8_checks import float8_contradictions
from qmpi.config.guard import guard_contradictions
from qmpi.config.memory_checks import memory_contradictions
from qmpi.config.optimizer import derived_warmup
from qmpi.config.parallel_checks import parallel_contradictions
from qmpi.config.recipe_checks import recipe_contradictions
from qmpi.config.settings import RoleCount, Settings
from qmpi.config.train import TrainSettings

MOST_TOKENS = 2**63 - 1
"""Offsets in the stream are 64-bit numbers."""

MOST_RANKS = 1_000_000

LEAST_SOFTCAP = 1.0
"""Bound of logits below which no token can be much likelier than another."""

REQUIRED_ROLES = ("coordinator", "generator", "memory", "trainer", "replica")


def contradictions(settings: Settings) -> list[str]:
    """List every contradiction in a job.

    Args:
        settings: the job; each field legal by itself.

    Returns:
        One sentence each; empty if there is none.
    """
    return [
        *_name(settings),
        *_model(settings),
        *attention_faults(settings.model, settings.train.sequence_tokens),
        *expert_contradictions(settings),
        *_ahead(settings),
        *float8_contradictions(settings),
        *_initial(settings),
        *_roles(settings),
        *parallel_contradictions(settings),
        *_train(settings),
        *compression_contradictions(settings),
        *_savers(settings),
        *_sources(settings),
        *recipe_contradictions(settings.data),
        *_evaluation(settings),
        *_hosts(settings),
        *_batch(settings),
        *memory_contradictions(settings),
        *guard_contradictions(settings.guard, settings.train.steps),
        *curriculum_contradictions(settings),
    ]


def resolve(settings: Settings) -> Settings:
    """Replace what the job leaves to qmpi by numbers, so that they are part of its identity.

    Args:
        settings: the job.

    Returns:
        The job, with a warm-up in steps, and the sources that its curriculum weighs.
    """
    settings = with_arms(settings)
    if settings.optimizer.warmup_steps >= 0:
        return settings
    warmup = derived_warmup(settings.train.steps)
    return replace(settings, optimizer=replace(settings.optimizer, warmup_steps=warmup))


def _name(settings: Settings) -> Iterator[str]:
    name = settings.job.name
    if "/" in name or name.startswith((".", "-")):
        yield (
            f"job.name = {name!r} names the run's directory under runs/: no '/', and no '.' or '-' "
            "in front; for another place set job.run_dir"
        )


def _model(settings: Settings) -> Iterator[str]:
    model = settings.model
    if model.head_dim:
        if model.head_dim % 2:
            yield f"model.head_dim = {model.head_dim} is odd; rotary positions turn pairs"
    elif model.width % model.heads:
        yield (
            f"model.width = {model.width} is not a multiple of model.heads = {model.heads}; "
            "change one of them, or set model.head_dim"
        )
    elif (model.width // model.heads) % 2:
        yield (
            f"model.width / model.heads = {model.width // model.heads} is odd; rotary positions "
            "turn pairs, so make it even"
        )
    if 0.0 < model.logit_softcap < LEAST_SOFTCAP:
        yield (
            f"model.logit_softcap = {model.logit_softcap:g} leaves all tokens nearly alike: take "
            f"{LEAST_SOFTCAP:g} or more (30 is usual), or 0 for no bound"
        )
    if model.heads % model.kv_heads:
        yield f"model.heads = {model.heads} is not a multiple of model.kv_heads = {model.kv_heads}"
    if model.qk_norm_over != "head" and not model.qk_norm:
        yield (
            f'model.qk_norm_over = "{model.qk_norm_over}" says over what a norm goes that '
            "model.qk_norm = false leaves out: leave out one of them"
        )


def _ahead(settings: Settings) -> Iterator[str]:
    ahead, train = settings.model.predict_ahead, settings.train
    if ahead >= train.sequence_tokens:
        yield (
            f"model.predict_ahead = {ahead} leaves no token to predict in sequences of "
            f"train.sequence_tokens = {train.sequence_tokens}: predict fewer, or take longer ones"
        )
    if not ahead and train.ahead_weight != TrainSettings().ahead_weight:
        yield (
            f"train.ahead_weight = {train.ahead_weight:g} weighs nothing while "
            "model.predict_ahead is 0: set that to 1 or more, or leave the weight out"
        )


def _initial(settings: Settings) -> Iterator[str]:
    initial = settings.initial
    if bool(initial.weights) != bool(initial.digest):
        yield (
            "initial.weights and initial.digest belong together: `qmpi import DIR -o JOB` writes "
            "both"
        )


def _roles(settings: Settings) -> Iterator[str]:
    roles = settings.roles
    if roles.coordinator != 1:
        yield f"roles.coordinator = {roles.coordinator!r}: must be 1; standbys are not there yet"
    counts: dict[str, RoleCount] = {
        "coordinator": roles.coordinator,
        "generator": roles.generator,
        "memory": roles.memory,
        "trainer": roles.trainer,
        "replica": roles.replica,
        "spare": roles.spare,
    }
    for name, count in counts.items():
        least = 1 if name in REQUIRED_ROLES else 0
        if isinstance(count, int) and not least <= count <= MOST_RANKS:
            yield f"roles.{name} = {count}: must be from {least} to {MOST_RANKS}"
    shares = sum(float(c.rstrip("%")) for c in counts.values() if isinstance(c, str))
    if shares > 100.0:
        yield f"the shares in [roles] add up to {shares:g}%, more than all ranks"


def _train(settings: Settings) -> Iterator[str]:
    train, optimizer, snapshot = settings.train, settings.optimizer, settings.snapshot
    if optimizer.warmup_steps >= train.steps:
        yield (
            f"optimizer.warmup_steps = {optimizer.warmup_steps} is not shorter than "
            f"train.steps = {train.steps}"
        )
    if optimizer.schedule == "exponential" and optimizer.min_ratio == 0.0:
        yield (
            'optimizer.schedule = "exponential" never reaches 0: set optimizer.min_ratio above 0'
        )
    tokens = (
        train.steps * train.lanes * train.microbatches * train.sequences * train.sequence_tokens
    )
    if tokens > MOST_TOKENS:
        yield (
            f"train.steps = {train.steps} trains on {tokens:.3g} tokens in all; addresses end at "
            f"{MOST_TOKENS:.3g}: fewer steps, lanes, microbatches or sequences"
        )
    spare = spare_bits(train.lanes)
    if train.reduction == "exact" and spare < LEAST_SPARE:
        yield (
            f"train.lanes = {train.lanes} leaves {spare} spare bits in an exact sum: of {SUM_BITS} "
            f"bits the lanes take {SUM_BITS - lane_bits(train.lanes)} and a gradient keeps "
            f"{KEPT_BITS}; {LEAST_SPARE} must be spare, so use fewer lanes, or "
            'train.reduction = "fast"'
        )
    if snapshot.disk_every_steps % snapshot.every_steps:
        yield (
            f"snapshot.disk_every_steps = {snapshot.disk_every_steps} is not a multiple of "
            f"snapshot.every_steps = {snapshot.every_steps}; the next one that is: "
            f"{-(-snapshot.disk_every_steps // snapshot.every_steps) * snapshot.every_steps}"
        )
    failure = settings.failure
    if failure.dead_seconds <= 3 * failure.heartbeat_seconds:
        yield (
            f"failure.dead_seconds = {failure.dead_seconds:g} must be more than three times "
            f"failure.heartbeat_seconds = {failure.heartbeat_seconds:g}"
        )


def _savers(settings: Settings) -> Iterator[str]:
    train = settings.train
    if train.checkpointing == "selective" and train.compile == "on":
        yield (
            'train.checkpointing = "selective" looks between the operations of a layer, and '
            'train.compile = "on" makes one of them: set train.compile = "auto", or '
            'train.checkpointing = "full"'
        )
    if train.checkpointing == "none" and train.checkpoint_every > 1:
        yield (
            f"train.checkpoint_every = {train.checkpoint_every} checkpoints nothing: set "
            'train.checkpointing to "full" or "selective"'
        )
    if train.checkpointing != "none" and train.checkpoint_every > settings.model.layers:
        yield (
            f"train.checkpoint_every = {train.checkpoint_every} is more than model.layers = "
            f"{settings.model.layers}: the first layer is checkpointed all the same; as many at "
            'most, or train.checkpointing = "none"'
        )


def _sources(settings: Settings) -> Iterator[str]:
    names = [source.name for source in settings.data.sources]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"data.sources: two sources are called {name!r}"
    for source in settings.data.sources:
        if isinstance(source, ContentSource) and source.min_level > source.max_level:
            yield (
                f"source {source.name!r}: min_level = {source.min_level} is above "
                f"max_level = {source.max_level}"
            )
        if isinstance(source, ContentSource):
            yield from _families(source)


def _families(source: ContentSource) -> Iterator[str]:
    where = f"source {source.name!r}: families"
    if source.families and source.type != DRILLS:
        yield f'{where} go with type = "{DRILLS}" alone, not with {source.type}: leave them out'
    for name in sorted({n for n in source.families if source.families.count(n) > 1}):
        yield f"{where} name {name!r} twice: its text would come twice"


def _evaluation(settings: Settings) -> Iterator[str]:
    wanted, sources = settings.evaluation, settings.data.sources
    if not wanted.every_steps:
        return
    generated = any(isinstance(source, ContentSource) for source in sources)
    every = f"evaluation.every_steps = {wanted.every_steps}"
    if not wanted.tokens and not (wanted.problems and generated):
        yield (
            f"{every}, but there is nothing to measure: set evaluation.tokens, or "
            "evaluation.problems and a generated source; 0 steps turn it off"
        )
    if wanted.tokens and not generated and not wanted.held_out:
        yield (
            f"{every}, but nothing is held out: set evaluation.held_out, a share such as 0.005, "
            "when a run is begun; 0 steps turn it off"
        )


def _hosts(settings: Settings) -> Iterator[str]:
    pattern = settings.hosts.domain
    try:
        groups = re.compile(pattern).groups
    except (re.error, RecursionError, OverflowError) as error:
        yield f"hosts.domain = {pattern!r} is not a regular expression: {error}"
        return
    if pattern and groups < 1:
        yield (
            f"hosts.domain = {pattern!r} has no group: put what names the failure domain in "
            'brackets, as "^(rack[0-9]+)"'
        )


def _batch(settings: Settings) -> Iterator[str]:
    batch, lanes = settings.batch, settings.train.lanes
    if batch.is_measured and min(lanes, batch.first_lanes or lanes) < 2:
        yield (
            "the noise of the gradient is measured between lanes (batch.noise_scale, batch.grow), "
            "and there is only one: let train.lanes and batch.first_lanes be 2 or more"
        )
    if batch.first_lanes > lanes:
        yield f"batch.first_lanes = {batch.first_lanes} is above train.lanes = {lanes}, the most"
    if batch.grow != "none" and not batch.first_lanes:
        yield f'batch.grow = "{batch.grow}" needs batch.first_lanes: where does it grow from?'
    if batch.grow != "none" and not batch.grow_steps:
        yield f'batch.grow = "{batch.grow}" needs batch.grow_steps: over how many steps?'
    if batch.grow != "none" and batch.first_lanes == lanes:
        yield (
            f'batch.grow = "{batch.grow}" has nothing left to grow from '
            f"batch.first_lanes = {lanes} to train.lanes, as many: fewer first lanes, or leave out "
            "both"
        )
    if batch.grow == "none" and batch.first_lanes in (0, lanes) and batch.rate != "none":
        yield (
            f'batch.rate = "{batch.rate}" lets the learning rate follow the lanes, but these are '
            "always all: set batch.first_lanes below train.lanes, or leave batch.rate out"
        )
    if batch.halve_microbatches and settings.train.sequences == 1:
        yield (
            "batch.halve_microbatches = true, but train.sequences = 1 cannot be halved: more "
            "sequences and fewer microbatches, or false"
        )
