"""All that a rank computes with at one position of a team: its part of the state and of the layers.

Theory of operation. A position's part of a model is itself a model, of fewer heads, hidden features
and tokens, so everything is laid out and computed by that narrower shape; what joins the parts is
in `parallel`. A rank that moves to a position whose part is another one builds a station anew.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from msgspec.structs import replace

from qmpi.config.parallel import splits_backward
from qmpi.config.settings import Settings
from qmpi.model.partition import Partition, part_at
from qmpi.protocol.token_kinds import NO_ANSWERS, AnswerLines
from qmpi.training.backprop import Backprop
from qmpi.training.balance import Balance
from qmpi.training.comm.line import Gpu
from qmpi.training.comm.waits import Aborted
from qmpi.training.compiler import InTurn
from qmpi.training.dealing import Dealing
from qmpi.training.ends import Ends
from qmpi.training.flat_state import FlatState
from qmpi.training.kept_lanes import KeptLanes
from qmpi.training.lane_squares import LaneSquares
from qmpi.training.lanes import LaneRunner, Runner
from qmpi.training.microbatches import Microbatches
from qmpi.training.offload.places import offloads_moments
from qmpi.training.optimizer import Optimizer
from qmpi.training.own_tokens import OwnTokens
from qmpi.training.parallel.borrowed import Borrowed
from qmpi.training.parallel.directions import TeamDirections
from qmpi.training.parallel.kernels import Between, shared_kernels
from qmpi.training.parallel.owners import Owners
from qmpi.training.parallel.shelf import Shelf
from qmpi.training.parallel.stage import StageParts, StageRunner
from qmpi.training.parallel.team import Team
from qmpi.training.parallel.tie import Tie
from qmpi.training.parallel.vocabulary import VocabularyEnds
from qmpi.training.passes import Passes
from qmpi.training.precision import (
    choose_parts,
    gpu_of,
    machine_identity,
    precision_name,
    update_precision,
)
from qmpi.training.reduction.kinds import Sum, make_sum, sum_name
from qmpi.training.reduction.tail import TailForm
from qmpi.training.state_part import computed_layout, part_layout
from qmpi.training.stopwatch import Stopwatch, make_stopwatch
from qmpi.training.tallies import Tallies
from qmpi.training.weights import Weights


class Means(NamedTuple):
    """What a station is built with.

    Attributes:
        device: that computes.
        precision: type that matrices are multiplied in.
        clock: seconds.
        aborted: says why the work in hand shall end, or None.
        in_turn: lets one process of a host compile at a time.
        divider: id of the token that ends a document; None: documents see one another.
        answers: how lines with answers look.
    """

    device: torch.device
    precision: torch.dtype
    clock: Callable[[], float]
    aborted: Aborted
    in_turn: InTurn
    divider: int | None = None
    answers: AnswerLines = NO_ANSWERS


@dataclass(frozen=True)
class Station:
    """What a rank computes with.

    Attributes:
        settings: the job.
        means: what it is built with.
        own: the job as if the model were the part of it that is here.
        part: of the model that it holds.
        between: who has the rest.
        team: the ranks that hold the others.
        state: its part.
        weights: of it, as lanes compute with them.
        balance: of experts.
        tokens: that it computes of each row; told what losses they have.
        total: the reduction.
        watch: times parts of a step.
        runner: computes lanes.
        passes: computes those of a step, until they are of use.
        microbatches: layers, at the size that holds.
        optimizer: updates the state.
        dealing: what teams do together that share out moments.
        kept: what lanes keep between steps.
    """

    settings: Settings
    means: Means
    own: Settings
    part: Partition
    between: Between
    team: Team
    state: FlatState
    weights: Weights
    balance: Balance
    tokens: OwnTokens
    total: Sum
    watch: Stopwatch
    runner: Runner
    passes: Passes
    microbatches: Microbatches
    optimizer: Optimizer
    dealing: Dealing
    kept: KeptLanes

    def refresh(self) -> None:
        """Take the values of the state over into what lanes compute with; before a step.

        Raises:
            PeerLost: a rank that lends some is gone.
        """
        self.weights.refresh()
        if isinstance(self.runner, StageRunner):
            self.runner.refresh()

    def gpu(self) -> Gpu | None:
        """Return the GPU that is computed on, as lines know it; None: there is none."""
        return gpu_of(self.means.device)

    def identity(self) -> str:
        """Return what the bits of a lane depend on; all ranks of a group must agree."""
        train, means = self.settings.train, self.means
        name = precision_name(train, means.precision)
        divider = means.divider
        documents = "" if divider is None else f"; documents end with {divider}"
        return (
            f"torch {torch.__version__}; {machine_identity(means.device)}; "
            f"{train.threads} threads; {name}; {self.microbatches.warm_up().mode}; "
            f"{sum_name(train)}; {self.optimizer.identity()}"
            f"{documents}{self.team.identity()}"
        )


def build_station(settings: Settings, position: int, means: Means) -> Station:
    """Lay out what a position computes with; there is no state yet.

    Args:
        settings: the job.
        position: place in the team.
        means: what it is built with.

    Returns:
        The station.
    """
    parallel = settings.parallel
    part = part_at(settings.model, parallel, position)
    own = _narrowed(settings, part)
    train, device, kind = own.train, means.device, means.precision
    told, layout = Tallies(own.model, device, part.contexts), part_layout(settings, part)
    split, is_dealt = offloads_moments(train, device), parallel.shares_moments
    state = FlatState(layout, device, split=split, shared=is_dealt)
    form = TailForm(own.batch.is_measured, own.model.predict_ahead)
    watch, between = make_stopwatch(device, means.clock), Between.of(part)
    rows, shared, sequences = between
    tokens = OwnTokens(own, device, means.divider, shared, means.answers)
    counts = told.size + tokens.sources.size
    total = make_sum(train, layout, device, form, counts, own.job.seed)
    weights = Weights(own.model, state, kind, told, _borrowed(settings, part, state))
    share = partial(shared_kernels, part=part, between=between)
    kernels = share(choose_parts(train, device, compiled=False))
    directions = None
    if part.shares > 1 and layout.uses_muon:
        directions = TeamDirections(layout, part, rows, device, update_precision(kind))
    shelf = Shelf()
    if splits_backward(settings.parallel) and train.precision != "float8":
        kernels = kernels._replace(product=shelf.product)
    # Before the ends: a head that is tied to another rank's embedding has its values from there.
    tie = Tie(weights, part)
    ends = VocabularyEnds(weights, part, rows) if part.shares > 1 else Ends(weights, own.model)
    runner: Runner
    squares = None
    if form.measures:
        squares = LaneSquares(layout, device, part.common.get("tensor", frozenset()), rows)
    if part.chain.stages > 1:
        parts = StageParts(part, ends, tie, kernels.norm, tokens, sequences, shelf, squares)
        runner = StageRunner(own, weights, parts, watch)
    else:
        backprop = Backprop(own, weights, kernels, watch, ends, tokens)
        runner = LaneRunner(own, weights, backprop, watch, sequences, squares)
    stage = runner if isinstance(runner, StageRunner) else None
    team = Team(part, layout, between, stage, weights.owners)
    return Station(
        settings=settings,
        means=means,
        own=own,
        part=part,
        between=between,
        team=team,
        state=state,
        weights=weights,
        balance=Balance(own, state, told),
        tokens=tokens,
        total=total,
        watch=watch,
        runner=runner,
        passes=Passes(runner, total, watch, means.aborted, kind, part.holders),
        microbatches=Microbatches(own, device, runner, (kernels, share), means.in_turn, team.apart),
        optimizer=Optimizer(layout, device, update_precision(kind), own.job.seed, directions),
        dealing=Dealing(state),
        kept=KeptLanes(state, total, train.lanes),
    )


def _borrowed(settings: Settings, part: Partition, state: FlatState) -> Borrowed | None:
    """Return what brings the weights that others hold; None: the state has all."""
    if not part.shard:
        return None
    owners = Owners(part, state.params.device)
    return Borrowed(computed_layout(settings, part), state, owners)


def _narrowed(settings: Settings, part: Partition) -> Settings:
    """Return the job as if the model were the part of it that a position holds."""
    train = replace(settings.train, sequences=settings.train.sequences // part.experts)
    return replace(settings, model=part.model, train=train)
