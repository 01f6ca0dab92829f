"""Sources behind those of the job file: as if they had been in it, or refused in words."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.config.data import ContentSource, CorpusSource, DataSettings
from qmpi.config.load import dump_toml, load_job, settings_digest
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.corpora.audit import audit_run
from qmpi.corpora.sources import Sources
from qmpi.errors import InputError
from qmpi.ingest.corpus import IngestOptions, ingest_corpus
from qmpi.policy.recipe_requests import Room, answered
from qmpi.policy.recipes import begun_recipes, course_of
from qmpi.policy.stream import numbered_rows
from qmpi.protocol.added import AddedSource
from qmpi.protocol.journal import RecipesChanged, RunOpened, StepCommitted
from qmpi.protocol.recipe import RecipeRequest, RowAddress
from qmpi.storage.journal import JournalWriter
from qmpi.storage.run_directory import RunDirectory

TEXT = "the cat sat on the mat and the dog sat too\n"


def ingested(folder: Path, name: str, text: str, **options: object) -> Path:
    (folder / f"{name}.txt").write_text(text)
    chosen = IngestOptions(**{"vocab_size": 300, **options})
    ingest_corpus([folder / f"{name}.txt"], folder / name, chosen, lambda _: None)
    return folder / name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    tokenizer = ingested(folder, "cats", TEXT * 200) / "tokenizer.json"
    ingested(folder, "law", "on the mat the dog is the law\n" * 90, tokenizer=tokenizer)
    ingested(folder, "short", "the cat", tokenizer=tokenizer)
    ingested(folder, "foreign", "there is no other tokenizer than mine\n" * 90)
    return folder


def job(folder: Path, *further: CorpusSource, packing: str = "concatenate") -> Settings:
    begun = CorpusSource(name="cats", path=str(folder / "cats"))
    return Settings(
        model=ModelSettings(vocab_size=300),
        train=TrainSettings(steps=9, lanes=2, microbatches=1, sequences=4, sequence_tokens=16),
        data=DataSettings(sources=(begun, *further), packing=packing),
    )


def corpus(folder: Path, name: str) -> CorpusSource:
    return CorpusSource(name=name, path=str(folder / name), weight=0.0)


@pytest.mark.parametrize("packing", ["concatenate", "best_fit"])
def test_an_added_source_has_the_facts_and_rows_of_one_that_was_there(
    folder: Path, packing: str
) -> None:
    law, sums = corpus(folder, "law"), ContentSource(name="sums", type="mathematics", weight=0.0)
    whole = Sources(job(folder, law, sums, packing=packing), folder)
    late = Sources(job(folder, packing=packing), folder)
    begun = late.open()
    assert late.add((law, sums)) == late.facts == whole.open()
    assert late.open() == begun
    rows = tuple(RowAddress(*at) for at in ((1, 3), (0, 2), (2, 1), (1, 0)))
    assert late.build_all(rows) == whole.build_all(rows)
    late.add((), (corpus(folder, "cats"),))  # another one of the same number
    assert late.build_all((RowAddress(1, 2),)) == whole.build_all(rows[1:2])
    late.add((law, sums))
    assert late.build_all(rows) == whole.build_all(rows)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("foreign", "was written with another tokenizer"),
        ("short", "less than one sequence"),
        ("missing", "is not a corpus"),
    ],
)
def test_what_does_not_fit_is_refused_and_what_is_open_stays(
    folder: Path, name: str, words: str
) -> None:
    law, sources = corpus(folder, "law"), Sources(job(folder), folder)
    for proposed in ((corpus(folder, name),), (law, corpus(folder, name))):
        with pytest.raises(InputError, match=words):
            sources.add((), proposed)
        assert sources.open() == Sources(job(folder), folder).open()
        assert len(sources.facts) == len(proposed)
    sources.add((law,))
    assert sources.build_all((RowAddress(1, 3),))


def test_an_audit_builds_blocks_of_added_sources_again(folder: Path, tmp_path: Path) -> None:
    told, directory = job(folder), RunDirectory(tmp_path / "run")
    directory.create()
    directory.job.write_text(dump_toml(told))
    told = load_job(directory.job)
    law, sources = corpus(folder, "law"), Sources(told, folder)
    added = (AddedSource(law, sources.add((law,))[1]),)
    course = course_of(told, ())
    begun = begun_recipes(told, course)
    request = RecipeRequest("a", (("law", 3.0),), 4, (law,))
    log = answered(request, begun, told, course, Room(2, 3, 9))[0]
    opened = RunOpened(
        0.0, "r", 1, settings_digest(told), sources.open(), begun, "", told.train.lanes, 1
    )
    changed = RecipesChanged(0.0, 2, log, "asked", "a", 4, added)

    def committed(step: int) -> StepCommitted:
        rows = [numbered_rows(log, sources.facts, 2 * step + lane, 4) for lane in range(2)]
        digests = tuple(sources.build_all(some)[0] for some in rows)
        assert any(row.source == 1 for some in rows for row in some) == (step >= 4)
        return StepCommitted(0.0, step, 1, int(step >= 4), digests, (1.0, 1.0), 1.0, f"w{step}")

    def audited(change: RecipesChanged) -> str:
        directory.journal.unlink(missing_ok=True)
        with JournalWriter.open(directory.journal) as writer:
            writer.append([opened, *map(committed, (0, 1)), change, *map(committed, range(2, 9))])
            again = replace(opened, incarnation=2, recipes=log, added=added)
            writer.append([again])
        return audit_run(directory.root, folder).audit

    assert audited(changed) == "ok"
    report = audit_run(directory.root, folder)
    assert (report.steps, report.blocks) == (9, 18)
    assert report.recipes[1].weights == {"cats": 0.25, "law": 0.75}
    other = AddedSource(law, replace(added[0].fact, rows=added[0].fact.rows - 1))
    assert audited(replace(changed, added=(other,))).startswith("sources that were added")
    assert audited(replace(changed, added=())).startswith("the recipe log does not say")
