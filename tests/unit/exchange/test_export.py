"""Exports appear whole or not at all, replace nothing by accident, and read runs that go on."""

import errno
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from msgspec.structs import replace
from unit.exchange.small_run import RUN_ID, SHAPES, engine, settings, small_run, write_run

from qmpi.errors import CorruptData, InputError, StorageError
from qmpi.exchange import checkpoint, export
from qmpi.exchange.export import Form, export_run, shard
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.safetensors_file import read_weights, tensor_bytes
from qmpi.storage.snapshot_store import snapshot_path
from qmpi.storage.tokenizer import Tokenizer


def export_to(tmp_path, step=None, form=Form(), said=None, run="run"):  # noqa: B008 - frozen
    tell = [].append if said is None else said.append
    return export_run(
        tmp_path / run, tmp_path / "hf", step, form, cache=tmp_path / "cache", tell=tell
    )


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_the_weights_are_the_bytes_of_the_checkpoint(tmp_path):
    _, job, model = small_run(tmp_path)
    done = export_to(tmp_path)
    assert names(done.directory) == [
        "README.md", "config.json", "generation_config.json", "model.safetensors",
        "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    entries = read_weights(done.directory)
    assert set(entries) == {name for name, _ in model.named_parameters()}
    for name, parameter in model.named_parameters():
        assert bytes(tensor_bytes(entries[name])) == parameter.detach().numpy().tobytes()
    card = (done.directory / "README.md").read_text()
    for fact in (RUN_ID, "step | 0 of 20", done.digest, "mathematics", "CC BY-SA 4.0"):
        assert fact in card
    assert engine(job).snapshot()[0] in card
    assert done.digest == engine(job)._state.digest()
    assert names(tmp_path) == ["hf", "run", "tokenizer"]


def test_shards_are_as_large_as_is_asked_for(tmp_path):
    job = settings(tmp_path / "tokenizer")
    for dtype, limit in (("float32", 30_000), ("bfloat16", 30_000), ("float32", 1)):
        files = shard(job, Form(dtype, limit))
        for tensors in files.values():
            assert len(tensors) == 1 or sum(tensor.size for tensor in tensors) <= limit
    assert list(files) == [f"model-{n:05d}-of-00024.safetensors" for n in range(1, 25)]
    assert list(shard(job, Form())) == ["model.safetensors"]


def test_a_step_can_be_named_and_damage_falls_back(tmp_path):
    job = settings(tmp_path / "tokenizer")
    states = {step: engine(job, noise=step) for step in (10, 20)}
    for step, made in states.items():
        made._state.set_counters(step, step, 0)
    run = write_run(tmp_path / "run", job, states)
    said: list[str] = []
    assert (export_to(tmp_path, said=said).step, said) == (20, [])
    assert export_to(tmp_path, 10, Form(replace=True)).step == 10
    with pytest.raises(InputError, match="no checkpoint of step 15; there are 10, 20"):
        export_to(tmp_path, 15, Form(replace=True))
    path = snapshot_path(RunDirectory(run).checkpoints, 20)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(CorruptData, match="digest"):
        export_to(tmp_path, 20, Form(replace=True))
    assert export_to(tmp_path, None, Form(replace=True), said).step == 10
    assert "does not match its digest" in said[0]
    assert "step-0000000000000000010.snap is taken instead" in said[0]


def test_a_file_that_vanishes_while_it_is_looked_for_is_passed_over(tmp_path, monkeypatch):
    job = settings(tmp_path / "tokenizer")
    run = write_run(tmp_path / "run", job, {5: engine(job)})
    later = write_run(tmp_path / "later", job, {9: engine(job)})
    read = checkpoint.read_header
    calls: list[Path] = []

    def prune_first(path):
        calls.append(path)
        if len(calls) == 1:
            path.unlink()
            snapshot_path(RunDirectory(later).checkpoints, 9).rename(snapshot_path(path.parent, 9))
        return read(path)

    monkeypatch.setattr(checkpoint, "read_header", prune_first)
    assert checkpoint.read_checkpoint(run, 1, None, print).facts[0].path.endswith("9.snap")


def test_a_checkpoint_that_was_renamed_is_not_taken_for_that_of_its_name(tmp_path):
    job = settings(tmp_path / "tokenizer")
    run = write_run(tmp_path / "run", job, {5: engine(job), 6: engine(job)})
    folder = RunDirectory(run).checkpoints
    snapshot_path(folder, 6).rename(snapshot_path(folder, 9))
    with pytest.raises(CorruptData, match="is of step 6, whatever its name says"):
        export_to(tmp_path, 9)
    said: list[str] = []
    assert export_to(tmp_path, said=said).step == 5
    assert "is of step 6" in said[0]


def test_a_checkpoint_of_another_run_or_model_or_format_is_refused(tmp_path):
    job = settings(tmp_path / "tokenizer")
    run = write_run(tmp_path / "run", job, {5: engine(job)}, run_id="other")
    shutil.copy(Path(__file__).with_name("opened.jsonl"), RunDirectory(run).journal)
    with pytest.raises(CorruptData, match=r"is of another run \(other, not a1b2\)"):
        export_to(tmp_path)
    wide = settings(tmp_path / "tokenizer", replace(job.model, width=128))
    write_run(tmp_path / "wide", job, {5: engine(wide)})
    with pytest.raises(CorruptData, match=r"another \[model\] section"):
        export_to(tmp_path, run="wide")
    path = snapshot_path(RunDirectory(run).checkpoints, 5)
    raw = bytearray(path.read_bytes())
    raw[8] = 1
    path.write_bytes(raw)
    with pytest.raises(CorruptData, match=r"an older qmpi .format 1; this one reads format 2"):
        export_to(tmp_path)
    assert not (tmp_path / "hf").exists()


def test_nothing_is_replaced_by_accident(tmp_path):
    small_run(tmp_path)
    hf = tmp_path / "hf"
    hf.write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        export_to(tmp_path, form=Form(replace=True))
    assert hf.read_text() == "mine"
    hf.unlink()
    hf.mkdir()
    export_to(tmp_path)
    with pytest.raises(InputError, match="--force"):
        export_to(tmp_path)
    (hf / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt"):
        export_to(tmp_path, form=Form(replace=True))
    (hf / "notes.txt").unlink()
    (hf / "model-1-of-2.safetensors").mkdir()
    with pytest.raises(InputError, match=r"other things \(model-1-of-2"):
        export_to(tmp_path, form=Form(replace=True))
    (hf / "model-1-of-2.safetensors").rmdir()
    export_to(tmp_path, form=Form("bfloat16", replace=True))
    assert json.loads((hf / "config.json").read_text())["dtype"] == "bfloat16"
    assert names(tmp_path) == ["hf", "run", "tokenizer"]


def test_a_folder_that_only_looks_like_an_export_in_part_is_not_replaced(tmp_path):
    small_run(tmp_path)
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "README.md").write_text("mine")
    with pytest.raises(InputError, match=r"holds other things \(README\.md\)"):
        export_to(tmp_path, form=Form(replace=True))
    assert (tmp_path / "hf" / "README.md").read_text() == "mine"


def test_a_target_below_a_file_or_in_a_loop_is_named(tmp_path):
    run = small_run(tmp_path)[0]
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to("loop")
    for name, error, told in (
        ("file/models/one", InputError, f"{tmp_path / 'file'} is a file"),
        ("loop", StorageError, "symbolic links form a loop"),
    ):
        with pytest.raises(error, match=told):
            export_run(run, tmp_path / name, None, Form(), cache=tmp_path, tell=print)


def test_a_run_whose_job_was_lost_is_told_where_another_one_lies(tmp_path):
    directory = RunDirectory(small_run(tmp_path)[0])
    directory.job.rename(directory.begun)
    for damage in (lambda: None, directory.job.touch):
        damage()
        with pytest.raises(InputError, match=r"begun\.toml is the job that it was begun with: co"):
            export_to(tmp_path)
    directory.begun.unlink()
    with pytest.raises(InputError, match=r"job\.toml is empty"):
        export_to(tmp_path)


def test_a_disk_that_fills_leaves_nothing_behind(tmp_path, monkeypatch):
    small_run(tmp_path)
    export_to(tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "hf").iterdir()}

    def full(*_):
        raise StorageError("full") from OSError(errno.ENOSPC, "")

    monkeypatch.setattr(export, "write_tensors", full)
    with pytest.raises(StorageError, match="full"):
        export_to(tmp_path, form=Form(replace=True))
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=1, f_frsize=4096))
    with pytest.raises(StorageError, match=r"0\.0 MB free, 0\.5 MB are needed"):
        export_to(tmp_path, form=Form(replace=True))
    assert {path.name: path.read_bytes() for path in (tmp_path / "hf").iterdir()} == before
    assert names(tmp_path) == ["hf", "run", "tokenizer"]


