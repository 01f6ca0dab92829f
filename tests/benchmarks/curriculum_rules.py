"""Ways to choose what the next step trains on, side by side: an arm of bench_curriculum is a line.

"target" draws what the job says, "uniform" all arms alike, "ramp" from easy to hard over the first
half and then all alike, "ours" what the product's curriculum decides, "placebo" the same from
losses that belong to other arms. Behind "ours" and "placebo" stand what differs from the product:
every=20 (steps of a window), share=0.1 (placebo share), most=100, probes=0 (no window is one),
kill=0 (nothing ends it), and constants of the rule: fast, slow, least (progress).
"""

from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import numpy as np
from msgspec.structs import replace

from qmpi.config.bands import BANDS
from qmpi.policy.curriculum import knowledge, windows
from qmpi.policy.curriculum.knowledge import Knowledge
from qmpi.policy.mixture import integer_weights
from qmpi.protocol.journal import StepCommitted
from qmpi.protocol.progress import SourceLoss
from qmpi.protocol.recipe import MIXTURE_PERIOD

RAMP = 0.5
"""Share of a run in which the ramp climbs."""

PERMUTATION = 5
"""Seed of the order in which the placebo's losses are told."""

_SETTINGS = {
    "every": ("every_steps", int),
    "share": ("placebo_share", float),
    "most": ("most", float),
    "fast": ("fast", float),
    "slow": ("slow", float),
    "least": ("least_progress", float),
}


def read_line(line):
    """Return name and words of "ours every=20 kill=0"."""
    name, *words = line.split()
    told = dict(word.split("=") for word in words)
    strange = set(told) - {*_SETTINGS, "probes", "kill"}
    if strange or name not in ("target", "uniform", "ramp", "ours", "placebo"):
        raise SystemExit(f"arm {line!r}: what is {', '.join(strange) or name}?")
    return name, told


@contextmanager
def altered(line):
    """Let the product's curriculum be what a line says, for a while."""
    told = read_line(line)[1]
    with ExitStack() as stack:
        if told.get("probes") == "0":
            for module in (knowledge, windows):
                stack.enter_context(patch.object(module, "is_probe", lambda _, window: window < 2))
        if told.get("kill") == "0":
            stack.enter_context(patch.object(windows, "_verdict", lambda _: ""))
        yield


class Chooser:
    """Shares of the arms, window by window.

    Attributes:
        off: window at which the curriculum was over; 0: it was not.
        falls: of each window its number, whether it drew what the job says, and how far the loss
            and that of answers fell within it.
    """

    def __init__(self, line, job, bands, steps):
        self.name, told = read_line(line)
        fields = {field: kind(told[w]) for w, (field, kind) in _SETTINGS.items() if w in told}
        self.job = replace(job, curriculum=replace(job.curriculum, **fields))
        self._every, self._steps = self.job.curriculum.every_steps, steps
        self._usual = tuple(arm.share for arm in windows.arms_of(self.job))
        self._place = [[name for name, _, _ in BANDS].index(b) if b else -1 for b in bands]
        order = np.random.default_rng(PERMUTATION).permutation(len(bands))
        self._order = order if self.name == "placebo" else np.arange(len(bands))
        adapts = self.name in ("ours", "placebo")
        self._knowledge = Knowledge(self.job, ()) if adapts else None
        self._decided, self.off = {}, 0
        self._window, self.falls = [], []

    def note(self, step, told):
        """Take in what a step tells, as the coordinator does behind its commit."""
        if self._knowledge is None:
            return
        moved = (replace(each, source=int(self._order[each.source])) for each in told)
        sources = tuple(sorted(moved, key=lambda each: each.source))
        record = StepCommitted(0.0, step, 1, 0, (), (), None, "", sources=sources)
        decision = self._knowledge.note(record)
        self._window.append(told)
        if decision is not None:
            self._look_back()
            self._decided[decision.window] = decision.shares
            if self._knowledge.known.off and not self.off:
                self.off = decision.window

    def _look_back(self):
        arms, steps, window = windows.arms_of(self.job), self._window, len(self.falls)
        answers = [
            [SourceLoss(e.source, e.answers, e.answer_loss) for e in step if e.answers]
            for step in steps
        ]
        is_static = window not in self._decided or knowledge.is_probe(self.job.job.seed, window)
        fallen = [windows._fall(arms, told) for told in (steps, answers)]
        self.falls.append([window, is_static, *(round(f, 6) if f else None for f in fallen)])
        self._window = []

    def begins(self, step):
        """Return whether other shares may hold from this step on."""
        return step % self._every == 0

    def shares(self, step):
        """Return the shares of a step."""
        if self.name == "uniform":
            return (1.0 / len(self._usual),) * len(self._usual)
        if self.name == "ramp":
            # A corpus has no band and is open from the start.
            top = min(1.0, step / (RAMP * self._steps)) * (len(BANDS) - 1)
            return tuple(float(place <= top) for place in self._place)
        return self._decided.get(step // self._every, self._usual)


class Drawer:
    """Which arm each row of a step is of: the smooth order of a recipe, as far as it is needed."""

    def __init__(self, shares):
        self._weights = np.array(integer_weights(shares))
        self._owed = np.zeros_like(self._weights)

    def draw(self, count):
        """Return the arms of the next rows."""
        drawn = []
        for _ in range(count):
            self._owed += self._weights
            chosen = int(self._owed.argmax())
            self._owed[chosen] -= MIXTURE_PERIOD
            drawn.append(chosen)
        return drawn
