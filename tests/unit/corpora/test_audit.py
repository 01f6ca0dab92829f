"""An audit builds every block again, and says whether the data or the training went wrong."""

from pathlib import Path
from typing import Any

import h5py
import pytest
from msgspec.structs import replace

from qmpi.cli.audit import found_good
from qmpi.config.data import ContentSource, CorpusSource, DataSettings
from qmpi.config.evaluation import EvaluationSettings
from qmpi.config.guard import GuardSettings
from qmpi.config.load import dump_toml, load_job, settings_digest
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.corpora import audit
from qmpi.corpora.audit import AuditReport, audit_run
from qmpi.corpora.sources import Sources
from qmpi.ingest.corpus import IngestOptions, ingest_corpus
from qmpi.policy.held_out import held_out_row
from qmpi.policy.hyperparameters import carried_on, first_hyperparameters, rate_at
from qmpi.policy.roll_back import roll_back_to, rolled_back
from qmpi.policy.stream import first_recipe, numbered_rows, rows_of_block
from qmpi.protocol.journal import GenerationOpened, RunOpened, StepCommitted
from qmpi.protocol.recipe import RowAddress
from qmpi.protocol.roll_back import RollBack
from qmpi.storage.journal import JournalWriter
from qmpi.storage.run_directory import RunDirectory

STEPS = 3
LANES = 2
ROWS = 4


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat and the dog sat too\n" * 400)
    corpus = tmp_path / "corpus"
    ingest_corpus([text], corpus, IngestOptions(vocab_size=300), lambda _: None)
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    directory.job.write_text(dump_toml(_job(corpus)))
    _write_journal(directory, _block_digests(load_job(directory.job), tmp_path))
    return directory


def _job(corpus: Path) -> Settings:
    return Settings(
        model=ModelSettings(vocab_size=300),
        train=TrainSettings(
            steps=STEPS, lanes=LANES, microbatches=1, sequences=ROWS, sequence_tokens=16
        ),
        data=DataSettings(
            sources=(
                CorpusSource(name="cats", path=str(corpus)),
                ContentSource(name="sums", type="mathematics"),
            )
        ),
    )


def _opened(settings: Settings, cache: Path) -> RunOpened:
    recipes = (first_recipe([s.weight for s in settings.data.sources], settings.job.seed),)
    facts = Sources(settings, cache).open()
    return RunOpened(0.0, "r", 1, settings_digest(settings), facts, recipes, "", LANES, 1)


def _block_digests(settings: Settings, cache: Path, steps: int = STEPS) -> list[tuple[str, ...]]:
    sources = Sources(settings, cache)
    facts = sources.open()
    recipes = _opened(settings, cache).recipes

    def digest(step: int, lane: int) -> str:
        rows = rows_of_block(recipes, facts, step, lane, lanes=LANES, rows_per_block=ROWS)
        wanted = [row.row for row in rows if row.source == 1]
        assert wanted, "both sources are in every block"
        return sources.build(rows, [(1, sources.make("sums", wanted))])[0]

    return [tuple(digest(step, lane) for lane in range(LANES)) for step in range(steps)]


def _write_journal(directory: RunDirectory, digests: list[tuple[str, ...]]) -> None:
    settings = load_job(directory.job)
    directory.journal.unlink(missing_ok=True)
    with JournalWriter.open(directory.journal) as writer:
        writer.append([_opened(settings, directory.root.parent)])
        for step, blocks in enumerate(digests):
            losses = (1.0,) * LANES
            writer.append([StepCommitted(0.0, step, 1, 0, blocks, losses, 1.0, f"w{step}")])


def test_blocks_are_built_again_and_compared(run: RunDirectory) -> None:
    report = audit_run(run.root, run.root.parent)
    assert (report.audit, report.steps, report.blocks) == ("ok", STEPS, STEPS * LANES)
    assert report.digest == f"w{STEPS - 1}"


def test_other_data_are_found(run: RunDirectory) -> None:
    digests = _block_digests(load_job(run.job), run.root.parent)
    digests[1] = (digests[1][1], digests[1][0])
    _write_journal(run, digests)
    report = audit_run(run.root, run.root.parent)
    assert report.audit == "block (1, 0) is not what was trained on"
    assert report.blocks == LANES


