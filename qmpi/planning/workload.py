"""A job as the planner sees it: shape, batch, ranks of each kind, machine.

Theory of operation. Roles are dealt by `qmpi.policy.placement`, beside this package, so the caller
passes their counts. `Speeds` is where a trainer computes: measured in place for the cores of this
machine, or taken from a machine file for its GPUs.
"""

from math import ceil

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.compression_checks import kept_bytes
from qmpi.config.machine import Machine
from qmpi.config.settings import Settings
from qmpi.planning.rates import GIGA, Links, Rates, links
from qmpi.planning.shape import (
    Shape,
    expert_elements,
    head_matrix,
    layer_matrices,
    parameters,
    shape_of,
)

HASH_BYTES = 1.2e9
"""SHA-256 of a state by one thread, bytes a second, where it was not measured."""

HOST_LINK_BYTES = 25e9
"""Between GPU and host memory, bytes a second: PCIe 4 x16, which a copy attains."""

MOMENT_BLOCK = 256
"""Elements that share the scale of their moments in eight bits."""

CORE_ATTENTION = 0.3
"""Attention's rate on a core as a share of the products', as measured in place on one machine."""

CORE_SWEEP_BYTES = 1.4e10
"""What a layer does beside its products on a core, bytes a second, likewise."""

CORE_CACHE_BYTES = 3e10
"""Kernels on blocks that stay in a core's cache, likewise."""

CORE_CALL_SECONDS = 5e-6
"""A kernel that has nothing to do, likewise."""

GLOO_BYTES = 1.5e9
"""What one rank's gloo sums and sends a second over TCP (docs/plan.md: measured over loopback)."""


class Speeds(Struct, frozen=True, kw_only=True):
    """Where one trainer computes.

    Attributes:
        products: matrix products, FLOP/s.
        attention: fused attention, FLOP/s.
        sweeps: bytes a second through memory, in layers and in the update.
        in_cache: likewise in the loss and in the exact sum, which work block by block.
        hashing: SHA-256, bytes a second.
        reduce: all-reduce over the network, bytes of the buffer's ring traffic a second.
        peak: what utilisation is a share of, FLOP/s.
        half: products are in bfloat16.
        call: seconds that a kernel costs whatever its size; 0: hidden, as on a GPU.
    """

    products: float
    attention: float
    sweeps: float
    in_cache: float
    peak: float
    half: bool
    call: float = 0.0
    hashing: float = HASH_BYTES
    reduce: float = GLOO_BYTES


class Counts(Struct, frozen=True, kw_only=True):
    """Ranks of each role.

    Attributes:
        ranks: of the job.
        trainers: that train.
        spares: that wait with torch loaded, as GPUs do that have no lane.
        generators: that write text.
        memories: that serve blocks.
        replicas: that keep copies.
    """

    ranks: int
    trainers: int
    spares: int = 0
    generators: int = 1
    memories: int = 1
    replicas: int = 1


