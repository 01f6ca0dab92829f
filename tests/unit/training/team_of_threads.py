"""Teams of engines in threads of one process."""

import time

from unit.training.line_of_threads import ThreadLine, run_all
from unit.training.small_job import block, digest, never

from qmpi.config.parallel import ParallelSettings
from qmpi.policy.lanes import deal_lanes
from qmpi.protocol.teams import DATA, Layout, Seat, lines_of, tie_of
from qmpi.protocol.token_kinds import AnswerLines, TokenKinds
from qmpi.training.engine import Engine
from qmpi.training.parallel.team import TeamLines

ANSWERS = AnswerLines(((7, 12), *((n,) for n in range(64, 128))), tuple(range(64)))
"""Of random ids a few stand like this."""


def sources_of(settings, lane):
    """Return the source of each row of a lane: two of the job's, and one that was added."""
    rows = settings.train.microbatches * settings.train.sequences
    return [(lane + row) % 3 for row in range(rows)]


class Teams:
    """Some teams of one layout, their ranks by seat."""

    def __init__(self, settings, teams, divider=None):
        self.settings, self.teams = settings, teams
        self.layout = Layout.of(settings.parallel)
        self.seats = [Seat(t, p) for t in range(teams) for p in range(self.layout.size)]
        self.lines = {}
        self.engines = {seat: self._engine(seat, divider) for seat in self.seats}

    def _engine(self, seat, divider):
        kinds = TokenKinds(divider, ANSWERS)
        engine = Engine(self.settings, time.monotonic, never, kinds=kinds)
        engine.seat(seat.position)
        engine.initialise()
        lines = lines_of(self.layout, seat, self.teams)
        members = {line.axis: self._member(line) for line in lines}
        alone = ThreadLine(1).member(0)
        stage = members.get("pipeline", alone)
        place = {0: 0, stage.size - 1: 1}.get(stage.index)
        tie = tie_of(self.layout, seat).name
        within = TeamLines(
            tensor=members.get("tensor", alone),
            context=members.get("context", alone),
            expert=members.get("expert", alone),
            pipeline=stage,
            tie=alone if place is None or stage is alone else self._shared(tie, 2).member(place),
            team=self._shared(f"team/{seat.team}", self.layout.size).member(seat.position),
        )
        engine.join(members[DATA], within if self.layout.size > 1 else None)
        return engine

    def _member(self, line):
        return self._shared(line.name, line.size).member(line.index)

    def _shared(self, name, size):
        return self.lines.setdefault(name, ThreadLine(size))

    def step(self, number):
        """Train a step; return the outcome of each rank, by seat."""
        lanes = deal_lanes(self.settings.train.lanes, self.teams)

        def work(seat):
            mine = lanes[seat.team]
            blocks = [block(self.settings, number, lane) for lane in mine]
            return self.engines[seat].run_step(
                number, mine, blocks, list(map(digest, blocks)), digest_due=True,
                sources=[sources_of(self.settings, lane) for lane in mine],
            )  # fmt: skip

        calls = [lambda seat=seat: work(seat) for seat in self.seats]
        return dict(zip(self.seats, run_all(calls, self.lines.values()), strict=True))

    def train(self, steps, first=0):
        """Train up to a step; return losses, norm, digest and losses by source of each.

        All ranks agree on them.
        """
        told = []
        for number in range(first, steps):
            found = {
                (o.lane_losses, o.gradient_norm, o.weight_digest, o.sources)
                for o in self.step(number).values()
            }
            assert len(found) == 1, found
            told += found
        return told

    def parameter(self, name, team=0):
        """Return a parameter of a team, put together."""
        return self._together(name, team, lambda engine: engine._state.params)

    def gradient(self, name, team=0):
        """Return its clipped gradient in the last step."""
        return self._together(name, team, lambda engine: engine._sum.place)

    def _together(self, name, team, flat_of):
        every = [self.engines[seat] for seat in self.seats if seat.team == team]
        ranks = [engine for engine in every if name in engine.at.part.cuts]
        cuts = [engine.at.part.cuts[name] for engine in ranks]
        slots = [{slot.name: slot for slot in engine._state.layout.slots} for engine in ranks]
        views = [
            flat_of(e)[s[name].start : s[name].start + s[name].size].view(s[name].shape)
            for e, s in zip(ranks, slots, strict=True)
        ]
        whole = views[0].new_zeros(cuts[0].shape)
        for cut, view in zip(cuts, views, strict=True):
            whole[cut.index] = view
        return whole


def teamed(settings, teams=1, divider=None, **axes):
    """Return teams of a job with these axes."""
    from msgspec.structs import replace

    return Teams(replace(settings, parallel=ParallelSettings(**axes)), teams, divider)
