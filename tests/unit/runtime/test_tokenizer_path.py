"""Which tokenizer a job uses."""

import pytest

from qmpi.config.settings import ContentSource, DataSettings, Settings
from qmpi.content import content_tokenizer
from qmpi.errors import InputError
from qmpi.runtime.data_service import tokenizer_path


def _job(named):
    sources = (ContentSource(name="tales", type="creative"),)
    return Settings(data=DataSettings(tokenizer=named, sources=sources))


def test_the_tokenizer_of_generated_text_is_made_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(content_tokenizer, "training_texts", lambda: iter(["few words"] * 3))
    path = tokenizer_path(_job("builtin:content"), tmp_path)
    assert path.is_file()
    assert path.parent == tmp_path


def test_a_file_is_used_as_it_is_and_a_missing_one_is_told(tmp_path):
    file = tmp_path / "mine.json"
    with pytest.raises(InputError, match="no tokenizer at"):
        tokenizer_path(_job(str(file)), tmp_path)
    file.write_text("{}")
    assert tokenizer_path(_job(str(file)), tmp_path) == file