class Workload(Struct, frozen=True, kw_only=True):
    """A job on a machine.

    Attributes:
        settings: the job.
        shape: of its model; of a job as a position sees it (`qmpi.planning.position`), of what that
            holds.
        counts: of its ranks.
        machine: where it runs; `speeds` None: nothing is known of its speed.
        steps: to train.
        most_nodes: that there are; 0: as many as it takes.
        uncut: shape of the layers of a position as they were before the tensor axis cut them; None:
            it does not.
        kept_microbatches: whose activations are there at once.
    """

    settings: Settings
    shape: Shape
    counts: Counts
    machine: Machine
    speeds: Speeds | None
    steps: int
    most_nodes: int = 0
    uncut: Shape | None = None
    kept_microbatches: float = 1.0

    @property
    def teams(self) -> int:
        """Replicas of the model."""
        return max(1, self.counts.trainers // self.settings.parallel.team_size)

    @property
    def team_lanes(self) -> int:
        """Lanes of the team that has the most."""
        return ceil(self.settings.train.lanes / self.teams)

    @property
    def team_microbatches(self) -> int:
        """Microbatches that pass a team in a step."""
        return self.team_lanes * self.settings.train.microbatches

    @property
    def rows(self) -> int:
        """Tokens of a microbatch that one rank computes with."""
        train, parallel = self.settings.train, self.settings.parallel
        return train.sequences * train.sequence_tokens // (parallel.context * parallel.expert)

    @property
    def parameters(self) -> int:
        """Trained parameters."""
        return parameters(self.shape)

    @property
    def shared_axis(self) -> str:
        """Axis along which ranks of a team share out what they compute with; "": they do not."""
        parallel = self.settings.parallel
        if parallel.shard != "full":
            return ""
        return "context" if parallel.context > 1 else "expert"

    @property
    def holders(self) -> int:
        """Ranks that share it out; 1: each holds all that it computes with."""
        return getattr(self.settings.parallel, self.shared_axis) if self.shared_axis else 1

    @property
    def lent(self) -> int:
        """Parameters that they share out, of those that each computes with."""
        if not self.shared_axis:
            return 0
        own = expert_elements(self.shape) if self.shared_axis == "expert" else 0
        return self.parameters - own

    @property
    def held(self) -> int:
        """Parameters whose weights, sums and moments a trainer holds; of those ranks the mean."""
        return self.parameters - self.lent + ceil(self.lent / self.holders)

    @property
    def state_bytes(self) -> int:
        """Bytes of weights and moments, of which Muon keeps one where it works."""
        kind, count = self.settings.optimizer.kind, self.held
        if kind == "adamw8":
            # Norms, whose moments stay in float32, are a thousandth of all.
            return self.weight_bytes + 2 * count + 8 * count // MOMENT_BLOCK
        muon = kind == "muon"
        spared = self.shape.layers * layer_matrices(self.shape, active=False) * muon
        return self.weight_bytes + 4 * (2 * count - round(spared * count / self.parameters))

    @property
    def kept_bytes(self) -> int:
        """Bytes that a lane keeps between steps."""
        return kept_bytes(self.settings.train, self.parameters)

    @property
    def copy_bytes(self) -> int:
        """Bytes of a snapshot: of the state, and of what all lanes keep."""
        return self.state_bytes + self.settings.train.lanes * self.kept_bytes

    @property
    def moment_bytes(self) -> int:
        """Bytes of the moments that a trainer holds: two portions where teams share them out."""
        whole, parallel = self.state_bytes - self.weight_bytes, self.settings.parallel
        teams = self.counts.trainers // parallel.team_size
        return whole * 2 // teams if parallel.shares_moments and teams > 2 else whole

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights in the state."""
        return (2 if self.settings.train.masters == "bfloat16" else 4) * self.held

    @property
    def lane_tokens(self) -> int:
        """Tokens of a lane."""
        train = self.settings.train
        return train.microbatches * train.sequences * train.sequence_tokens

    @property
    def step_tokens(self) -> int:
        """Tokens of a step."""
        return self.lane_tokens * self.settings.train.lanes

    @property
    def tokens(self) -> int:
        """Tokens of the run."""
        return self.step_tokens * self.steps

    @property
    def on_gpus(self) -> bool:
        """Whether trainers compute on GPUs."""
        return self.settings.train.device != "cpu" and self.machine.node.gpus > 0

    @property
    def nodes(self) -> int:
        """Nodes that the job fills: a GPU or its threads' cores for each trainer.

        A few spares sit beside trainers; as many as fill nodes have nodes of their own.
        """
        counts, places = self.counts, self.places
        wanted = ceil(counts.trainers / places) + counts.spares // places
        return min(wanted, self.most_nodes or wanted)

    @property
    def places(self) -> int:
        """Trainers that a node has room for."""
        node = self.machine.node
        return node.gpus if self.on_gpus else max(1, node.cores // self.settings.train.threads)

    @property
    def node_days(self) -> float:
        """Mean days between two losses of a node; 0: not known."""
        return self.settings.machine.node_days or self.machine.failures.node_days


def workload(
    settings: Settings, counts: Counts, machine: Machine, speeds: Speeds | None, tokens: int | None
) -> Workload:
    """Describe a job on a machine.

    Args:
        settings: the job.
        counts: of its ranks.
        machine: where it runs.
        speeds: of the cores of this one machine, measured in place; None: those of the machine
            file's GPUs, if it has any, on as many nodes as it takes.
        tokens: to train on; None: as the job says.

    Returns:
        The workload; a last step that is not full counts whole.
    """
    plain = Workload(
        settings=settings,
        shape=shape_of(settings.model),
        counts=counts,
        machine=machine,
        speeds=speeds,
        steps=settings.train.steps,
        most_nodes=0 if speeds is None else 1,
    )
    steps = plain.steps if tokens is None else max(1, ceil(tokens / plain.step_tokens))
    known = speeds if speeds is not None else gpu_speeds(plain) or core_speeds(plain)
    return replace(plain, speeds=known, steps=steps)


def gpu_speeds(job: Workload) -> Speeds | None:
    """Return the speeds of a trainer on a machine file's GPU.

    Args:
        job: its machine and the number of trainers that share a node's adapters.

    Returns:
        None if the job computes on cores, or the file does not say how fast the GPU is.
    """
    machine = job.machine
    if not job.on_gpus or not (machine.gpu.bf16_tflops and machine.gpu.memory_gbytes):
        return None
    at, half = links(machine, Rates()), job.settings.train.precision != "float32"
    # float32 products run in TF32 at half the rate of bfloat16.
    slower = 1.0 if half else 0.5
    across = at.across or GLOO_BYTES
    return Speeds(
        products=_in_float8(job, at) if at.fp8 and _is_float8(job) else at.products * slower,
        attention=at.attention * slower,
        sweeps=at.memory,
        in_cache=at.memory,
        peak=at.peak * slower,
        half=half,
        reduce=min(GLOO_BYTES, across) if job.teams > 1 else GIGA,
    )


def _is_float8(job: Workload) -> bool:
    return job.settings.train.precision == "float8"


def _in_float8(job: Workload, at: Links) -> float:
    """Return the rate of all products where those of layers are in float8; the head's are not."""
    layers = job.shape.layers * layer_matrices(job.shape, active=True)
    head = head_matrix(job.shape)
    return (layers + head) / (layers / at.fp8 + head / at.products)


def core_speeds(job: Workload) -> Speeds | None:
    """Return the speeds of a trainer on cores of a machine file.

    Args:
        job: its machine and its threads.

    Returns:
        None if the job computes on GPUs, or the file does not say how fast a core is.
    """
    train, each = job.settings.train, job.machine.node.core_gflops
    if job.on_gpus or train.device == "cuda" or not each:
        return None
    products = Rates().matmul * each * train.threads * GIGA
    return Speeds(
        products=products,
        attention=CORE_ATTENTION * products,
        sweeps=CORE_SWEEP_BYTES * train.threads,
        in_cache=CORE_CACHE_BYTES * train.threads,
        peak=each * train.threads * GIGA,
        half=train.precision != "float32",
        call=CORE_CALL_SECONDS,
    )


def speeds_of_cores(measured: tuple[float, float, float, float, float, float, bool]) -> Speeds:
    """Return the speeds of a trainer on cores that were measured.

    Args:
        measured: FLOP/s of products and of attention, bytes/s of sweeps, of those in cache and of
            SHA-256, seconds of a kernel that has nothing to do, and whether products are in
            bfloat16.

    Returns:
        Speeds; utilisation is a share of the rate of the products.
    """
    products, attention, sweeps, in_cache, hashing, call, half = measured
    return Speeds(
        products=products,
        attention=attention,
        sweeps=sweeps,
        in_cache=in_cache,
        peak=products,
        half=half,
        hashing=hashing,
        call=call,
    )
