"""What bench_curriculum trains on and is judged by: arms, their rows, held-out problems and rows.

A bed is a job whose generated sources are split into bands, as a job's are whose curriculum adapts.
Rows are made by the product, once, and kept in a file: each run draws them in an order of its own.
Ids are numbered anew, those alone that occur: a small model then spends its time on its blocks.
"""

import hashlib
import json
import os
from typing import Any, NamedTuple

import numpy as np
import torch
from msgspec.structs import replace
from real_corpora import corpus_rows

from qmpi.config.arms import level_band, with_arms
from qmpi.config.curriculum import CurriculumSettings
from qmpi.config.data import ContentSource, CorpusSource, DataSettings
from qmpi.config.settings import JobSettings, Settings
from qmpi.config.train import TrainSettings
from qmpi.content.address import GENERATOR_VERSION, Place, generator_key
from qmpi.content.block_maker import BlockMaker
from qmpi.content.lexicons import lexicon_digest
from qmpi.content.rows import RowMaker, streams_of
from qmpi.corpora.builtin import builtin_corpus
from qmpi.corpora.exam import Exam
from qmpi.corpora.tokenizer import answer_lines
from qmpi.policy.held_out import HELD_OUT_ROWS
from qmpi.protocol.token_kinds import AnswerLines
from qmpi.storage.cache import default_cache
from qmpi.storage.corpus_index import TOKENIZER_NAME
from qmpi.storage.tokenizer import Tokenizer
from qmpi.training.answers import Answers

SEED = 1
"""Of the rows that are generated; runs differ in their order and in the weights they begin with."""

VOCABULARY = 4096
_BATCH = 16
"""Documents made at a time."""

SPOKEN = 4
"""Tokens beyond the right answer's after which a continuation is cut off."""


class Plan(NamedTuple):
    """What a bed is made of: all that its file depends on."""

    kind: str
    tokens: int
    rows: int
    problems: int
    hardest: int = 100
    families: tuple[str, ...] = ()

    def job(self, seed: int) -> Settings:
        """Return the job, with its arms."""
        data = DataSettings(sources=tuple(self._sources()))
        return with_arms(
            Settings(
                job=JobSettings(seed=seed),
                train=TrainSettings(sequence_tokens=self.tokens),
                data=data,
                curriculum=CurriculumSettings(kind="adaptive"),
            )
        )

    def _sources(self):
        if self.kind == "corpora":
            names = ("python", "perl", "manuals")
            yield from (CorpusSource(name=name, path=name) for name in names)
            types = ("mathematics", "code", "technical", "scientific")
            yield from (ContentSource(name=name, type=name) for name in types)
            return
        source = ContentSource(name=self.kind, type=self.kind, max_level=self.hardest)
        if self.families:
            for family in self.families:
                yield replace(source, name=family, families=(family,))
        else:
            yield source


