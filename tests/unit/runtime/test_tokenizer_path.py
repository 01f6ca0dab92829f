"""Which tokenizer a job uses."""

import pytest

from qmpi.config.settings import ContentSource, DataSettings, ModelSettings, Settings
from qmpi.content import content_tokenizer
from qmpi.errors import InputError
from qmpi.runtime import data_service
from qmpi.runtime.data_service import tokenizer_path


def _job(named, rows=4096):
    sources = (ContentSource(name="tales", type="creative"),)
    data = DataSettings(tokenizer=named, sources=sources)
    return Settings(model=ModelSettings(vocab_size=rows), data=data)


def test_the_tokenizer_of_generated_text_is_made_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(content_tokenizer, "training_texts", lambda: iter(["few words"] * 3))
    path = tokenizer_path(_job("builtin:content"), tmp_path)
    assert path.is_file()
    assert path.parent == tmp_path


def test_a_job_of_generated_text_uses_it_if_the_model_has_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(content_tokenizer, "training_texts", lambda: iter(["few words"] * 3))
    assert tokenizer_path(_job("", 32768), tmp_path).name.startswith("builtin-content-")
    monkeypatch.setattr(data_service, "resolve", lambda where, _: tmp_path / where)
    with pytest.raises(InputError, match="builtin:python"):
        tokenizer_path(_job("", 32767), tmp_path)


def test_a_file_is_used_as_it_is_and_a_missing_one_is_told(tmp_path):
    file = tmp_path / "mine.json"
    with pytest.raises(InputError, match="no tokenizer at"):
        tokenizer_path(_job(str(file)), tmp_path)
    file.write_text("{}")
    assert tokenizer_path(_job(str(file)), tmp_path) == file
