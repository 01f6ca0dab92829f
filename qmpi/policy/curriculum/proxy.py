"""A proxy: a small job with the data of a large one, on which constants of the rule are tried.

Theory of operation. What the rule does follows from losses by source. So a proxy has the sources,
the tokenizer, the length of sequences and the curriculum of the job; a small model, and steps of at
most 32 sequences. Windows are as many steps. What a sequence moves the means by is put so that a
step moves them as far as one of the job does. All else that costs time or could end it is left out:
teams, experts, growing batches, guards. Its one evaluation, at its end, gives the score.

That constants which are good for a small model are good for a large one is not known; a winner is
worth what its proxies are.
"""

from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.checks import resolve
from qmpi.config.evaluation import MOST_TOKENS, EvaluationSettings
from qmpi.config.model import ModelSettings
from qmpi.config.settings import JobSettings, Settings, SnapshotSettings
from qmpi.config.train import TrainSettings
from qmpi.policy.curriculum.draws import in_another_batch, with_constants
from qmpi.protocol.batch import begun_batch, first_block
from qmpi.protocol.tuning import Candidate
from qmpi.units import Step

LAYERS, LANES, SEQUENCES = 2, 8, 4
"""Of a proxy, at most."""

HEAD = 32
"""Features of a head, or a few more."""

HELD_ROWS = 16
"""Held-out rows of each source, or arm, that a proxy is measured on."""

COPIES = 4
"""Checkpoints on the way, for a proxy that is broken off."""


class ProxyRun(Struct, frozen=True):
    """A proxy that is to be trained.

    Attributes:
        name: of its directory.
        candidate: what it tries.
        seed: of its job.
        steps: that it has.
    """

    name: str
    candidate: Candidate
    seed: int
    steps: int


def job_tokens(settings: Settings) -> int:
    """Return the tokens that a job trains on; where its batch follows the noise, at least.

    Args:
        settings: the job.
    """
    train = settings.train
    blocks = first_block(begun_batch(settings, Step(0), 0), train.steps, train.lanes)
    return blocks * train.microbatches * train.sequences * train.sequence_tokens


def sequences_of(train: TrainSettings) -> int:
    """Return the sequences of a step that has all lanes.

    Args:
        train: section [train].
    """
    return train.lanes * train.microbatches * train.sequences


def proxy_sequences(settings: Settings) -> int:
    """Return the sequences of a step of a proxy.

    Args:
        settings: the job.
    """
    return min(settings.train.lanes, LANES) * min(settings.train.sequences, SEQUENCES)


def held_tokens(settings: Settings) -> int:
    """Return the tokens that a proxy is measured on, at most.

    Args:
        settings: the job, with its arms.
    """
    return min(MOST_TOKENS, HELD_ROWS * len(settings.data.sources) * settings.train.sequence_tokens)


def seed_of(seed: int, what: str) -> int:
    """Return a seed that nobody else uses.

    Args:
        seed: of the job.
        what: it is for, in words.

    Returns:
        A number of 56 bits.
    """
    drawn = blake2b(f"tuning {seed} {what}".encode(), digest_size=7).digest()
    return int.from_bytes(drawn, "little")


def proxy_of(settings: Settings, run: ProxyRun, width: int, run_dir: str) -> Settings:
    """Return the job of a proxy.

    Args:
        settings: the job, with its arms.
        run: which.
        width: of its model, if the job's is not smaller; even.
        run_dir: its directory.

    Returns:
        A job; it may contradict itself where a table of the curriculum asks for more than it has.
    """
    train, steps = settings.train, run.steps
    times = sequences_of(train) / proxy_sequences(settings)
    rules = with_constants(settings.curriculum, run.candidate.constants)
    fast, slow = (in_another_batch(one, times) for one in (rules.fast, rules.slow))
    small = Settings(
        job=JobSettings(name=run.name, seed=run.seed, run_dir=run_dir),
        model=_model(settings.model, width),
        train=TrainSettings(
            steps=steps,
            lanes=min(train.lanes, LANES),
            sequences=min(train.sequences, SEQUENCES),
            sequence_tokens=train.sequence_tokens,
            device=train.device,
            threads=train.threads,
        ),
        optimizer=replace(settings.optimizer, warmup_steps=-1),
        data=settings.data,
        evaluation=EvaluationSettings(
            held_out=settings.evaluation.held_out,
            every_steps=steps,
            tokens=held_tokens(settings),
            problems=0,
        ),
        snapshot=SnapshotSettings(
            every_steps=max(1, steps // COPIES),
            disk_every_steps=max(1, steps // COPIES),
            keep=1,
            ram_dir=settings.snapshot.ram_dir,
        ),
        failure=settings.failure,
        curriculum=replace(rules, fast=fast, slow=slow),
    )
    return resolve(small)


def _model(model: ModelSettings, width: int) -> ModelSettings:
    width = min(model.width, width) // 2 * 2
    most = max(1, width // HEAD)
    heads = next(n for n in range(most, 0, -1) if not width % (2 * n))
    return ModelSettings(
        vocab_size=model.vocab_size,
        layers=min(model.layers, LAYERS),
        width=width,
        heads=heads,
        kv_heads=1,
        tied_head=model.tied_head,
    )
