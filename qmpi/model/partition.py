"""What one position of a team holds of a model, without torch.

Theory of operation. Along the tensor axis a layer is cut as Megatron-LM does (Shoeybi et al.,
arXiv 1909.08053; with the stream cut by rows between layers, Korthikanti et al., arXiv 2205.05198):
what reads the stream by outputs, so that each rank has heads and hidden features of its own; what
writes to it by inputs, so that each rank adds its share; tables by their rows, the vocabulary. What
is left, norms and routers, every rank holds whole: these are common. A rank sees some rows of the
stream or some outputs alone, so it has a share of the gradient of what is common: they add up.

Along the pipeline axis layers are dealt in runs, the chunks of a chain (see
`qmpi.policy.pipeline.actions`): the first stage has the embedding too, the last the final norm and
the head. A head that is tied to the embedding is the first stage's, and the last one borrows it.

Cuts are contiguous and along one dimension, so that the parts of a parameter laid one behind the
other are the parameter: who reads a state needs no more than `Cut`.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from qmpi.config.model import ModelSettings
from qmpi.config.parallel import ParallelSettings
from qmpi.errors import InvariantError
from qmpi.model.shape import TABLES, bias_shapes, expert_width, ffn_width, head_dim
from qmpi.model.shape import parameter_shapes as shapes_of
from qmpi.policy.pipeline.actions import Chain
from qmpi.policy.teams import AXES, Layout

READERS = ("q_proj.weight", "k_proj.weight", "v_proj.weight", "gate_proj.weight", "up_proj.weight")
"""Endings of the matrices that read the stream: cut by outputs."""

WRITERS = ("o_proj.weight", "down_proj.weight")
"""Endings of those that write to it: cut by inputs."""

LAYERS, EMBEDDING = "model.layers.", "model.embed_tokens.weight"

WHOLE = -1


@dataclass(frozen=True)
class Cut:
    """The part of a parameter that a position holds.

    Attributes:
        shape: of the whole parameter.
        dim: along which it is cut; `WHOLE`: it is not.
        start: first index along it.
        stop: index behind the last.
    """

    shape: tuple[int, ...]
    dim: int = WHOLE
    start: int = 0
    stop: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether the position holds all of it."""
        return self.dim == WHOLE

    @property
    def own(self) -> tuple[int, ...]:
        """Shape of the part."""
        if self.is_whole:
            return self.shape
        return (*self.shape[: self.dim], self.stop - self.start, *self.shape[self.dim + 1 :])

    @property
    def index(self) -> tuple[slice, ...]:
        """What picks the part out of the whole."""
        if self.is_whole:
            return ()
        return (slice(None),) * self.dim + (slice(self.start, self.stop),)


@dataclass(frozen=True)
class Partition:
    """What a position holds and computes.

    Attributes:
        model: shape of what it computes: its heads, hidden features and rows of the vocabulary; all
            layers count.
        cuts: of each parameter and each bias of experts that it holds, in model order.
        first_token: first row of the vocabulary that it holds.
        share: its place along the tensor axis.
        shares: ranks along it.
        chain: of the chunks of layers that it and the other stages hold.
        stage: its place along the pipeline axis.
        ranks: of a team.
    """

    model: ModelSettings
    cuts: dict[str, Cut]
    first_token: int
    share: int
    shares: int
    chain: Chain
    stage: int
    ranks: int

    @property
    def is_first(self) -> bool:
        """Whether the embedding is here."""
        return self._has(0)

    @property
    def is_last(self) -> bool:
        """Whether the final norm and the head are here."""
        return self._has(self.chain.places - 1)

    def _has(self, place: int) -> bool:
        return self.chain.stage(place) == self.stage

    @property
    def blocks(self) -> tuple[range, ...]:
        """Numbers of the layers of each of its chunks."""
        return tuple(
            blocks_at(self.model, self.chain, self.chain.place(self.stage, chunk))
            for chunk in range(self.chain.chunks)
        )

    @property
    def common(self) -> frozenset[str]:
        """Names of what all ranks of the tensor axis hold whole, a share of the gradient each."""
        if self.shares == 1:
            return frozenset()
        return frozenset(name for name, cut in self.cuts.items() if cut.is_whole)


