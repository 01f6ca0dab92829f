"""A tiny job and its data, shared by the tests of the engine and by the members of a gang."""

import hashlib
import time

import numpy as np

from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.settings import JobSettings, Settings
from qmpi.config.train import TrainSettings
from qmpi.protocol.token_kinds import TokenKinds
from qmpi.training.comm.line import Comm
from qmpi.training.engine import Engine

LANES = 4


def job(reduction="exact", microbatches=1, precision="float32", device="cpu", **model):
    return Settings(
        job=JobSettings(seed=5),
        model=ModelSettings(vocab_size=256, layers=2, width=32, heads=2, kv_heads=1, **model),
        train=TrainSettings(
            steps=8, lanes=LANES, microbatches=microbatches, sequences=2, sequence_tokens=16,
            reduction=reduction, precision=precision, device=device,
        ),
        optimizer=OptimizerSettings(warmup_steps=2),
    )  # fmt: skip


def block(settings, step, lane):
    train = settings.train
    shape = (train.microbatches * train.sequences, train.sequence_tokens + 1)
    ids = np.random.default_rng([step, lane]).integers(0, 256, shape).astype("<u2")
    return ids.tobytes()


def digest(frame):
    return hashlib.blake2b(frame, digest_size=16).hexdigest()


def never():
    return None


def alone(settings, start=True, divider=None):
    engine = Engine(settings, time.monotonic, never, kinds=TokenKinds(divider))
    if start:
        engine.initialise()
    engine.join(Comm(store=None, name="g1", index=0, size=1, timeout_seconds=5, aborted=never))
    return engine


def run(engine, settings, step, lanes=range(LANES)):
    blocks = [block(settings, step, lane) for lane in lanes]
    digests = list(map(digest, blocks))
    return engine.run_step(step, list(lanes), blocks, digests, digest_due=True)
