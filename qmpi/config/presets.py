"""Named job files: what differs from the defaults, for the machines that people have.

`qmpi init --preset NAME` writes them with every field explained; `jobs/NAME.toml` are the same
texts. The presets beyond `laptop` have been checked for form and arithmetic only: nothing larger
than one CPU machine has run them yet.
"""

from typing import Any

import msgspec

from qmpi.config.optimizer import LARGE_STEPS
from qmpi.config.settings import Settings

_BUILTIN = [
    {"kind": "corpus", "name": "python", "path": "builtin:python", "weight": 3.0},
    {
        "kind": "content",
        "name": "mathematics",
        "type": "mathematics",
        "weight": 1.0,
        "min_level": 1,
        "max_level": 20,
    },
]
_SHARES = (20, 15, 15, 10, 8, 12, 10, 10)
_TYPES = (
    "technical",
    "scientific",
    "code",
    "mathematics",
    "philosophy",
    "creative",
    "conversation",
    "multilingual",
)
_CONTENT = [
    {"kind": "content", "name": name, "type": name, "weight": float(share)}
    for name, share in zip(_TYPES, _SHARES, strict=True)
]

_DRILLS = [
    {
        "kind": "content",
        "name": family,
        "type": "drills",
        "families": [family],
        "min_level": 1,
        "max_level": 42,
    }
    for family in ("copy", "reverse", "sort", "maximum", "sums", "addition", "brackets", "shift")
]

PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    "demo": (
        "Nine ranks in six roles on two cores, a minute a run: what `qmpi demo` runs.",
        {
            "job": {"name": "demo", "seed": 1},
            "roles": {"memory": 2, "trainer": 3, "spare": 1},
            "model": {"layers": 3, "width": 128, "heads": 4, "kv_heads": 2},
            "train": {"steps": 60, "lanes": 6, "sequences": 4, "sequence_tokens": 128},
            "evaluation": {
                "held_out": 0.01,
                "every_steps": 20,
                "tokens": 8192,
                "problems": 48,
            },
            "snapshot": {"every_steps": 5, "disk_every_steps": 20},
            "data": {"sources": _BUILTIN},
        },
    ),
    "laptop": (
        "A small model on the built-in corpus; 200 steps take minutes on two cores.",
        {
            "job": {"name": "laptop"},
            "roles": {"trainer": 2, "spare": 1},
            "model": {"layers": 4, "width": 256, "heads": 4, "kv_heads": 2},
            "train": {"steps": 200, "lanes": 8, "sequences": 8, "sequence_tokens": 128},
            "evaluation": {"held_out": 0.01, "every_steps": 50},
            "data": {"sources": _BUILTIN},
        },
    ),
    "moe": (
        "A small mixture of experts on the built-in corpus; 200 steps take minutes on two cores.",
        {
            "job": {"name": "moe"},
            "roles": {"trainer": 2, "spare": 1},
            "model": {
                "layers": 4,
                "width": 192,
                "heads": 4,
                "kv_heads": 2,
                "experts": 8,
                "balance_rate": 0.1,
            },
            "train": {"steps": 200, "lanes": 8, "sequences": 4, "sequence_tokens": 128},
            "evaluation": {"held_out": 0.01, "every_steps": 50},
            "data": {"sources": _BUILTIN},
        },
    ),
    "curriculum": (
        "Drills of eight families in an adaptive curriculum; minutes on two cores to a skill.",
        {
            "job": {"name": "curriculum"},
            "roles": {"trainer": 2, "spare": 1},
            "model": {"layers": 2, "width": 96, "heads": 4, "kv_heads": 4},
            "train": {
                "steps": 2000,
                "lanes": 4,
                "sequences": 4,
                "sequence_tokens": 128,
                "digest_every": 50,
            },
            "optimizer": {"learning_rate": 4e-3},
            "evaluation": {"every_steps": 200, "tokens": 8192, "problems": 320},
            "snapshot": {"every_steps": 20, "disk_every_steps": 200},
            "data": {"tokenizer": "builtin:python", "sources": _DRILLS},
            "curriculum": {"kind": "adaptive", "every_steps": 40},
        },
    ),
    "teams": (
        "Two teams of four ranks that share a model, with spares; minutes on two cores.",
        {
            "job": {"name": "teams"},
            "roles": {"trainer": 8, "spare": 2},
            "parallel": {"tensor": 2, "pipeline": 2},
            "model": {"layers": 4, "width": 128, "heads": 4, "kv_heads": 2},
            "train": {
                "steps": 40,
                "lanes": 4,
                "microbatches": 4,
                "sequences": 2,
                "sequence_tokens": 128,
            },
            "snapshot": {"every_steps": 10, "disk_every_steps": 20},
            "data": {"sources": _BUILTIN},
        },
    ),
    "gpu": (
        "One GPU, a 100 M parameter model; put your own corpus in data.sources.",
        {
            "job": {"name": "gpu"},
            "model": {"layers": 12, "width": 768, "heads": 12, "kv_heads": 4, "vocab_size": 32768},
            "train": {
                "steps": 20000,
                "lanes": 8,
                "microbatches": 4,
                "sequences": 16,
                "sequence_tokens": 1024,
                "device": "cuda",
            },
            "evaluation": {"held_out": 0.005},
            "optimizer": {
                "learning_rate": 6e-4,
                "warmup_steps": 700,
                "schedule": "wsd",
                **LARGE_STEPS,
            },
            "snapshot": {"every_steps": 50, "disk_every_steps": 500},
        },
    ),
    "node": (
        "One node with eight GPUs; a trainer each, light roles beside them.",
        {
            "job": {"name": "node"},
            "roles": {"generator": 2, "memory": 2, "trainer": 8, "replica": 1, "spare": 1},
            "model": {
                "layers": 24,
                "width": 1536,
                "heads": 16,
                "kv_heads": 4,
                "vocab_size": 32768,
                "tied_head": False,
            },
            "train": {
                "steps": 50000,
                "lanes": 32,
                "microbatches": 4,
                "sequences": 8,
                "sequence_tokens": 2048,
                "device": "cuda",
            },
            "evaluation": {"held_out": 0.005},
            "optimizer": {
                "learning_rate": 4e-4,
                "warmup_steps": 1000,
                "schedule": "wsd",
                **LARGE_STEPS,
            },
            "snapshot": {"every_steps": 50, "disk_every_steps": 500},
        },
    ),
    "cluster": (
        "8,000 ranks by shares: start it with `mpirun -n 8000 python -m qmpi.main JOB.toml`.",
        {
            "job": {"name": "cluster"},
            "roles": {
                "generator": "5%",
                "memory": "5%",
                "trainer": "50%",
                "replica": "2%",
                "spare": "2%",
            },
            "model": {
                "layers": 28,
                "width": 2560,
                "heads": 20,
                "kv_heads": 4,
                "vocab_size": 131072,
                "tied_head": False,
            },
            "train": {
                "steps": 500000,
                "lanes": 4096,
                "sequences": 1,
                "sequence_tokens": 4096,
                "device": "cuda",
            },
            "evaluation": {"held_out": 0.001},
            "optimizer": {
                "learning_rate": 3e-4,
                "warmup_steps": 2000,
                "schedule": "wsd",
                **LARGE_STEPS,
            },
            "snapshot": {"every_steps": 20, "disk_every_steps": 200},
            "failure": {"dead_seconds": 60.0, "start_seconds": 1800.0, "max_relaunches": 50},
        },
    ),
    "quintillion": (
        "10^18 tokens: the far end of the addressed stream, on the shape of `cluster`.",
        {
            "job": {"name": "quintillion"},
            "roles": {
                "generator": "5%",
                "memory": "5%",
                "trainer": "50%",
                "replica": "2%",
                "spare": "2%",
            },
            "model": {
                "layers": 28,
                "width": 2560,
                "heads": 20,
                "kv_heads": 4,
                "vocab_size": 131072,
                "tied_head": False,
            },
            "train": {
                # lanes x sequences x sequence_tokens = 2^12 x 2^3 x 2^12 = 2^27 tokens a step
                "steps": 7450580597,
                "lanes": 4096,
                "sequences": 8,
                "sequence_tokens": 4096,
                "device": "cuda",
            },
            "optimizer": {
                "learning_rate": 3e-4,
                "warmup_steps": 10000,
                "schedule": "wsd",
                **LARGE_STEPS,
            },
            "snapshot": {"every_steps": 20, "disk_every_steps": 200},
            "failure": {"dead_seconds": 60.0, "start_seconds": 1800.0, "max_relaunches": 50},
            "data": {"sources": _CONTENT},
        },
    ),
}


def preset(name: str) -> Settings:
    """Return a preset.

    Args:
        name: key of `PRESETS`.

    Returns:
        Its settings.
    """
    return msgspec.convert(PRESETS[name][1], Settings)
