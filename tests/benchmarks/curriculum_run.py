"""One run of bench_curriculum: a small model trained on a bed in a way of choosing, and judged."""

import ctypes
import statistics
import time
from collections import defaultdict
from typing import NamedTuple

import numpy as np
import torch
from curriculum_rules import Chooser, Drawer, altered
from msgspec.structs import replace
from torch.nn import functional

from qmpi.config.bands import BANDS
from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.schedule import learning_rate
from qmpi.model.initial import initialise
from qmpi.model.transformer import Transformer
from qmpi.training.answers import Answers
from qmpi.training.evaluation import Evaluator
from qmpi.training.flat_state import FlatState, lay_out
from qmpi.training.norm import global_norm
from qmpi.training.optimizer import Optimizer, clip
from qmpi.training.source_losses import SourceLosses

CPU = torch.device("cpu")
LOOKS = 4
TRIM, MMAP = -1, -3
"""Options of mallopt: from which size on memory goes back, and comes from the kernel."""
JUDGED_TOGETHER = 128


class Recipe(NamedTuple):
    """Shape of the model and how it is trained."""

    width: int = 64
    layers: int = 2
    rows: int = 32
    rate: float = 3e-3
    tokens: int = 2_000_000

    def shape(self, vocabulary):
        """Return the shape of the model."""
        return ModelSettings(
            vocab_size=vocabulary, width=self.width, layers=self.layers, heads=4, kv_heads=4
        )

    def steps(self, share, row):
        """Return the steps of a share of the budget, with rows of so many tokens."""
        return round(share * self.tokens / (self.rows * row))


class Run(NamedTuple):
    """Which run: an arm as a line, a seed, and the share of the budget."""

    line: str
    seed: int
    share: float


class Pupil:
    """A model, its flat state and its optimizer; one for all runs, since compiling it takes long.

    Attributes:
        model: as it is now.
    """

    def __init__(self, shape, recipe):
        """Make room."""
        _keep_memory()
        self.model, self._shape = Transformer(shape), shape
        self._recipe = OptimizerSettings(learning_rate=recipe.rate)
        shapes = {name: tuple(p.shape) for name, p in self.model.named_parameters()}
        layout = lay_out(shapes, self._recipe.kind)
        self.state, self.gradient = FlatState(layout, CPU), torch.zeros(layout.total)
        self.state.adopt(self.model)
        parameters = dict(self.model.named_parameters())
        for slot in layout.slots:
            view = self.gradient[slot.start : slot.start + slot.size].view(slot.shape)
            parameters[slot.name].grad = view
        self._compiled = torch.compile(self.losses, dynamic=False)

    def begin(self, seed, steps):
        """Start a run; those of one seed begin alike."""
        self.state.reset()
        initialise(self.model, self._shape, seed)
        self.settings, self.steps = replace(self._recipe, warmup_steps=round(0.1 * steps)), steps
        self.optimizer = Optimizer(self.state.layout, CPU, torch.float32, seed)

    def losses(self, ids):
        """Return the loss of each target, [rows, targets]."""
        logits = self.model(ids[:, :-1]).flatten(0, 1)
        each = functional.cross_entropy(logits, ids[:, 1:].flatten(), reduction="none")
        return each.view(len(ids), -1)

    def step(self, number, ids):
        """Train on a batch; return the loss of each target."""
        self.gradient.zero_()
        losses = self._compiled(ids)
        losses.mean().backward()
        rate = learning_rate(self.settings, number, self.steps)
        clip(self.gradient, self.settings.clip_norm, global_norm(self.gradient))
        self.optimizer.prepare(self.state, self.gradient, self.settings)
        self.optimizer.apply(self.state, self.gradient, self.settings, rate)
        self.state.set_counters(number + 1, number + 1, 0)
        return losses.detach()


def _keep_memory():
    """Let the library keep what is freed: a step frees and takes megabytes again and again."""
    library = ctypes.CDLL(None)
    for option, size in ((TRIM, 1 << 30), (MMAP, 1 << 30)):
        library.mallopt(option, size)


class Feed:
    """Rows of each arm, in an order that is the seed's."""

    def __init__(self, bed, seed):
        """Shuffle the rows of each arm."""
        self._bed, self.repeated = bed, 0
        draws = [np.random.default_rng([seed, place]) for place in range(len(bed.arms))]
        self._orders = [d.permutation(len(r)) for d, r in zip(draws, bed.rows, strict=True)]
        self._taken = [0] * len(bed.arms)

    def rows(self, arms):
        """Return the next row of each arm named, and places of its targets in answers."""
        ids, answers = [], []
        for arm in arms:
            turn, place = divmod(self._taken[arm], len(self._orders[arm]))
            self._taken[arm] += 1
            self.repeated += turn > 0
            row = self._orders[arm][place]
            ids.append(self._bed.rows[arm][row])
            answers.append(self._bed.answers[arm][row])
        return torch.stack(ids).long(), torch.stack(answers)


