"""How a job lies on nodes: ranks a node, what they do there, what a trainer computes on.

Theory of operation. What is scarce on a node is what trainers compute on: its GPUs, or its cores.
A node has room for one trainer a GPU; without GPUs, for one a `train.threads` cores that generators
and memory ranks leave. A spare needs the same room, for it becomes a trainer. Coordinator, replicas
and heralds mostly sleep and cost no room.

The roles of ranks are dealt by `policy.placement`, which looks at the job as a whole. So the number
of ranks is found by trying: the largest that puts on no node more than it has room for. Since ranks
that no count asks for become trainers, up to one a lane, this fills the machine. Ranks beyond that
would be spares that nobody asked for, and are not started.

A job that asks by numbers for more than the nodes hold is refused, with the number of nodes that
would do. On cores it is only told: ranks that share a core are slow, not wrong.
"""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from qmpi.config.machine import Machine
from qmpi.config.settings import RoleSettings, Settings
from qmpi.errors import ConfigError
from qmpi.policy.placement import Placement, place
from qmpi.protocol.envelope import RoleName

STATE_BYTES = {"adamw": 16, "adamw8": 10, "muon": 12}
"""Of a parameter on a trainer at least: float32 weight, gradient, and two moments or one."""

WITHOUT_MOMENTS = 8
"""Where many teams share the moments out."""

NARROW_BYTES = 2
"""Less, where weights are in bfloat16."""

GIB = 1 << 30

TRIES = 32
"""Numbers of nodes that are tried before one is named."""

MOST_RANKS = 65_536
"""Of a node."""

WORKING = (RoleName.GENERATOR, RoleName.MEMORY)
SEATED = (RoleName.TRAINER, RoleName.SPARE)


class Wanted(Struct, frozen=True):
    """What is asked for beside the job.

    Attributes:
        nodes: nodes of the allocation, >= 1.
        ranks_per_host: ranks a node; None: found from the node's shape.
        ranks: ranks in all; None: as many as have work.
        parameters: that a trainer holds at most: of the model, or of a position of a team.
    """

    nodes: int
    ranks_per_host: int | None
    ranks: int | None
    parameters: int


class Layout(Struct, frozen=True):
    """A job on nodes.

    Attributes:
        nodes: nodes of the allocation.
        ranks_per_host: ranks that a node takes at most.
        ranks: ranks in all.
        cores: of a node.
        gpus: of a node that the job uses; 0: trainers compute on cores.
        threads: CPU threads of a trainer.
        words: what lies where, and what is worth knowing, a sentence each.
    """

    nodes: int
    ranks_per_host: int
    ranks: int
    cores: int
    gpus: int
    threads: int
    words: tuple[str, ...]


