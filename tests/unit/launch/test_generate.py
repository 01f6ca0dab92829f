"""What is wrong before ranks start is the user's mistake, and nothing is made."""

import os
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from qmpi.config.data import DataSettings
from qmpi.config.model import ModelSettings
from qmpi.config.settings import FailureSettings, Settings
from qmpi.corpora.generate_plan import open_plan
from qmpi.errors import ConfigError, CorruptData, InputError, UserError
from qmpi.launch.farm import Onlookers, run_farm
from qmpi.launch.generate import GenerateOptions, keep_tokenizer, prepare_corpus
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.run_directory import RunLock
from qmpi.storage.tokenizer import train_tokenizer


@pytest.mark.parametrize("named", ["nosuch", "folder", "builtin:nosuch"])
def test_a_tokenizer_that_is_not_there_is_the_users_mistake(tmp_path: Path, named: str) -> None:
    (tmp_path / "folder").mkdir()
    where = Path(named) if ":" in named else tmp_path / named
    options = GenerateOptions(tokens=1, out=tmp_path / "out", tokenizer=where)
    with pytest.raises(InputError):
        prepare_corpus(None, options, tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_job_is_refused_whose_model_has_too_few_rows(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(["the quick brown fox"], 300)
    tokenizer.save(tmp_path / "tokenizer.json")
    job = Settings(
        model=ModelSettings(vocab_size=tokenizer.size - 1),
        data=DataSettings(tokenizer=str(tmp_path / "tokenizer.json")),
    )
    options = GenerateOptions(tokens=1, out=tmp_path / "out")
    with pytest.raises(InputError, match=f"vocab_size is {tokenizer.size - 1}"):
        prepare_corpus(job, options, tmp_path)
    assert not (tmp_path / "out").exists()
    # Named on the command line it is meant for another model.
    named = replace(options, tokenizer=tmp_path / "tokenizer.json")
    assert prepare_corpus(job, named, tmp_path).spec.tokenizer_digest == tokenizer.digest


def test_what_is_missing_of_a_corpus_that_is_there_is_told_or_put_back(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(["the quick brown fox"], 300)
    given = tmp_path / "tokenizer.json"
    tokenizer.save(given)
    options = GenerateOptions(tokens=1, out=tmp_path / "out", tokenizer=given)
    prepared = prepare_corpus(None, options, tmp_path)
    beside = options.out / "tokenizer.json"
    beside.write_bytes(b"{}")
    write_atomic(prepared.directory / "work.json", msgspec.json.encode(prepared.work))
    resumed = prepare_corpus(None, options, tmp_path)
    assert resumed.state == "resumed"
    assert beside.read_bytes() == b"{}", "the directory is not claimed yet"
    keep_tokenizer(resumed)
    assert beside.read_bytes() == given.read_bytes()
    plan = open_plan(prepared.work.plan, prepared.directory)
    plan.run(0, 0, lambda _: None)
    plan.finish()
    beside.unlink()
    with RunLock(prepared.directory / "lock"):
        assert prepare_corpus(None, options, tmp_path).state == "resumed", "somebody is at it"
    assert prepare_corpus(None, options, tmp_path).state == "complete"
    assert beside.read_bytes() == given.read_bytes()
    (options.out / "shard-000000.h5").unlink()
    with pytest.raises(CorruptData, match="qmpi shards repair"):
        prepare_corpus(None, options, tmp_path)


def test_the_tokenizer_of_other_work_stays(tmp_path: Path) -> None:
    names = ("one", "two")
    for name in names:
        train_tokenizer([name * 9], 300).save(tmp_path / f"{name}.json")
    one, two = (
        GenerateOptions(tokens=1, out=tmp_path / "out", tokenizer=tmp_path / f"{name}.json")
        for name in names
    )
    prepared = prepare_corpus(None, one, tmp_path)
    keep_tokenizer(prepared)
    write_atomic(prepared.directory / "work.json", msgspec.json.encode(prepared.work))
    other = prepare_corpus(None, two, tmp_path)
    onlookers = Onlookers(print, lambda: None, lambda: True, lambda: keep_tokenizer(other))
    with pytest.raises(ConfigError, match="tokenizer digest"):
        run_farm(other.work, other.directory, 1, onlookers, os.environ)
    assert (one.out / "tokenizer.json").read_bytes() == (tmp_path / "one.json").read_bytes()


@pytest.mark.parametrize("lock", ["lock", "supervisor.lock"])
def test_a_command_that_is_refused_changes_nothing(tmp_path: Path, lock: str) -> None:
    train_tokenizer(["abc" * 9], 300).save(tmp_path / "tokenizer.json")
    options = GenerateOptions(
        tokens=1, out=tmp_path / "out", tokenizer=tmp_path / "tokenizer.json", force=True
    )
    prepared = prepare_corpus(None, options, tmp_path)
    work = replace(prepared.work, failure=FailureSettings(max_relaunches=0))
    path = prepared.directory / "work.json"
    path.write_bytes(msgspec.json.encode(prepared.work))
    before = path.read_bytes()
    onlookers = Onlookers(print, lambda: None, lambda: True)
    with RunLock(prepared.directory / lock):
        with pytest.raises(UserError, match="in use"):
            prepare_corpus(None, options, tmp_path)
        if lock == "supervisor.lock":
            with pytest.raises(UserError, match="in use"):
                run_farm(work, prepared.directory, 1, onlookers, os.environ)
    assert path.read_bytes() == before


def test_more_than_there_is_room_for_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    options = GenerateOptions(tokens=10**16, out=tmp_path / "out" / "corpus")
    with pytest.raises(InputError, match=r"10,000,000,000,000,000 tokens take 2,500,000\.0 GB"):
        prepare_corpus(None, options, tmp_path / "cache")
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "cache").iterdir())
