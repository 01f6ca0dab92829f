"""What one position of a team holds of a model, without torch.

Theory of operation. Along the tensor axis a layer is cut as Megatron-LM does (Shoeybi et al.,
arXiv 1909.08053; with the stream cut by rows between layers, Korthikanti et al., arXiv 2205.05198):
what reads the stream by outputs, so that each rank has heads and hidden features of its own; what
writes to it by inputs, so that each rank adds its share; tables by their rows, the vocabulary. What
is left, norms and routers, every rank holds whole: these are common. A rank sees some rows of the
stream or some outputs alone, so it has a share of the gradient of what is common: they add up.
Along the context axis ranks see other tokens of the same sequences, with the same weights: there
everything is common.

Along the expert axis each rank has a run of the experts of each layer, and sees the tokens that go
to them; of all else it sees some sequences alone: all else is common there.

Along the pipeline axis layers are dealt in runs, the chunks of a chain (see
`qmpi.protocol.pipeline.actions`): the first stage has the embedding too, the last the final norm
and the head. A head that is tied to the embedding is the first stage's; the last one borrows it.

With `parallel.shard = "full"` what is common along the context axis, or else the expert axis, is
computed with by all its ranks, and held by one: whole parameters are shared out (see `ownership`).
Its rank then has the whole gradient, so along this axis nothing is common.

Cuts are contiguous and along one dimension, so that the parts of a parameter laid one behind the
other are the parameter: who reads a state needs no more than `Cut`.
"""

from dataclasses import dataclass, field
from dataclasses import replace as but_with

from msgspec.structs import replace

from qmpi.config.model import ModelSettings
from qmpi.config.parallel import ParallelSettings
from qmpi.errors import InvariantError
from qmpi.model.ownership import owners_of
from qmpi.model.shape import BIAS, TABLES, bias_shapes, expert_width, ffn_width, head_dim
from qmpi.model.shape import parameter_shapes as shapes_of
from qmpi.protocol.pipeline.actions import Chain
from qmpi.protocol.teams import AXES, Layout

READERS = ("q_proj.weight", "k_proj.weight", "v_proj.weight", "gate_proj.weight", "up_proj.weight")
"""Endings of the matrices that read the stream: cut by outputs."""

HEAD_NORMS = ("self_attn.q_norm.weight", "self_attn.k_norm.weight")
"""Endings of the norms of queries and keys."""

WRITERS = ("o_proj.weight", "down_proj.weight")
"""Endings of those that write to it: cut by inputs."""

EXPERTS = ".mlp.experts."
"""What stands between the name of a layer and the number of an expert."""

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
class CommonAlong:
    """What the ranks of an axis hold alike, a share of the gradient each.

    Attributes:
        axis: which; the name of its lines.
        place: of the position along it.
        ranks: along it.
        names: of the parameters.
        tells: each tells a share of what a lane tells beside its gradient, too: its own tokens'.
    """

    axis: str
    place: int
    ranks: int
    names: frozenset[str]
    tells: bool


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
        context: its place along the context axis.
        contexts: ranks along it.
        chain: of the chunks of layers that it and the other stages hold.
        stage: its place along the pipeline axis.
        ranks: of a team.
        expert: its place along the expert axis.
        experts: ranks along it.
        computed: cuts of each parameter that it computes with; those that it holds and, where ranks
            share out what is common, those that others hold.
        shard: axis along which they do; "": each holds what it computes with.
        owners: place along that axis of who holds each parameter that is shared out.
    """

    model: ModelSettings
    cuts: dict[str, Cut]
    first_token: int
    share: int
    shares: int
    context: int
    contexts: int
    chain: Chain
    stage: int
    ranks: int
    expert: int = 0
    experts: int = 1
    computed: dict[str, Cut] = field(default_factory=dict[str, Cut])
    shard: str = ""
    owners: dict[str, int] = field(default_factory=dict[str, int])

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
    def common(self) -> dict[str, frozenset[str]]:
        """Names of what all ranks of an axis hold, a share of the gradient each, by axis."""
        found = dict[str, frozenset[str]]()
        if self.contexts > 1:
            found["context"] = frozenset(self.cuts)
        if self.shares > 1:
            found["tensor"] = frozenset(name for name, cut in self.cuts.items() if cut.is_whole)
        if self.experts > 1:
            found["expert"] = frozenset(name for name in self.cuts if EXPERTS not in name)
        found.pop(self.shard, None)
        return found

    @property
    def places(self) -> dict[str, int]:
        """Its place along each axis whose ranks may hold something alike."""
        return {"context": self.context, "tensor": self.share, "expert": self.expert}

    @property
    def holders(self) -> int:
        """Ranks that share out what they compute with; 1: each holds it."""
        return {"": 1, "context": self.contexts, "expert": self.experts}[self.shard]

    @property
    def contributions(self) -> int:
        """Shares of a lane's gradient that are added up where most are."""
        return self.shares * self.experts * self.contexts

    @property
    def left(self) -> frozenset[str]:
        """Names of what another rank has too, and counts where it shall count once."""
        behind = (names for axis, names in self.common.items() if self.places[axis])
        return frozenset().union(*behind)


