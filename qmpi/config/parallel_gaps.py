"""What of a job a team of several ranks does not compute in this version."""

from collections.abc import Iterator

from qmpi.config.exact_sum import LEAST_SPARE, spare_bits
from qmpi.config.ladder import generated_sources
from qmpi.config.parallel import splits_backward
from qmpi.config.settings import Settings

MOST_SHARES = 4096
"""Of what is common to ranks, over all lanes: what the exact sum has bits for."""


def parallel_gaps(settings: Settings) -> Iterator[str]:
    """Say what does not go together with ranks that share a model, yet.

    Args:
        settings: the job; a team has more than one rank.

    Yields:
        One sentence each.
    """
    size, model, train = settings.parallel.team_size, settings.model, settings.train
    together = f"a model that {size} ranks share"
    if settings.evaluation.every_steps and _poses(settings):
        yield (
            f"evaluation.problems = {settings.evaluation.problems}: {together} is asked none while "
            "it is trained; set 0, and run `qmpi evaluate` on its checkpoints"
        )
    if model.predict_ahead and size > settings.parallel.tensor:
        yield (
            f"model.predict_ahead = {model.predict_ahead} goes with parallel.tensor alone: along "
            f"other axes {together} predicts the next token only"
        )
    parallel = settings.parallel
    if settings.batch.is_measured and parallel.context * parallel.expert > 1:
        yield (
            "the noise of gradients is not measured where ranks share tokens or sequences "
            "(parallel.context, parallel.expert), since none has a lane's gradient whole: set "
            "batch.noise_scale = false, and let the batch grow by a schedule"
        )
    if splits_backward(settings.parallel):
        yield from _split_gaps(settings)
    if settings.parallel.pipeline > 1 and train.offload in ("activations", "all"):
        yield f'train.offload = "{train.offload}": stages of a pipeline keep activations themselves'
    if train.masters == "bfloat16" and model.vocab_size % settings.parallel.tensor:
        yield (
            f'train.masters = "bfloat16" wants parallel.tensor = {settings.parallel.tensor} to '
            f"divide model.vocab_size = {model.vocab_size}"
        )
    yield from _expert_gaps(settings)
    if parallel.context > 1 and model.capacity_factor:
        yield (
            f"model.capacity_factor = {model.capacity_factor}: an expert's capacity counts whole "
            f"microbatches, and parallel.context = {parallel.context} cuts their sequences: set 0"
        )
    shares = train.lanes * parallel.tensor * parallel.context * parallel.expert
    if shares > MOST_SHARES or spare_bits(shares) < LEAST_SPARE:
        yield (
            f"train.lanes x parallel.tensor x context x expert = {shares} gradients are more than "
            f"the exact sum has bits for: {MOST_SHARES} at most"
        )


def _poses(settings: Settings) -> bool:
    return bool(generated_sources(settings.data)) and settings.evaluation.problems > 0


def _split_gaps(settings: Settings) -> Iterator[str]:
    if settings.parallel.chunks > 1:
        yield (
            f'parallel.schedule = "zero_bubble" with parallel.chunks = {settings.parallel.chunks}: '
            'no engine runs a chain that turns back yet; set 1, or "interleaved"'
        )
    if settings.train.compile == "on":
        yield (
            'parallel.schedule = "zero_bubble" splits backward passes, which compiled layers do '
            'not: set train.compile = "auto" or "off"'
        )


def _expert_gaps(settings: Settings) -> Iterator[str]:
    parallel, model = settings.parallel, settings.model
    if parallel.expert == 1:
        return
    if model.capacity_factor:
        yield (
            f"model.capacity_factor = {model.capacity_factor:g} drops tokens in the order of a "
            f"whole microbatch, of which each of parallel.expert = {parallel.expert} ranks sees a "
            "part: set 0, with which no token is dropped"
        )
    if settings.batch.halve_microbatches:
        yield (
            "batch.halve_microbatches = true: ranks that share out the sequences of a microbatch "
            "do not halve it; set false, and train.sequences to what fits"
        )
