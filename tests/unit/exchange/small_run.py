"""A run directory with checkpoints of a small model, without a job having run."""

import time
from pathlib import Path

import torch
from msgspec.structs import replace

from qmpi.config.data import ContentSource, DataSettings
from qmpi.config.load import dump_toml
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.model.transformer import Transformer
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.snapshot_folder import SnapshotFolder
from qmpi.storage.tokenizer import Tokenizer, train_tokenizer
from qmpi.training.engine import Engine
from qmpi.training.sample import load_model
from qmpi.units import Step

TEXT = "Hello world, this is a text of some kind.\ndef main():\n    return 'é' * 17\n"
RUN_ID = "a1b2"

SHAPES = {
    "tied, grouped": ModelSettings(vocab_size=320, layers=2, width=64, heads=4, kv_heads=2),
    "untied, narrow heads": ModelSettings(
        vocab_size=320, layers=2, width=64, heads=4, kv_heads=4, head_dim=8, tied_head=False
    ),
    "llama, tied": ModelSettings(
        vocab_size=320, layers=2, width=64, heads=4, kv_heads=1, qk_norm=False, rope_theta=5e5
    ),
    "llama, untied, wide heads": ModelSettings(
        vocab_size=320, layers=1, width=48, heads=3, kv_heads=3, head_dim=32, qk_norm=False,
        tied_head=False, ffn_width=72, norm_eps=1e-5,
    ),
    "windows, yarn": ModelSettings(
        vocab_size=320, layers=2, width=64, heads=4, kv_heads=2, window=16, window_pattern="wf",
        rope_scaling="yarn", rope_factor=4.0, rope_original_tokens=16,
    ),
    "mistral, slow positions": ModelSettings(
        vocab_size=320, layers=2, width=64, heads=4, kv_heads=1, qk_norm=False, window=16,
        rope_scaling="llama3", rope_factor=8.0, rope_original_tokens=16,
    ),
    "olmo2, yarn": ModelSettings(
        vocab_size=320, layers=2, width=64, heads=4, kv_heads=2, tied_head=False, norm_eps=1e-5,
        qk_norm_over="projection", norm_place="post", rope_scaling="yarn", rope_factor=4.0,
        rope_original_tokens=16,
    ),
}  # fmt: skip


def tokenizer(folder: Path) -> Tokenizer:
    """Make a tokenizer of less than 320 ids in a folder."""
    made = train_tokenizer([TEXT * 40], 300)
    folder.mkdir(parents=True, exist_ok=True)
    made.save(folder / "tokenizer.json")
    return made


def settings(folder: Path, model: ModelSettings = SHAPES["tied, grouped"], **fields) -> Settings:
    """Return a job with the tokenizer in a folder; made if it is not there."""
    if not (folder / "tokenizer.json").exists():
        tokenizer(folder)
    sources = (ContentSource(name="mathematics", type="mathematics"),)
    train = TrainSettings(steps=20, sequence_tokens=48, lanes=2, sequences=2, device="cpu",
                          precision="float32")  # fmt: skip
    data = DataSettings(tokenizer=str(folder / "tokenizer.json"), sources=sources)
    return replace(Settings(model=model, train=train, data=data), **fields)


def engine(job: Settings, noise: int | None = 1) -> Engine:
    """Return an engine with the state before step 0; its weights far from those of a start."""
    made = Engine(job, time.monotonic, lambda: None)
    made.initialise()
    if noise is not None:
        generator = torch.Generator().manual_seed(noise)
        for slot in made._state.layout.slots:
            made._state.view(slot).add_(torch.randn(slot.shape, generator=generator) * 0.1)
    return made


def model_of(job: Settings, made: Engine) -> Transformer:
    """Return a model with the engine's weights, as they are now."""
    _, parts = made.snapshot()
    return load_model(job, [memoryview(b"".join(parts))])


def write_run(root: Path, job: Settings, states: dict[int, Engine], run_id=RUN_ID) -> Path:
    """Write a run with a checkpoint of each engine's state."""
    directory = RunDirectory(root)
    directory.create()
    directory.job.write_text(dump_toml(job))
    folder = SnapshotFolder(directory.checkpoints, run_id, keep=9, in_ram=False)
    for step, made in states.items():
        digest, parts = made.snapshot()
        folder.write(Step(step), digest, parts, None)
    return root


def small_run(tmp_path: Path, model: ModelSettings = SHAPES["tied, grouped"]):
    """Write a run with one checkpoint; return its directory, its job and its model."""
    job = settings(tmp_path / "tokenizer", model)
    made = engine(job)
    return write_run(tmp_path / "run", job, {0: made}), job, model_of(job, made)