def test_what_a_killed_export_left_is_swept_and_what_a_live_one_writes_is_not(tmp_path):
    small_run(tmp_path)
    host = export.write_atomic.__globals__["short_host"]()
    dead, alive = (tmp_path / f".hf.{host}-{pid}.tmp" for pid in (2**22 + 1, os.getppid()))
    for left in (dead, alive):
        left.mkdir()
    export_to(tmp_path)
    assert not dead.exists()
    assert alive.exists()


def test_a_tokenizer_with_more_ids_than_rows_is_refused(tmp_path):
    job = settings(tmp_path / "tokenizer", replace(SHAPES["tied, grouped"], vocab_size=256))
    write_run(tmp_path / "run", job, {0: engine(job)})
    with pytest.raises(InputError, match="raise it to at least"):
        export_to(tmp_path)
    with pytest.raises(InputError, match=r"no job\.toml"):
        export_to(tmp_path, run="absent")
    assert not (tmp_path / "hf").exists()


def test_what_a_tokenizer_adds_to_text_is_switched_off(tmp_path):
    small_run(tmp_path)
    path = tmp_path / "tokenizer" / "tokenizer.json"
    plain = Tokenizer.load(path)
    assert plain.plain_bytes() == path.read_bytes()
    form = json.loads(path.read_text())
    form["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}},
                   {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}],
        "special_tokens": {
            "<|endoftext|>": {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}
        },
    }  # fmt: skip
    form["model"]["dropout"] = 0.5
    path.write_text(json.dumps(form))
    export_to(tmp_path)
    import tokenizers

    found = tokenizers.Tokenizer.from_file(str(tmp_path / "hf" / "tokenizer.json"))
    for text in ("Hello world", "def main():\n"):
        assert found.encode(text).ids == plain.encode(text)


@pytest.mark.parametrize("model", SHAPES.values(), ids=SHAPES)
def test_weights_of_a_snapshot_are_those_of_the_engine(tmp_path, model):
    from qmpi.training.snapshot_weights import SnapshotWeights

    job = settings(tmp_path / "tokenizer", model)
    made = engine(job)
    _, parts = made.snapshot()
    found = dict(SnapshotWeights(job, [memoryview(bytes(parts[0]))]))
    for slot in made._state.layout.slots:
        assert torch.equal(found[slot.name], made._state.view(slot))
    assert len(found) == len(made._state.layout.slots)
