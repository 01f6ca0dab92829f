"""What a job file may say: a frozen Struct a section, each field with meaning, unit and range.

`Doc` texts are the single source for `qmpi init` comments, for error messages and for the reference
page. Ranges that one field can state alone stand in `msgspec.Meta`; contradictions between fields
are checked in `qmpi.config.checks`.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from qmpi.config.evaluation import EvaluationSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.surroundings import HostSettings, MachineSettings

PositiveInt = Annotated[int, Meta(ge=1)]
PositiveSeconds = Annotated[float, Meta(gt=0.0)]
RoleCount = int | Annotated[str, Meta(pattern=r"^\d+(\.\d+)?%$")]
"""A number of ranks (>= 0), or a share of all ranks such as "60%"."""


class JobSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[job]: identity of the run."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=80,
            description="Name of the run; part of the run directory's name.",
        ),
    ] = "qmpi"
    seed: Annotated[
        int,
        Meta(
            ge=0,
            le=2**62,
            description=(
                "Seed of the initial weights, of the data order and of the generated text."
            ),
        ),
    ] = 0
    run_dir: Annotated[
        str,
        Meta(description="Directory of the run: status, journal, checkpoints. Empty: runs/NAME."),
    ] = ""


class RoleSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[roles]: how many ranks play each role; a number, or a share of all ranks such as "60%"."""

    coordinator: Annotated[
        RoleCount,
        Meta(description="Decides membership, placement and commits. Exactly 1 in this version."),
    ] = 1
    generator: Annotated[RoleCount, Meta(description="Write generated text as rows of tokens.")] = 1
    memory: Annotated[RoleCount, Meta(description="Read shards, assemble and serve blocks.")] = 1
    trainer: Annotated[
        RoleCount,
        Meta(
            description=(
                "Compute lanes, reduce gradients, step. Ranks that no count asks for "
                "become trainers."
            )
        ),
    ] = 1
    replica: Annotated[
        RoleCount, Meta(description="Keep verified snapshots in RAM and write them to disk.")
    ] = 1
    spare: Annotated[
        RoleCount, Meta(description="Wait with torch loaded and take a dead rank's place.")
    ] = 0


class TeamSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[team]: how many ranks share one replica of the model, axis by axis, outermost first.

    The layout is part of the run's identity; the number of teams is not.
    """

    pipeline: Annotated[
        PositiveInt, Meta(le=1024, description="Stages of layers. Exactly 1 in this version.")
    ] = 1
    context: Annotated[
        PositiveInt, Meta(le=1024, description="Parts of a sequence. Exactly 1 in this version.")
    ] = 1
    expert: Annotated[
        PositiveInt, Meta(le=1024, description="Parts of the experts. Exactly 1 in this version.")
    ] = 1
    tensor: Annotated[
        PositiveInt, Meta(le=1024, description="Parts of a matrix. Exactly 1 in this version.")
    ] = 1

    @property
    def size(self) -> int:
        """Ranks of a team."""
        return self.pipeline * self.context * self.expert * self.tensor


class ModelSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[model]: shape of the decoder-only transformer (RMSNorm, RoPE, GQA, SwiGLU)."""

    vocab_size: Annotated[
        int,
        Meta(
            ge=256,
            le=1_048_576,
            description="Rows of the embedding; at least the size of the tokenizer's vocabulary.",
        ),
    ] = 4096
    layers: Annotated[PositiveInt, Meta(le=10_000, description="Transformer blocks.")] = 4
    width: Annotated[
        PositiveInt, Meta(le=1_048_576, description="Size of the residual stream.")
    ] = 128
    heads: Annotated[
        PositiveInt,
        Meta(le=65_536, description="Query heads; must divide width, unless head_dim is given."),
    ] = 4
    kv_heads: Annotated[
        PositiveInt,
        Meta(
            le=65_536,
            description="Key and value heads (grouped-query attention); must divide heads.",
        ),
    ] = 2
    head_dim: Annotated[
        int,
        Meta(ge=0, le=65_536, description="Features of a head, even; 0: width / heads."),
    ] = 0
    ffn_width: Annotated[
        int,
        Meta(
            ge=0,
            le=4_194_304,
            description="Hidden size of SwiGLU; 0: 8/3 of width, rounded up to a multiple of 64.",
        ),
    ] = 0
    tied_head: Annotated[bool, Meta(description="Output head shares the embedding's weights.")] = (
        True
    )
    qk_norm: Annotated[bool, Meta(description="RMSNorm on queries and keys of each head.")] = True
    rope_theta: Annotated[
        float, Meta(gt=1.0, description="Base of the rotary position embedding.")
    ] = 10000.0
    norm_eps: Annotated[float, Meta(gt=0.0, description="Epsilon of RMSNorm.")] = 1e-6
    init_std: Annotated[
        float, Meta(gt=0.0, description="Standard deviation of the initial weights.")
    ] = 0.02


class InitialSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[initial]: weights to begin with, as `qmpi import` writes it. Empty: from the seed."""

    weights: Annotated[
        str,
        Meta(description="A safetensors file, or a directory with one or several and their index."),
    ] = ""
    digest: Annotated[
        str,
        Meta(
            pattern=r"^([0-9a-f]{64})?$",
            description=(
                "SHA-256 of the weights; part of the run's identity, so that the files may move."
            ),
        ),
    ] = ""


class TrainSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[train]: the batch and the arithmetic. A step has lanes x microbatches x sequences."""

    steps: Annotated[
        int, Meta(ge=1, le=10**12, description="Length of the run, in optimizer steps.")
    ] = 200
    lanes: Annotated[
        PositiveInt,
        Meta(
            le=4096,
            description=(
                "Fixed shares of the global batch; dealt to the live trainers. The "
                "result never depends on the deal."
            ),
        ),
    ] = 8
    microbatches: Annotated[
        PositiveInt,
        Meta(
            le=65_536, description="Microbatches of a lane, accumulated in fixed order in float32."
        ),
    ] = 1
    sequences: Annotated[PositiveInt, Meta(le=65_536, description="Sequences of a microbatch.")] = 4
    sequence_tokens: Annotated[
        int, Meta(ge=8, le=1_048_576, description="Tokens of a sequence.")
    ] = 128
    reduction: Annotated[
        Literal["exact", "fast"],
        Meta(
            description=(
                '"exact": integer sum, the same bits on any number of trainers. "fast": float sum.'
            )
        ),
    ] = "exact"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Meta(
            description=(
                'Compute type over float32 masters. "auto": bfloat16 where the device '
                "computes it natively."
            )
        ),
    ] = "auto"
    device: Annotated[
        Literal["auto", "cpu", "cuda"], Meta(description="Where trainers compute.")
    ] = "auto"
    threads: Annotated[
        int,
        Meta(
            ge=1,
            le=256,
            description=(
                "CPU threads of a trainer; part of the run's identity, since sums depend on it."
            ),
        ),
    ] = 1
    compile: Annotated[
        Literal["auto", "on", "off"],
        Meta(
            description=(
                'Compile the layers (needs a C++ compiler; on a GPU, Triton). "auto": where a '
                "step is large enough to pay for it, and a compiler is there."
            )
        ),
    ] = "auto"
    digest_every: Annotated[PositiveInt, Meta(description="Steps between two weight digests.")] = 10