def span(count: int, parts: int, number: int) -> tuple[int, int]:
    """Deal a run to parts as evenly as can be, larger parts first.

    Args:
        count: length of the run.
        parts: how many, >= 1.
        number: which of them.

    Returns:
        Its first index, and the one behind its last.
    """
    share, rest = divmod(count, parts)
    start = number * share + min(number, rest)
    return start, start + share + (number < rest)


def blocks_at(settings: ModelSettings, chain: Chain, place: int) -> range:
    """Return the layers at a place of a pipeline.

    Args:
        settings: shape of the model.
        chain: of the pipeline.
        place: in it, from the embedding on.

    Returns:
        Their numbers; those of ahead modules come with the last place.
    """
    start, stop = span(settings.layers, chain.places, place)
    return range(start, stop + settings.predict_ahead * (place == chain.places - 1))


def partition(settings: ModelSettings, layout: Layout, position: int, chunks: int = 1) -> Partition:
    """Say what a position holds.

    Args:
        settings: shape of the whole model.
        layout: shape of a team.
        position: place in it.
        chunks: of layers that each stage of a pipeline holds.

    Returns:
        Its part.

    Raises:
        InvariantError: heads or hidden features cannot be cut so.
    """
    at = dict(zip(AXES, layout.coordinates(position), strict=True))
    share, shares, stage = at["tensor"], layout.tensor, at["pipeline"]
    first, behind = span(settings.vocab_size, shares, share)
    chain = Chain(layout.pipeline, chunks, 1)
    model = settings if shares == 1 else _narrowed(settings, shares, behind - first)
    part = Partition(model, {}, first, share, shares, chain, stage, layout.size)
    numbers = {number for blocks in part.blocks for number in blocks}
    for name, shape in (shapes_of(settings) | bias_shapes(settings)).items():
        if _is_held(name, part, numbers):
            part.cuts[name] = _cut(name, shape, shares, share)
    return part


def partitions(settings: ModelSettings, parallel: ParallelSettings) -> tuple[Partition, ...]:
    """Say what each position of a team holds.

    Args:
        settings: shape of the whole model.
        parallel: how ranks share it.

    Returns:
        The parts, in order of position.
    """
    layout = Layout.of(parallel)
    positions = range(layout.size)
    return tuple(partition(settings, layout, place, parallel.chunks) for place in positions)


def _is_held(name: str, part: Partition, numbers: set[int]) -> bool:
    if name.startswith(LAYERS):
        return int(name.removeprefix(LAYERS).split(".", 1)[0]) in numbers
    return part.is_first if name == EMBEDDING else part.is_last


def _narrowed(settings: ModelSettings, shares: int, tokens: int) -> ModelSettings:
    sizes = {
        "heads": settings.heads,
        "kv_heads": settings.kv_heads,
        "ffn_width": ffn_width(settings),
        "expert_width": expert_width(settings),
    }
    for name, size in sizes.items():
        if size % shares:
            raise InvariantError(f"{name} = {size} cannot be cut in {shares} equal parts")
    own = {name: size // shares for name, size in sizes.items()}
    # Each rank has the router whole and adds to its gradient: the penalty shall count once.
    penalty = settings.router_z_loss / shares
    return replace(
        settings, vocab_size=tokens, head_dim=head_dim(settings), router_z_loss=penalty, **own
    )


def _cut(name: str, shape: tuple[int, ...], shares: int, share: int) -> Cut:
    if shares == 1:
        return Cut(shape)
    if name in TABLES or name.endswith(READERS):
        return Cut(shape, 0, *span(shape[0], shares, share))
    if name.endswith(WRITERS):
        return Cut(shape, 1, *span(shape[1], shares, share))
    return Cut(shape)
