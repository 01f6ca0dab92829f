"""What `qmpi sample` is asked for may be odd; it is never a bug."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from unit.exchange.small_run import SHAPES, engine, settings, small_run, tokenizer, write_run

from qmpi.corpora.tokenizer import find_kinds
from qmpi.errors import CorruptData, InputError
from qmpi.exchange import sample
from qmpi.exchange.checkpoint import read_checkpoint
from qmpi.exchange.sample import Sampler, Wanted, sample_run
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.snapshot_file import SnapshotHeader, write_snapshot
from qmpi.storage.snapshot_store import snapshot_path
from qmpi.training.draws import Draws


@pytest.fixture
def run(tmp_path):
    return small_run(tmp_path)[0]


def told(text: str) -> None:
    raise AssertionError(text)


def sampler(run: Path, tell=told) -> Sampler:
    return Sampler(run, None, run / "cache", tell)


def texts(pieces) -> dict[int, str]:
    made: dict[int, str] = {}
    for piece in pieces:
        made[piece.row] = made.get(piece.row, "") + piece.text
    return made


def test_prompt_that_is_not_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="UTF-8"):
        sample_run(tmp_path, "\udcff", Draws(5, 1.0, 0), tmp_path, print)


def test_a_damaged_checkpoint_is_passed_over_and_told(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.create()
    with pytest.raises(InputError, match="no checkpoint yet"):
        read_checkpoint(tmp_path, 1, None, print)
    paths = [snapshot_path(directory.checkpoints, step) for step in (10, 20)]
    for path, step in zip(paths, (10, 20), strict=True):
        header = SnapshotHeader(step=step, size=len(path.name), digest="", run_id="r")
        write_snapshot(path, header, [path.name.encode()], durable=False)
    said: list[str] = []
    assert bytes(read_checkpoint(tmp_path, 1, None, told).payloads[0]) == paths[1].name.encode()
    paths[1].write_bytes(paths[1].read_bytes()[:-1] + b"?")
    assert (
        bytes(read_checkpoint(tmp_path, 1, None, said.append).payloads[0]) == paths[0].name.encode()
    )
    assert paths[1].name in said[0]
    assert paths[0].name in said[0]
    paths[0].write_bytes(b"")
    with pytest.raises(CorruptData) as fault:
        read_checkpoint(tmp_path, 1, None, said.append)
    assert all(path.name in str(fault.value) for path in paths)


def test_a_damaged_journal_is_told_and_keeps_nobody_from_sampling(run) -> None:
    RunDirectory(run).journal.write_text("?\n")
    said: list[str] = []
    assert read_checkpoint(run, 1, None, said.append).step == 0
    assert "not known whether" in said[0]


def test_a_prompt_begins_a_document_unless_it_is_told_not_to(run, monkeypatch) -> None:
    made = sampler(run)
    seen = []
    monkeypatch.setattr(
        "qmpi.training.sample.continue_rows",
        lambda _model, rows, _draws, _limits: seen.extend(rows) or (),
    )
    ids = tokenizer(run.parent / "again").encode("Hello")
    end = tokenizer(run.parent / "again").end_of_text
    list(made.stream(Wanted(("", "Hello")), Draws(3, 0.0, 0)))
    list(made.stream(Wanted(("Hello",), mid_document=True), Draws(3, 0.0, 0)))
    assert [row.ids for row in seen] == [[end], [end, *ids], ids]
    with pytest.raises(InputError, match="needs a prompt"):
        list(made.stream(Wanted(("",), mid_document=True), Draws(3, 0.0, 0)))


def test_texts_do_not_depend_on_company_or_batch(run, monkeypatch) -> None:
    made = sampler(run)
    draws = Draws(30, 1.0, 5)
    wanted = Wanted(("Hello", "def ", "", "Hello"), count=3)
    many = texts(made.stream(wanted, draws))
    assert many[0] == many[9], "the same prompt and copy"
    assert len({many[0], many[1], many[2]}) == 3
    assert many[3] == texts(made.stream(Wanted(("def ",)), draws))[0]
    monkeypatch.setattr(sample, "BATCH", 2)
    assert texts(made.stream(wanted, draws)) == many
    assert texts(made.stream(Wanted(("Hello",)), Draws(30, 1.0, 6)))[0] != many[0]


def test_a_long_prompt_is_told_once_and_seen_at_its_end(run) -> None:
    said: list[str] = []
    made = sampler(run, said.append)
    long = "def main(): " * 40
    both = texts(made.stream(Wanted((long, "x"), count=2), Draws(4, 0.0, 0)))
    assert len(said) == 1
    assert "prompt 1 has" in said[0]
    assert "the last 48" in said[0]
    assert both[0] == both[1]


def test_the_end_token_ends_a_text_and_is_not_told(run, monkeypatch) -> None:
    made = sampler(run)
    end = tokenizer(run.parent / "again").end_of_text
    from qmpi.training.sample import Drawn

    drawn = [Drawn(0, 40, last=False), Drawn(0, end, last=True)]
    monkeypatch.setattr("qmpi.training.sample.continue_rows", lambda *_: iter(drawn))
    pieces = list(made.stream(Wanted(("x",)), Draws(9, 0.0, 0)))
    assert (pieces[-1].ended, pieces[-1].tokens) == (True, 2)
    assert "endoftext" not in "".join(piece.text for piece in pieces)


def test_a_tokenizer_that_is_not_the_models_is_refused(tmp_path) -> None:
    from msgspec.structs import replace

    job = settings(tmp_path / "tokenizer", replace(SHAPES["tied, grouped"], vocab_size=256))
    write_run(tmp_path / "run", job, {0: engine(job)})
    with pytest.raises(InputError, match="raise it to at least"):
        sampler(tmp_path / "run")
    (tmp_path / "tokenizer" / "tokenizer.json").unlink()
    with pytest.raises(InputError, match="no tokenizer"):
        sampler(tmp_path / "run")


def test_documents_are_masked_where_the_run_masks_them(run, tmp_path):
    assert sampler(run)._model.divider is None
    job = settings(tmp_path / "tokenizer")
    masked = replace(job, data=replace(job.data, document_mask=True))
    other = write_run(tmp_path / "masked", masked, {0: engine(masked)})
    found = sampler(other)._model.divider
    assert found == tokenizer(tmp_path / "again").end_of_text
    assert find_kinds(job, tmp_path / "cache").divider is None
    assert find_kinds(masked, tmp_path / "cache").divider == found
