"""Held-out rows of a job, and the search for leaks: what is planted is found, and nothing else."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from msgspec.structs import replace

from qmpi.config.curriculum import CurriculumSettings
from qmpi.config.data import ContentSource, CorpusSource, DataSettings
from qmpi.config.evaluation import EvaluationSettings
from qmpi.config.load import settings_digest
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.config.warmup import with_warmup
from qmpi.content.level import BANDS
from qmpi.corpora import held_out
from qmpi.corpora.exam import Exam
from qmpi.corpora.held_out import read_held_out, refuse_trained
from qmpi.corpora.leaks import WINDOW, leaked, overlap_with, window_hashes
from qmpi.corpora.sources import Sources
from qmpi.errors import InputError, InvariantError
from qmpi.ingest.corpus import IngestOptions, ingest_corpus
from qmpi.policy.held_out import is_held_out
from qmpi.policy.scoring import Label
from qmpi.policy.stream import first_recipe, rows_of_block
from qmpi.protocol.journal import RunOpened

LENGTH, LANES, ROWS = 256, 2, 4
STEPS = 4
WORDS = ("cat", "dog", "mat", "hat", "sat", "ran", "saw", "met", "old", "new", "red", "big")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("held-out")
    chance = random.Random(1)
    words = [chance.choice(WORDS) + str(chance.randrange(1000)) for _ in range(60_000)]
    (folder / "text.txt").write_text("\n\n".join(" ".join(words[n::300]) for n in range(300)))
    options = IngestOptions(vocab_size=500)
    ingest_corpus([folder / "text.txt"], folder / "corpus", options, lambda _: None)
    return folder


def job(folder: Path, share: float = 0.1) -> Settings:
    return Settings(
        model=ModelSettings(vocab_size=500),
        train=TrainSettings(
            steps=STEPS, lanes=LANES, microbatches=1, sequences=ROWS, sequence_tokens=LENGTH
        ),
        evaluation=EvaluationSettings(held_out=share),
        data=DataSettings(
            sources=(
                CorpusSource(name="words", path=str(folder / "corpus")),
                ContentSource(name="sums", type="mathematics"),
            )
        ),
    )


def opened(settings: Settings, sources: Sources) -> RunOpened:
    recipes = (first_recipe([s.weight for s in settings.data.sources], settings.job.seed),)
    facts = sources.open()
    return RunOpened(0.0, "r", 1, settings_digest(settings), facts, recipes, "", LANES, 1)


def trained(settings: Settings, sources: Sources, step: int, lane: int):
    run = opened(settings, sources)
    return rows_of_block(run.recipes, run.sources, step, lane, lanes=LANES, rows_per_block=ROWS)


def test_each_source_gives_as_many_rows_and_each_row_says_what_it_is(folder: Path) -> None:
    held = read_held_out(job(folder), Sources(job(folder), folder), 2 * 20 * LENGTH)
    assert [label.source for label in held.labels] == ["words"] * 20 + ["sums"] * 20
    assert set(held.labels[:20]) == {Label("words")}
    assert {label.type for label in held.labels[20:]} == {"mathematics"}
    assert {label.band for label in held.labels[20:]} == {name for name, _, _ in BANDS}
    assert held.left_out == ()
    assert len(held.block) == 40 * 2 * (LENGTH + 1)


def test_a_warm_up_changes_nothing_of_what_is_measured(folder: Path) -> None:
    plain = job(folder)
    warmed = with_warmup(replace(plain, curriculum=CurriculumSettings(warmup_steps=5)))
    held = [read_held_out(each, Sources(each, folder), 500) for each in (plain, warmed)]
    assert held[0] == held[1]
    sources = Sources(plain, folder)
    sources.open()
    longer = [
        replace(each, train=replace(plain.train, sequence_tokens=2000)) for each in (plain, warmed)
    ]
    exams = [Exam(each, sources.tokenizer, 4, lambda _: None) for each in longer]
    assert exams[0].questions == exams[1].questions != []


def test_the_bytes_of_a_row_are_those_of_its_targets(folder: Path) -> None:
    sources = Sources(job(folder), folder)
    held = read_held_out(job(folder), sources, 20 * LENGTH)
    rows = np.frombuffer(held.block, "<u2").reshape(-1, LENGTH + 1)
    for row, size in zip(rows.tolist(), held.sizes, strict=True):
        text = sources.tokenizer.decode(row[1:])
        assert size == len(text.replace("<|endoftext|>", "").encode())


def test_more_than_is_held_out_is_not_given(folder: Path) -> None:
    sources = Sources(job(folder), folder)
    fact = sources.open()[0]
    held = read_held_out(job(folder), sources, 10 * fact.rows * LENGTH)
    assert sum(label.source == "words" for label in held.labels) == fact.held_out


def test_nothing_held_out_is_told(folder: Path) -> None:
    bare = job(folder, 0.0)
    held = read_held_out(bare, Sources(bare, folder), 1000)
    assert held.left_out == ("words",)
    assert {label.source for label in held.labels} == {"sums"}
    alone = replace(bare, data=replace(bare.data, sources=bare.data.sources[:1]))
    with pytest.raises(InputError, match="nothing is held out of words"):
        read_held_out(alone, Sources(alone, folder), 1000)


def test_a_row_that_is_trained_on_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = job(folder)
    sources = Sources(settings, folder)
    facts = sources.open()
    rows = [row for lane in range(LANES) for row in trained(settings, sources, 1, lane)]
    assert not any(is_held_out(facts[row.source], row.row) for row in rows)
    for row in rows:
        with pytest.raises(InvariantError, match=f"row {row.row} .* is trained on"):
            refuse_trained(facts, [row])
    chosen = held_out.chosen
    monkeypatch.setattr(held_out, "chosen", lambda *a: (*chosen(*a), rows[0]))
    with pytest.raises(InvariantError, match="is trained on"):
        read_held_out(settings, sources, 1000)


def test_a_planted_leak_is_found_and_nothing_else(folder: Path) -> None:
    settings = job(folder)
    sources = Sources(settings, folder)
    held = read_held_out(settings, sources, 2 * 8 * LENGTH)
    planted = [trained(settings, sources, step, 1)[0] for step in (0, 2)]
    block = held.block + sources.build_all(planted)[1]
    told: list[int] = []
    found = overlap_with(sources, settings, opened(settings, sources), STEPS, block, told.append)
    count = len(held.labels)
    assert leaked(found) == [count, count + 1]
    assert found.first[count:] == ((0, 1), (2, 1))
    assert max(found.shares[:8]) == 0.0
    assert sum(told) == STEPS


def test_a_leak_at_another_offset_is_found(folder: Path) -> None:
    settings = job(folder)
    sources = Sources(settings, folder)
    row = trained(settings, sources, 3, 0)[0]
    ids = np.frombuffer(sources.build_all([row])[1], "<u2").copy()
    moved = np.concatenate((np.arange(100, dtype="<u2"), ids[: LENGTH + 1 - 100]))
    found = overlap_with(
        sources, settings, opened(settings, sources), STEPS, moved.tobytes(), lambda _: None
    )
    windows = LENGTH + 1 - WINDOW + 1
    assert found.shares[0] == pytest.approx((windows - 100) / windows)
    assert found.first[0] == (3, 0)
    assert leaked(found) == []


@settings(deadline=None)
@given(
    arrays(np.uint16, (3, 40), elements=st.integers(0, 3)), st.integers(1, 40), st.integers(0, 5)
)
def test_equal_runs_have_equal_hashes_and_others_do_not(rows, window, shift):
    by_hash = {}
    for ids in (rows, np.roll(rows, shift, axis=1)):
        for row, hashes in zip(ids, window_hashes(ids, window), strict=True):
            for start, value in enumerate(hashes.tolist()):
                by_hash.setdefault(value, set()).add(row[start : start + window].tobytes())
    assert all(len(runs) == 1 for runs in by_hash.values())
    assert len({run for runs in by_hash.values() for run in runs}) == len(by_hash)


def test_an_exam_fits_the_sequence_and_judges_what_the_documents_say(folder: Path) -> None:
    settings = job(folder)
    sources = Sources(settings, folder)
    sources.open()
    tokenizer = sources.tokenizer
    posed: list[int] = []
    exam = Exam(settings, tokenizer, 12, posed.append)
    assert len(exam.questions) == sum(posed) == 12
    solutions = []
    for question in exam.questions:
        assert question.prompt[0] == tokenizer.end_of_text
        assert tokenizer.decode(question.prompt[1:]) == question.problem.prompt
        assert len(question.prompt) + question.budget <= LENGTH
        whole = tokenizer.encode(question.problem.prompt + question.problem.solution)
        solutions.append(whole[len(question.prompt) - 1 :])
    assert all(exam.is_right(number, ids) for number, ids in enumerate(solutions))
    assert not any(exam.is_right(number, [tokenizer.end_of_text]) for number in range(12))
    for number, ids in enumerate(solutions):
        ends = [exam.ended(number, ids[: n + 1]) for n in range(len(ids))]
        assert ends == [False] * (len(ids) - 1) + [True]


def test_an_answer_counts_when_the_document_ends_behind_it(folder: Path) -> None:
    settings = job(folder)
    sources = Sources(settings, folder)
    sources.open()
    tokenizer = sources.tokenizer
    exam = Exam(settings, tokenizer, 1, lambda _: None)
    answer = tokenizer.encode(f"Answer: {exam.questions[0].problem.answer}")
    assert exam.is_right(0, [*answer, tokenizer.end_of_text])
    # Without the end of the line or document the model might have gone on, as from 1 to 12.
    assert not exam.is_right(0, answer)
    assert exam.ended(0, [*answer, tokenizer.end_of_text])
    assert not exam.ended(0, answer)