class _Node(Struct, frozen=True):
    """What a node offers trainers."""

    gpus: int
    cores: int
    threads: int

    @property
    def seats(self) -> int:
        return self.gpus or max(1, self.cores // self.threads)

    def holds(self, roles: Counter[RoleName]) -> bool:
        seated, working = _seated(roles), sum(roles[role] for role in WORKING)
        if self.gpus:
            return seated <= self.gpus
        return seated * self.threads + working <= self.cores


def lay_out(settings: Settings, machine: Machine, wanted: Wanted) -> Layout:
    """Decide how many ranks a node gets; O(ranks log nodes), a few times.

    Args:
        settings: the job.
        machine: shape of its nodes.
        wanted: nodes, and what else is given.

    Returns:
        The layout.

    Raises:
        ConfigError: the job cannot run on such nodes, or not on so few or so many.
    """
    node = _node(settings, machine)
    _check_memory(settings, wanted.parameters, node, machine)
    if wanted.ranks_per_host is None and wanted.ranks is None:
        per_host, ranks = _found(settings, node, wanted.nodes)
    else:
        per_host, ranks = _given(wanted)
    placement = _place(settings, wanted.nodes, ranks)
    dealt = _by_host(placement, _hosts(wanted.nodes, ranks))
    return Layout(
        nodes=wanted.nodes,
        ranks_per_host=per_host,
        ranks=ranks,
        cores=node.cores,
        gpus=node.gpus,
        threads=node.threads,
        words=_words(placement, dealt, node, settings),
    )


def ranks_on(settings: Settings, machine: Machine, wanted: Wanted) -> int:
    """Return the ranks that nodes have room for, whatever they share; O(ranks log nodes).

    Args:
        settings: the job, as if each trainer held the whole model.
        machine: shape of its nodes.
        wanted: nodes, and what else is given.

    Returns:
        Ranks in all, of which some may have no work.

    Raises:
        ConfigError: the job cannot run on such nodes, or not on so few or so many.
    """
    node = _node(settings, machine)
    if wanted.ranks_per_host is None and wanted.ranks is None:
        return max(_asked(settings.roles), _fitting(settings, node, wanted.nodes))
    return _given(wanted)[1]


def _node(settings: Settings, machine: Machine) -> _Node:
    shape, device = machine.node, settings.train.device
    if device == "cuda" and not shape.gpus:
        raise ConfigError(
            'the job computes on GPUs (train.device = "cuda"), and the nodes have none: name '
            "another --machine, or --set train.device=cpu"
        )
    gpus = 0 if device == "cpu" else shape.gpus
    if not gpus and settings.train.threads > shape.cores:
        raise ConfigError(
            f"a trainer computes on {settings.train.threads} threads (train.threads), and a node "
            f"has {shape.cores} cores"
        )
    return _Node(gpus, shape.cores, settings.train.threads)


def _check_memory(settings: Settings, parameters: int, node: _Node, machine: Machine) -> None:
    # The least that a trainer can do with; `qmpi plan` says what it takes in all.
    where, size = "a GPU", machine.gpu.memory_gib
    if not node.gpus:
        where, size = "a node", machine.node.memory_gib
    narrow = NARROW_BYTES if settings.train.masters == "bfloat16" else 0
    least = STATE_BYTES[settings.optimizer.kind]
    if settings.parallel.shares_moments:
        least = WITHOUT_MOMENTS
    state = (least - narrow) * parameters / GIB
    if size and state > size:
        raise ConfigError(
            f"the state of {parameters:,} parameters is {state:,.1f} GiB a trainer, and {where} "
            f"has {size:,.1f} GiB: a smaller model, or another --machine"
        )


def _given(wanted: Wanted) -> tuple[int, int]:
    per_host, ranks = wanted.ranks_per_host, wanted.ranks
    if per_host is None:
        per_host = -(-(ranks or 1) // wanted.nodes)
    ranks = wanted.nodes * per_host if ranks is None else ranks
    if per_host > MOST_RANKS:
        raise ConfigError(
            f"{ranks:,} ranks on {_count(wanted.nodes, 'node')} are {per_host:,} each, and a node "
            f"takes {MOST_RANKS:,} at most: more --nodes, or fewer ranks"
        )
    if not wanted.nodes <= ranks <= wanted.nodes * per_host:
        raise ConfigError(
            f"{_count(ranks, 'rank')} do not lie on {_count(wanted.nodes, 'node')} with {per_host} "
            f"each: give from {wanted.nodes} to {wanted.nodes * per_host}"
        )
    return per_host, ranks


def _found(settings: Settings, node: _Node, nodes: int) -> tuple[int, int]:
    least = _asked(settings.roles)
    ranks = _fitting(settings, node, nodes)
    if ranks < least:
        if node.gpus:
            raise ConfigError(_too_few(settings, node, nodes))
        ranks = least
    useful = _useful(settings, nodes, ranks)
    # Fewer ranks lie otherwise, now and then too many on one node.
    while useful > max(nodes, least) and not _fits(settings, node, nodes, useful):
        useful -= 1
    return -(-useful // nodes), useful


def _fitting(settings: Settings, node: _Node, nodes: int) -> int:
    """Return the most ranks with which no node holds more than it has room for, by halving."""
    fits, beyond = nodes, nodes * _most(settings.roles, node, nodes) + 1
    while beyond - fits > 1:
        ranks = (fits + beyond) // 2
        if _fits(settings, node, nodes, ranks):
            fits = ranks
        else:
            beyond = ranks
    return fits


def _useful(settings: Settings, nodes: int, ranks: int) -> int:
    """Return the ranks without spares that nobody asked for; these come with more seats than lanes.

    Raises:
        ConfigError: there are more nodes than ranks.
    """
    useful, team = ranks, settings.parallel.team_size
    # With shares fewer ranks ask for fewer spares in turn.
    for _ in range(TRIES):
        spares = sum(RoleName.SPARE in hosted for hosted in _place(settings, nodes, useful).roles)
        surplus = max(0, spares - _spares(settings.roles, useful))
        if useful - surplus < nodes:
            raise ConfigError(
                f"{_count(nodes, 'node')} are more than the job has work for: with "
                f"{_count(settings.train.lanes, 'lane')} it has {_count(useful - surplus, 'rank')};"
                f" take --nodes {useful - surplus} or fewer"
            )
        if surplus < team:
            break
        useful -= surplus - surplus % team
    return useful


def _spares(roles: RoleSettings, ranks: int) -> int:
    asked = roles.spare
    return asked if isinstance(asked, int) else round(float(asked.removesuffix("%")) * ranks / 100)


def _too_few(settings: Settings, node: _Node, nodes: int) -> str:
    roles = settings.roles
    seats = sum(count for count in (roles.trainer, roles.spare) if isinstance(count, int))
    # Light roles do not always lie where a seat is free, so a node or two more may be needed.
    first = max(nodes + 1, -(-seats // node.gpus))
    needed = first
    while needed < first + TRIES and not _fits(settings, node, needed, _asked(roles)):
        needed += 1
    return (
        f"the job asks for {_wanted(roles.trainer, 'trainer')} and "
        f"{_wanted(roles.spare, 'spare')}, each with a GPU, and "
        f"{_count(nodes, 'node')} with {node.gpus} each have too few: take --nodes {needed}, or "
        "ask for less"
    )


def _wanted(count: int | str, role: str) -> str:
    return _count(count, role) if isinstance(count, int) else f"{count} of the ranks as {role}s"


def _asked(roles: RoleSettings) -> int:
    """Return the ranks that a job asks for by numbers; 0 if by shares, which fit any number."""
    counts = [roles.coordinator, roles.generator, roles.memory, roles.trainer]
    counts += [roles.replica, roles.spare]
    numbers = [count for count in counts if isinstance(count, int)]
    return sum(numbers) if len(numbers) == len(counts) else 0


def _most(roles: RoleSettings, node: _Node, nodes: int) -> int:
    """Return a number of ranks a node that is surely no less than what fits."""
    light = [roles.coordinator, roles.generator, roles.memory, roles.replica]
    numbers = sum(max(1, count) for count in light if isinstance(count, int))
    shares = sum(float(count.removesuffix("%")) for count in light if isinstance(count, str))
    # The seats are what light roles leave; a job with hardly any trainers is no machine's measure.
    full = (node.seats + numbers / nodes) / (1.0 - min(75.0, shares) / 100.0)
    return int(full) + 2


def _fits(settings: Settings, node: _Node, nodes: int, ranks: int) -> bool:
    dealt = _by_host(_place(settings, nodes, ranks), _hosts(nodes, ranks))
    return all(map(node.holds, dealt))


def _place(settings: Settings, nodes: int, ranks: int) -> Placement:
    hosts = _hosts(nodes, ranks)
    return place(hosts, settings.roles, settings.train.lanes, settings.parallel.team_size)


def _hosts(nodes: int, ranks: int) -> list[str]:
    """Return the node of each rank: as even as can be, one node after the other."""
    each, more = divmod(ranks, nodes)
    return [str(node) for node in range(nodes) for _ in range(each + (node < more))]


def _by_host(placement: Placement, hosts: Sequence[str]) -> list[Counter[RoleName]]:
    found: dict[str, Counter[RoleName]] = {}
    for host, roles in zip(hosts, placement.roles, strict=True):
        found.setdefault(host, Counter()).update(roles)
    return list(found.values())


def _seated(roles: Counter[RoleName]) -> int:
    return sum(roles[role] for role in SEATED)


def _words(
    placement: Placement, dealt: Sequence[Counter[RoleName]], node: _Node, settings: Settings
) -> tuple[str, ...]:
    ranges = [
        _range([roles[role] for roles in dealt], role)
        for role in RoleName
        if any(roles[role] for roles in dealt)
    ]
    words = [placement.reason, f"on a node: {', '.join(ranges)}"]
    if node.gpus:
        words.append(f"a trainer or spare has a GPU of its own, of {node.gpus} on a node")
        words += _idle(dealt, node, settings)
    else:
        words.append(f"a trainer computes on {node.threads} of {node.cores} cores")
    over = sum(not node.holds(roles) for roles in dealt)
    if over:
        what = "GPUs" if node.gpus else "cores"
        words.append(f"{over} of {_count(len(dealt), 'node')}: more busy ranks than {what}, slower")
    return tuple(words)


def _idle(dealt: Sequence[Counter[RoleName]], node: _Node, settings: Settings) -> list[str]:
    idle = sum(max(0, node.gpus - _seated(roles)) for roles in dealt)
    lanes = settings.train.lanes
    trainers = sum(roles[RoleName.TRAINER] for roles in dealt)
    full = (
        f"; there are {_count(lanes, 'lane')}, one trainer each at most"
        if trainers >= lanes
        else ""
    )
    return [f"{idle} of {len(dealt) * node.gpus} GPUs have nothing to do{full}"] if idle else []


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _range(counts: Sequence[int], role: RoleName) -> str:
    low, high = min(counts), max(counts)
    plural = "memories" if role is RoleName.MEMORY else f"{role}s"
    noun = role if high == 1 else plural
    return f"{low} {noun}" if low == high else f"{low} to {high} {noun}"