def held_shapes(
    settings: ModelSettings, parallel: ParallelSettings
) -> tuple[dict[str, tuple[int, ...]], ...]:
    """Return the shape of what each position holds of every parameter.

    Args:
        settings: shape of the whole model.
        parallel: how ranks share it.

    Returns:
        Shapes by name, without biases of experts, in order of position.
    """
    return tuple(
        {name: cut.own for name, cut in part.cuts.items() if not name.endswith(BIAS)}
        for part in partitions(settings, parallel)
    )


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
    context, contexts = at["context"], layout.context
    # Each rank has the router whole and adds to its gradient: the penalty shall count once.
    penalty = settings.router_z_loss / (shares * contexts)
    model = settings if shares == 1 else _narrowed(settings, shares, behind - first)
    cuts = dict[str, Cut]()
    part = Partition(
        model=replace(model, router_z_loss=penalty),
        cuts=cuts,
        first_token=first,
        share=share,
        shares=shares,
        context=context,
        contexts=contexts,
        chain=chain,
        stage=stage,
        ranks=layout.size,
        expert=at["expert"],
        experts=layout.expert,
        computed=cuts,
    )
    numbers = {number for blocks in part.blocks for number in blocks}
    # A norm over all heads has features of each, as the matrix before it has rows.
    readers = READERS + HEAD_NORMS * (settings.qk_norm_over == "projection")
    for name, shape in (shapes_of(settings) | bias_shapes(settings)).items():
        if _is_held(name, part, numbers):
            cuts[name] = _cut(name, shape, shares, share, readers)
    return part


def partitions(settings: ModelSettings, parallel: ParallelSettings) -> tuple[Partition, ...]:
    """Say what each position of a team holds.

    Args:
        settings: shape of the whole model.
        parallel: how ranks share it.

    Returns:
        The parts, in order of position.
    """
    positions = range(parallel.team_size)
    return tuple(part_at(settings, parallel, position) for position in positions)


def part_at(settings: ModelSettings, parallel: ParallelSettings, position: int) -> Partition:
    """Say what one position holds.

    Args:
        settings: shape of the whole model.
        parallel: how ranks share it.
        position: place in the team.

    Returns:
        Its part.

    Raises:
        InvariantError: heads or hidden features cannot be cut so, or nothing can be shared out.
    """
    part = partition(settings, Layout.of(parallel), position, parallel.chunks)
    return shared_out(part) if parallel.shard == "full" else part


def shared_out(part: Partition) -> Partition:
    """Return what a position holds if ranks share out what they compute with alike.

    Args:
        part: what it holds otherwise.

    Raises:
        InvariantError: no ranks see other tokens with the same weights.
    """
    axis = "context" if part.contexts > 1 else "expert"
    if axis not in part.common:
        raise InvariantError("nothing is common along the axes of context and experts")
    names = part.common[axis]
    shapes = {name: cut.shape for name, cut in part.cuts.items() if name in names}
    held_apart = [name for name in shapes if EXPERTS in name]
    ranks, place = {"context": part.contexts, "expert": part.experts}[axis], part.places[axis]
    owners = owners_of(shapes, ranks, held_apart)
    own = {name: cut for name, cut in part.cuts.items() if owners.get(name, place) == place}
    return but_with(part, cuts=own, shard=axis, owners=owners)


def _is_held(name: str, part: Partition, numbers: set[int]) -> bool:
    if EXPERTS in name:
        expert = int(name.partition(EXPERTS)[2].split(".", 1)[0])
        if expert not in range(*span(part.model.experts, part.experts, part.expert)):
            return False
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
    # Widths of what the model has not are derived from others, and need not divide.
    idle = {"expert_width"} if not settings.experts else set[str]()
    if settings.experts and not settings.dense_layers:
        idle = {"ffn_width"}
    for name, size in sizes.items():
        if size % shares and name not in idle:
            raise InvariantError(f"{name} = {size} cannot be cut in {shares} equal parts")
    own = {name: size // shares for name, size in sizes.items()}
    return replace(settings, vocab_size=tokens, head_dim=head_dim(settings), **own)


def _cut(
    name: str, shape: tuple[int, ...], shares: int, share: int, readers: tuple[str, ...]
) -> Cut:
    if shares == 1:
        return Cut(shape)
    if name in TABLES or name.endswith(readers):
        return Cut(shape, 0, *span(shape[0], shares, share))
    if name.endswith(WRITERS):
        return Cut(shape, 1, *span(shape[1], shares, share))
    return Cut(shape)
