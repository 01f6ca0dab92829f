"""How well the demo's model learns when lanes send less than they have; for bench_compression."""

import hashlib
import time

import numpy as np
import torch
from learning_arms import documents, rows
from msgspec.structs import replace

from qmpi.config.presets import preset
from qmpi.training.comm.line import Comm
from qmpi.training.engine import Engine

HELD_ROWS = 256
LAST_STEPS = 20

ARMS = {
    "int32": {},
    "int16": {"reduction_bits": 16},
    "topk 1 %": {"compression": "topk", "compression_share": 0.01},
    "topk 3 %": {"compression": "topk", "compression_share": 0.03},
    "topk 4.5 %": {"compression": "topk", "compression_share": 0.045},
    "topk 1 %, warm-up 60": {
        "compression": "topk",
        "compression_share": 0.01,
        "compression_warmup": 60,
    },
    "powersgd 4": {"compression": "powersgd"},
    "powersgd 16": {"compression": "powersgd", "compression_rank": 16},
}


def never():
    return None


def digest(frame):
    return hashlib.blake2b(frame, digest_size=16).hexdigest()


def job(fields, steps, kind):
    settings = preset("demo")
    warmup = steps // 10
    train = replace(settings.train, steps=steps, device="cpu", compile="off", **fields)
    optimizer = replace(settings.optimizer, kind=kind, warmup_steps=warmup)
    return replace(settings, train=train, optimizer=optimizer)


def frames(ids, train):
    """Return a block for each lane of each step, and rows that are held out."""
    cut = ids[:, : train.sequence_tokens + 1].numpy().astype("<u2")
    many = train.steps * train.lanes * train.sequences
    blocks = cut[:many].reshape(train.steps, train.lanes, train.sequences, -1)
    return [[lane.tobytes() for lane in step] for step in blocks]


def learn(name, steps, seed, kind):
    """Train an arm; return what it came to."""
    settings = job(ARMS[name], steps, kind)
    settings = replace(settings, job=replace(settings.job, seed=seed))
    train = settings.train
    torch.set_num_threads(1)
    kept, held = documents()
    blocks = frames(rows(kept, seed), train)
    engine = Engine(settings, time.monotonic, never)
    engine.initialise()
    engine.join(Comm(store=None, name="g1", index=0, size=1, timeout_seconds=5, aborted=never))
    losses, begun = [], time.process_time()
    for step, lanes in enumerate(blocks):
        due = step + 1 == steps
        outcome = engine.run_step(
            step, range(train.lanes), lanes, list(map(digest, lanes)), digest_due=due
        )
        losses.append(float(np.mean(outcome.lane_losses)))
    seconds = time.process_time() - begun
    out = rows(held, 0)[:HELD_ROWS, : train.sequence_tokens + 1].numpy().astype("<u2")
    nats = engine.evaluator().row_losses(out.tobytes(), len(out), lambda _: None)
    return {
        "arm": name, "kind": kind, "seed": seed, "steps": steps,
        "loss": round(float(np.mean(losses[-LAST_STEPS:])), 4),
        "held_out": round(sum(each.nats for each in nats) / len(out) / train.sequence_tokens, 4),
        "losses": [round(losses[n], 4) for n in range(0, steps, max(1, steps // 10))],
        "cpu_seconds": round(seconds, 1),
    }  # fmt: skip
