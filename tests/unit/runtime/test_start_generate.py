"""What is wrong before ranks start is the user's mistake, and nothing is made."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.config.settings import DataSettings, ModelSettings, Settings
from qmpi.errors import InputError
from qmpi.runtime.start_generate import GenerateOptions, prepare_corpus
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