class Bed:
    """Rows of each arm with their answers, and what runs are judged by.

    Attributes:
        arms: sources of the job.
        bands: band of each arm; "" of a corpus.
        rows: of each arm, ids [rows, tokens + 1].
        answers: of each arm, places of targets in answers, int8 [rows, tokens], 0: in none.
        held: of each arm, held-out rows, likewise.
        vocabulary: ids that occur.
    """

    def __init__(self, plan: Plan, folder) -> None:
        """Open the bed; make it if it is not there."""
        self.plan, self.job = plan, plan.job(SEED)
        self.arms = self.job.data.sources
        self.bands = [level_band(a) if isinstance(a, ContentSource) else "" for a in self.arms]
        path = folder / f"bed-{plan.kind}-{_mark(plan)}.npz"
        self._tokenizer = tokenizer()
        if not path.exists():
            self._make(path)
        kept = np.load(path)
        self._known = kept["known"]
        self.vocabulary = len(self._known)
        places = range(len(self.arms))
        self.rows, self.answers, self.held = (
            [torch.from_numpy(kept[f"{name}{place}"]) for place in places]
            for name in ("rows", "answers", "held")
        )
        self.exam = self._pose()
        self._number = np.zeros(VOCABULARY, np.int64)
        self._number[self._known] = np.arange(self.vocabulary)

    def _make(self, path) -> None:
        made = [self._rows_of(arm) for arm in self.arms]
        ids = [rows.reshape(-1) for pair in made for rows in pair]
        exam = self._pose()
        asked = [self._whole(question) for question in exam.questions]
        known = np.unique(np.concatenate([*ids, *asked, [self._tokenizer.end_of_text]]))
        number = np.zeros(VOCABULARY, np.uint16)
        number[known] = np.arange(len(known))
        finder, kept = Answers(answer_lines(self._tokenizer)), {"known": known}
        for place, (rows, held) in enumerate(made):
            kept[f"answers{place}"] = finder.of_targets(torch.from_numpy(rows)).numpy()
            kept[f"rows{place}"], kept[f"held{place}"] = number[rows], number[held]
        path.parent.mkdir(parents=True, exist_ok=True)
        other = path.with_name(f"{os.getpid()}-{path.name}")
        np.savez(other, **kept)
        other.replace(path)

    def _rows_of(self, arm) -> tuple[np.ndarray, np.ndarray]:
        """Return rows that are trained on, and held-out ones; of all levels the same number."""
        tokens, held = self.plan.tokens, max(16, self.plan.problems)
        if isinstance(arm, CorpusSource):
            return corpus_rows(arm.name, self._tokenizer, tokens, self.plan.rows, held)
        streams = streams_of(arm)
        wanted = -(-self.plan.rows // len(streams))
        made = np.concatenate([self._cut(stream, wanted) for stream in streams])
        maker = RowMaker(self._tokenizer, arm, SEED, tokens, VOCABULARY)
        apart = maker.make([HELD_OUT_ROWS + number for number in range(held)])
        return made, np.frombuffer(apart, "<u2").reshape(-1, tokens + 1).astype(np.int64)

    def _cut(self, stream, count) -> np.ndarray:
        """Return the first rows of a stream; a whole block of each would be far more."""
        maker = BlockMaker(self._tokenizer, generator_key(lexicon_digest(), SEED))
        tokens, ids, number = self.plan.tokens, np.zeros(0, np.int64), 0
        while ids.size <= count * tokens:
            texts = [maker.document(stream, Place(0, number + n)).text for n in range(_BATCH)]
            ids = np.concatenate([ids, self._tokenizer.encode_flat(texts)[0].astype(np.int64)])
            number += _BATCH
        starts = np.arange(count)[:, None] * tokens
        return ids[starts + np.arange(tokens + 1)[None, :]]

    def _pose(self) -> Exam:
        generated = sum(isinstance(arm, ContentSource) for arm in self.arms)
        return Exam(self.job, self._tokenizer, self.plan.problems * generated, lambda _: None)

    def _whole(self, question) -> list[int]:
        posed = question.problem
        return [
            self._tokenizer.end_of_text,
            *self._tokenizer.encode(posed.prompt + posed.solution),
        ]

    def numbered(self, ids) -> list[int]:
        """Return ids of the tokenizer as the bed numbers them."""
        return self._number[list(ids)].tolist()

    def spelled(self, ids) -> list[int]:
        """Return ids of the bed as the tokenizer numbers them."""
        return self._known[list(ids)].tolist()

    def solutions(self) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
        """Return the problems with their solutions, which targets are answers, and their arms.

        Returns:
            Ids [problems, longest], bool [problems, longest - 1], names of sources.
        """
        whole = [self._whole(question) for question in self.exam.questions]
        longest = max(map(len, whole))
        end = self._tokenizer.end_of_text
        padded = torch.tensor([ids + [end] * (longest - len(ids)) for ids in whole])
        marked = Answers(answer_lines(self._tokenizer)).of_targets(padded) != 0
        names = [question.label.source for question in self.exam.questions]
        return torch.from_numpy(self._number[padded.numpy()]), marked, names

    def budgets(self) -> list[int]:
        """Return the most tokens of each continuation."""
        return [
            min(question.budget, len(self._whole(question)) - len(question.prompt) + SPOKEN)
            for question in self.exam.questions
        ]

    def lines(self) -> AnswerLines:
        """Return how lines with answers look in the bed's ids."""
        told, known = answer_lines(self._tokenizer), set(self._known.tolist())
        openings = [opening for opening in told.openings if known.issuperset(opening)]
        breaks = [number for number in told.breaks if number in known]
        return AnswerLines(
            tuple(tuple(self.numbered(opening)) for opening in openings),
            tuple(self.numbered(breaks)),
        )


def tokenizer() -> Tokenizer:
    """Return the tokenizer of the built-in corpus, made on first use."""
    corpus = builtin_corpus("python", default_cache(os.environ), lambda _: None)
    return Tokenizer.load(corpus / TOKENIZER_NAME)


def _mark(plan: Plan) -> str:
    told: Any = (*plan, GENERATOR_VERSION, SEED)
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=6).hexdigest()