def test_damaged_data_are_not_called_other_data(run: RunDirectory) -> None:
    settings = load_job(run.job)
    shard = next(Path(settings.data.sources[0].path).glob("shard-*.h5"))
    _damage(shard)
    report = audit_run(run.root, run.root.parent)
    assert report.audit.startswith("the data cannot be read again: ")
    assert shard.name in report.audit


def test_a_source_that_grew_is_found(run: RunDirectory) -> None:
    settings = load_job(run.job)
    corpus = Path(settings.data.sources[0].path)
    text = run.root.parent / "text.txt"
    text.write_text(text.read_text() + "one line more\n")
    again = IngestOptions(tokenizer=corpus / "tokenizer.json", name="cats")
    ingest_corpus([text], corpus, replace(again, force=True), lambda _: None)
    report = audit_run(run.root, run.root.parent)
    assert report.audit == "the data sources are not those of the run"


def test_a_held_out_row_that_is_trained_on_is_found(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = load_job(run.job)
    held = replace(job, evaluation=EvaluationSettings(held_out=0.1))
    run.job.write_text(dump_toml(held))
    _write_journal(run, _block_digests(held, run.root.parent))
    assert audit_run(run.root, run.root.parent).audit == "ok"
    leaky = RowAddress(0, held_out_row(Sources(held, run.root.parent).open()[0], 0))

    def planted(*args: Any, **kwargs: Any) -> tuple[RowAddress, ...]:
        return (*numbered_rows(*args, **kwargs)[1:], leaky)

    monkeypatch.setattr(audit, "numbered_rows", planted)
    told = audit_run(run.root, run.root.parent).audit
    assert told == f"row {leaky.row} of source 'cats' is held out, but in block (0, 0)"


def _lines(
    directory: RunDirectory, openings: dict[int, RunOpened], steps: list[StepCommitted]
) -> None:
    directory.journal.unlink(missing_ok=True)
    with JournalWriter.open(directory.journal) as writer:
        for number, step in enumerate(steps):
            writer.append([*([openings[number]] if number in openings else []), step])


def _trained(directory: RunDirectory, skipped: tuple[int, ...] = ()) -> list[StepCommitted]:
    settings = load_job(directory.job)
    log, updates, steps = (first_hyperparameters(settings),), 0, list[StepCommitted]()
    for step, blocks in enumerate(_block_digests(settings, directory.root.parent)):
        lost = step in skipped
        updates += not lost
        losses = (-1.0, 2.0) if lost else (1.0, 2.0)
        steps.append(
            StepCommitted(
                time=0.0,
                step=step,
                generation=1,
                recipe=0,
                block_digests=blocks,
                lane_losses=losses,
                loss=2.0,
                weight_digest=f"w{step}",
                gradient_norm=-1.0 if lost else 0.5,
                learning_rate=rate_at(log, step),
                seconds=3.0,
                wait_seconds=1.0,
                redone=1,
                updates=updates,
            )
        )
    return steps


def _logged(settings: Settings, cache: Path, *, back_to: int = -1) -> RunOpened:
    log = (first_hyperparameters(settings),)
    return replace(_opened(settings, cache), hyperparameters=log, back_to=back_to)


def test_skipped_updates_are_counted_and_most_of_them_are_no_training(run: RunDirectory) -> None:
    settings, cache = load_job(run.job), run.root.parent
    _lines(run, {0: _logged(settings, cache)}, _trained(run, (1,)))
    report = audit_run(run.root, cache)
    assert (report.audit, report.updates, report.skipped) == ("ok", 2, 1)
    assert (report.undefined_lanes, report.redone_passes, report.wait_share) == (1, 3, 0.25)
    assert report.gradient_norm == 0.5
    _lines(run, {0: _logged(settings, cache)}, _trained(run, (1, 2)))
    report = audit_run(run.root, cache)
    assert report.audit.startswith("most updates were skipped: 2 of 3 steps")
    assert (report.updates, report.skipped, report.blocks) == (1, 2, STEPS * LANES)


def test_updates_that_do_not_add_up_are_found(run: RunDirectory) -> None:
    steps = _trained(run)
    steps[2] = replace(steps[2], updates=2)
    _lines(run, {0: _logged(load_job(run.job), run.root.parent)}, steps)
    report = audit_run(run.root, run.root.parent)
    assert report.audit == "step 2 tells of 2 updates, but 3 were applied"


def test_a_rate_that_did_not_hold_is_found(run: RunDirectory) -> None:
    settings, cache, steps = load_job(run.job), run.root.parent, _trained(run)
    steps[1] = replace(steps[1], learning_rate=0.5)
    _lines(run, {0: _logged(settings, cache)}, steps)
    assert audit_run(run.root, cache).audit.startswith("step 1 was trained at the learning rate 0")
    # A journal of an old version does not hold the log, and may come from another formula.
    _lines(run, {0: _opened(settings, cache)}, steps)
    assert audit_run(run.root, cache).audit == "ok"


def test_steps_after_going_back_count_by_their_last_execution(run: RunDirectory) -> None:
    settings, cache, steps = load_job(run.job), run.root.parent, _trained(run)
    bad = [replace(step, lane_losses=(9.0, 9.0), weight_digest="bad") for step in steps]
    story = [steps[0], bad[1], bad[2], *steps[1:]]
    first = _logged(settings, cache)
    _lines(run, {0: first, 3: replace(first, incarnation=2, back_to=1)}, story)
    report = audit_run(run.root, cache)
    assert (report.audit, report.steps, report.went_back) == ("ok", STEPS, (1,))
    assert report.digest == "w2"
    # Without the user's word the same is a fault.
    again = GenerationOpened(0.0, 2, (1,), ((0, 1),), 1, "disk", "because")
    run.journal.unlink()
    with JournalWriter.open(run.journal) as writer:
        writer.append([first, *story[:3], again, *story[3:]])
    assert audit_run(run.root, cache).audit == "step 1 was done again with other losses"


def test_changes_are_listed_and_a_digest_due_elsewhere_is_no_fault(run: RunDirectory) -> None:
    begun, cache, steps = load_job(run.job), run.root.parent, _trained(run)
    run.begun.write_text(dump_toml(begun))
    changed = replace(begun, optimizer=replace(begun.optimizer, learning_rate=0.001))
    run.job.write_text(dump_toml(changed))
    first = _logged(begun, cache)
    log = carried_on(first.hyperparameters, changed, 2)
    second = replace(first, incarnation=2, hyperparameters=log)
    again = GenerationOpened(0.0, 2, (1,), ((0, 1),), 1, "disk", "because")
    last = replace(steps[2], learning_rate=rate_at(log, 2))
    run.journal.unlink()
    with JournalWriter.open(run.journal) as writer:
        silent = replace(steps[1], weight_digest="")
        writer.append([first, steps[0], steps[1], second, again, silent, last])
    report = audit_run(run.root, cache)
    assert report.audit == "ok"
    assert report.changes == ("from step 2 on: optimizer.learning_rate 0.003 -> 0.001",)


def _damage(shard: Path) -> None:
    """Change one byte in the middle of the ids, whose chunk then fails its checksum."""
    with h5py.File(shard, "r", locking=False) as file:
        span = file["tokens"].id.get_chunk_info(0)
    data = bytearray(shard.read_bytes())
    data[span.byte_offset + span.size // 2] ^= 1
    shard.write_bytes(data)


def _guarded(settings: Settings, cache: Path) -> RunOpened:
    guard = GuardSettings(loss_spike=2.0, warmup_steps=2, window_steps=8)
    log = (replace(first_hyperparameters(settings), guard=guard),)
    return replace(_opened(settings, cache), hyperparameters=log)


def test_spikes_are_judged_again_and_counted_apart(run: RunDirectory) -> None:
    settings, cache = load_job(run.job), run.root.parent
    steps = _trained(run)
    odd = replace(steps[2], lane_losses=(9.0, 9.0), spike="loss", updates=2)
    _lines(run, {0: _guarded(settings, cache)}, [*steps[:2], odd])
    report = audit_run(run.root, cache)
    assert (report.audit, report.updates, report.skipped, report.spikes) == ("ok", 2, 0, 1)
    _lines(run, {0: _guarded(settings, cache)}, [*steps[:2], replace(odd, spike="", updates=3)])
    told = audit_run(run.root, cache).audit
    assert told == "step 2 tells that nothing stood out, but by its guard its loss did"
    calm = replace(steps[2], spike="norm", updates=2)
    _lines(run, {0: _guarded(settings, cache)}, [*steps[:2], calm])
    told = audit_run(run.root, cache).audit
    assert told == "step 2 tells that its norm stood out, but by its guard nothing did"


def _rolled_back(settings: Settings, cache: Path) -> tuple[RunOpened, RunOpened]:
    """Return how a run is opened whose step 2 is a spike, and how it goes on at step 1."""
    first = _guarded(settings, cache)
    held = first.hyperparameters[0]
    guard = replace(held.guard, action="roll_back", back_steps=1)
    first = replace(first, hyperparameters=(replace(held, guard=guard),))
    told = roll_back_to(first.hyperparameters, 2, 1, LANES)
    log = rolled_back(first.hyperparameters, replace(settings, guard=guard), told)
    return first, replace(
        first, incarnation=2, hyperparameters=log, back_to=told.back_to, roll_back=told
    )


def _blocks_from(settings: Settings, cache: Path, block: int) -> tuple[str, ...]:
    """Return the digests of a step whose first block has a number."""
    return _block_digests(settings, cache, block // LANES + 1)[-1]


@pytest.mark.parametrize(
    ("spikes", "said"), [(1, "1 left out as a spike"), (2, "2 left out as spikes")]
)
def test_spikes_are_counted_in_words_that_fit(spikes: int, said: str) -> None:
    told = found_good(AuditReport("ok", 9, 9, "", updates=9 - spikes, spikes=spikes))
    assert f"{said}," in told


def test_a_roll_back_is_derived_anew_and_a_forged_one_found(run: RunDirectory) -> None:
    settings, cache = load_job(run.job), run.root.parent
    steps = _trained(run)
    first, second = _rolled_back(settings, cache)
    told = second.roll_back
    assert told == RollBack(2, 1, 3 * LANES)
    odd = replace(steps[2], lane_losses=(9.0, 9.0), spike="loss", updates=2, halts=True)

    def audited(opened: RunOpened, blocks: int = 3 * LANES, **changed: Any) -> AuditReport:
        spike = replace(odd, **changed)
        anew = [
            replace(step, block_digests=_blocks_from(settings, cache, blocks + LANES * number))
            for number, step in enumerate(steps[1:])
        ]
        _lines(run, {0: first, 3: opened}, [*steps[:2], spike, *anew])
        return audit_run(run.root, cache)

    report = audited(second)
    assert (report.audit, report.steps, report.spikes) == ("ok", STEPS, 0)
    assert (report.went_back, report.roll_backs) == ((), (told,))
    lines = found_good(report).splitlines()
    gone = "  rolled back from the spike of step 2 to step 1: what came after was given up"
    assert lines[1:] == [gone, f"  {report.changes[0]}"]
    assert "spike" not in lines[0], "it does not stand"
    assert report.changes == ("from step 1 on: blocks 2 to 5 of the stream are passed over",)
    # The journal's own word on the block is not believed, nor is a log that goes on elsewhere.
    forged = replace(second, roll_back=replace(told, block=4 * LANES))
    assert "tells of block 8" in audited(forged).audit
    log = second.hyperparameters
    batch = replace(log[1].batch, block=4 * LANES)
    other = replace(second, hyperparameters=(log[0], replace(log[1], batch=batch)))
    assert "goes on with block 8" in audited(other, 4 * LANES).audit
    assert audited(second, 4 * LANES).audit == "block (1, 0) is not what was trained on"
    assert "no such spike" in audited(second, halts=False).audit
    assert "by its guard nothing did" in audited(second, lane_losses=(1.0, 1.0)).audit
    far = replace(second, back_to=0, roll_back=replace(told, back_to=0))
    assert "its guard says 1 steps" in audited(far).audit