class CorpusSource(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="corpus", tag_field="kind"
):
    """A corpus of shards, made by `qmpi ingest`."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,40}$", description="Name of the source.")]
    path: Annotated[
        str, Meta(min_length=1, description='Directory made by `qmpi ingest`, or "builtin:python".')
    ]
    weight: Annotated[
        float, Meta(gt=0.0, description="Share of the sequences, relative to the other sources.")
    ] = 1.0


class ContentSource(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="content", tag_field="kind"
):
    """Generated documents of one type, checked by machine; endless."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,40}$", description="Name of the source.")]
    type: Annotated[
        Literal[
            "technical",
            "scientific",
            "code",
            "mathematics",
            "philosophy",
            "creative",
            "conversation",
            "multilingual",
        ],
        Meta(description="Kind of text."),
    ]
    weight: Annotated[
        float, Meta(gt=0.0, description="Share of the sequences, relative to the other sources.")
    ] = 1.0
    min_level: Annotated[int, Meta(ge=1, le=100, description="Easiest level drawn.")] = 1
    max_level: Annotated[int, Meta(ge=1, le=100, description="Hardest level drawn.")] = 100
    languages: Annotated[
        tuple[Literal["en", "de", "fr", "es", "it", "pt", "ru", "tr", "ar", "hi", "ja", "zh"], ...],
        Meta(description='Main languages of type "multilingual"; empty: all. Others are English.'),
    ] = ()


Source = CorpusSource | ContentSource


class DataSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[data]: the addressed stream. These fields and the seed fix which tokens a step sees."""

    tokenizer: Annotated[
        str,
        Meta(
            description=(
                'A tokenizer.json, a corpus directory that holds one, or "builtin:content", made '
                "of generated text. Empty: that of the first corpus; without one, "
                '"builtin:content" if the model has 32,768 rows for it, else "builtin:python".'
            )
        ),
    ] = ""
    sources: Annotated[
        tuple[Source, ...], Meta(min_length=1, description="Where sequences come from.")
    ] = (
        CorpusSource(name="python", path="builtin:python", weight=3.0),
        ContentSource(name="mathematics", type="mathematics", weight=1.0),
    )
    prefetch_steps: Annotated[
        int, Meta(ge=1, le=64, description="Steps that a trainer asks for ahead.")
    ] = 3


class SnapshotSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[snapshot]: copies of the state in RAM and on disk."""

    every_steps: Annotated[PositiveInt, Meta(description="Steps between two snapshots in RAM.")] = (
        10
    )
    disk_every_steps: Annotated[
        PositiveInt,
        Meta(description="Steps between two checkpoints on disk; the last step always gets one."),
    ] = 50
    keep: Annotated[
        PositiveInt, Meta(description="Snapshots kept in RAM, and checkpoints kept on disk.")
    ] = 2
    ram_dir: Annotated[
        str,
        Meta(
            min_length=1, description="Node-local RAM file system; its files outlive the processes."
        ),
    ] = "/dev/shm"


class FailureSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[failure]: detection of silent ranks, and relaunches of the whole job."""

    heartbeat_seconds: Annotated[
        PositiveSeconds, Meta(description="Time between two signs of life of a rank.")
    ] = 1.0
    dead_seconds: Annotated[
        PositiveSeconds,
        Meta(description="Silence after which a rank is fenced (killed) and counted as dead."),
    ] = 30.0
    max_relaunches: Annotated[
        int,
        Meta(ge=0, description="Relaunches of the whole MPI job within relaunch_window_seconds."),
    ] = 10
    relaunch_window_seconds: Annotated[
        PositiveSeconds, Meta(description="Window over which relaunches are counted.")
    ] = 3600.0
    start_seconds: Annotated[
        PositiveSeconds,
        Meta(description="Time within which all ranks must have reported at start."),
    ] = 300.0


class MonitorSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[monitor]: what the coordinator writes for people and scripts."""

    status_seconds: Annotated[
        PositiveSeconds, Meta(description="Time between two writes of status.json.")
    ] = 1.0


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole job file."""

    job: JobSettings = JobSettings()
    roles: RoleSettings = RoleSettings()
    team: TeamSettings = TeamSettings()
    model: ModelSettings = ModelSettings()
    initial: InitialSettings = InitialSettings()
    train: TrainSettings = TrainSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    data: DataSettings = DataSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    snapshot: SnapshotSettings = SnapshotSettings()
    failure: FailureSettings = FailureSettings()
    monitor: MonitorSettings = MonitorSettings()
    hosts: HostSettings = HostSettings()
    machine: MachineSettings = MachineSettings()