class Judge:
    """Held-out problems and rows of a bed."""

    def __init__(self, bed):
        """Lay them out."""
        self._bed = bed
        self._names = [arm.name for arm in bed.arms]
        self._exam = bed.exam
        if self._exam.questions:
            self._ids, self._marked, self._sources = bed.solutions()
            self._prompts = [bed.numbered(q.prompt) for q in self._exam.questions]
            self._budgets = bed.budgets()

    @torch.no_grad()
    def answers(self, pupil):
        """Return the mean loss of answers of each arm that sets problems, by its name."""
        sums = defaultdict(list)
        if not self._exam.questions:
            return {}
        for first in range(0, len(self._ids), JUDGED_TOGETHER):
            part = slice(first, first + JUDGED_TOGETHER)
            losses, marked = pupil.losses(self._ids[part]), self._marked[part]
            told = (losses * marked).sum(1) / marked.sum(1).clamp(min=1)
            for name, loss in zip(self._sources[part], told.tolist(), strict=True):
                sums[name].append(loss)
        return {name: statistics.mean(losses) for name, losses in sums.items()}

    @torch.no_grad()
    def rows(self, pupil):
        """Return the mean loss of held-out rows of each arm, in order."""
        return [
            statistics.mean(
                float(pupil.losses(part.long()).mean()) for part in held.split(JUDGED_TOGETHER)
            )
            for held in self._bed.held
        ]

    def solved(self, pupil):
        """Return of each arm that sets problems the share whose greedy answers are right."""
        exam, bed, right = self._exam, self._bed, defaultdict(list)
        if not exam.questions:
            return {}
        evaluator = Evaluator(pupil.model, bed.plan.tokens)
        written = evaluator.continuations(
            self._prompts,
            self._budgets,
            lambda number, added: exam.ended(number, bed.spelled(added)),
            lambda _: None,
        )
        for number, added in enumerate(written):
            told = exam.is_right(number, bed.spelled(added))
            right[exam.questions[number].label.source].append(told)
        return {name: statistics.mean(map(float, each)) for name, each in right.items()}


def train(bed, judge, pupil, recipe, run):
    """Return what a run comes to."""
    line, seed, share = run
    steps = recipe.steps(share, bed.plan.tokens)
    begun, job = time.process_time(), bed.plan.job(seed)
    pupil.begin(seed, steps)
    feed, chooser = Feed(bed, seed), Chooser(line, job, bed.bands, steps)
    losses = SourceLosses(len(bed.arms), Answers(bed.lines()), CPU)
    counts = torch.zeros(losses.size, dtype=torch.int32)
    drawer, curve, decided, tokens = None, [], 0.0, [0] * len(bed.arms)
    with altered(line):
        for step in range(steps):
            before = time.process_time()
            if drawer is None or chooser.begins(step):
                drawer = Drawer(chooser.shares(step))
            arms = drawer.draw(recipe.rows)
            decided += time.process_time() - before
            ids, answers = feed.rows(arms)
            each = pupil.step(step, ids)
            before = time.process_time()
            losses.clear()
            counts.zero_()
            losses.take(torch.tensor(arms), each.flatten(), answers)
            losses.add_to(counts)
            chooser.note(step, losses.read(counts))
            decided += time.process_time() - before
            for arm in arms:
                tokens[arm] += bed.plan.tokens
            if (step + 1) * LOOKS // steps > step * LOOKS // steps and step + 1 < steps:
                told = judge.answers(pupil)
                curve.append([sum(tokens), round(statistics.mean(told.values()), 4) if told else 0])
    result = {
        "arm": line, "seed": seed, "share": share, "tokens": sum(tokens), "steps": steps,
        "curve": curve, "off": chooser.off, "repeated": feed.repeated, "falls": chooser.falls,
        **_judged(bed, judge, pupil, job), "drawn": [round(n / sum(tokens), 5) for n in tokens],
        "controller_seconds": round(decided, 2),
    }  # fmt: skip
    result["cpu_seconds"] = round(time.process_time() - begun, 1)
    return result


def _judged(bed, judge, pupil, job):
    answers, solved, rows = judge.answers(pupil), judge.solved(pupil), judge.rows(pupil)
    weights = [arm.weight for arm in job.data.sources]
    told = {
        "rows": sum(w * r for w, r in zip(weights, rows, strict=True)) / sum(weights),
        "by_arm": {arm.name: round(loss, 4) for arm, loss in zip(bed.arms, rows, strict=True)},
    }
    if answers:
        told["answers"] = statistics.mean(answers.values())
        told["accuracy"] = statistics.mean(solved.values())
        told["by_band"] = _grouped(bed, solved, bed.bands, [name for name, _, _ in BANDS])
        stems = [a.name.removesuffix(f"-{b}") for a, b in zip(bed.arms, bed.bands, strict=True)]
        told["by_source"] = _grouped(bed, solved, stems, list(dict.fromkeys(stems)))
    return told


def _grouped(bed, solved, groups, names):
    told = {}
    for name in names:
        own = [arm.name for arm, group in zip(bed.arms, groups, strict=True) if group == name]
        values = [solved[each] for each in own if each in solved]
        if values:
            told[name] = round(statistics.mean(values), 4)
    return told
