"""Which tokenizer a job uses."""

import threading

import pytest

from qmpi.config.data import ContentSource, DataSettings
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.corpora import content_tokenizer
from qmpi.corpora import tokenizer as subject
from qmpi.corpora.tokenizer import open_tokenizer, tokenizer_path, with_tokenizer
from qmpi.errors import CorruptData, InputError


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
    monkeypatch.setattr(subject, "resolve", lambda where, *_: tmp_path / where)
    with pytest.raises(InputError, match="builtin:python"):
        tokenizer_path(_job("", 32767), tmp_path)


def test_a_file_is_used_as_it_is_and_a_missing_one_is_told(tmp_path):
    file = tmp_path / "mine.json"
    with pytest.raises(InputError, match="no tokenizer at"):
        tokenizer_path(_job(str(file)), tmp_path)
    file.write_text("{}")
    assert tokenizer_path(_job(str(file)), tmp_path) == file


@pytest.fixture
def few_words(monkeypatch):
    made = []

    def texts():
        made.append(threading.current_thread())
        return iter(["few words"] * 3)

    monkeypatch.setattr(content_tokenizer, "training_texts", texts)
    return made


def test_generated_text_without_a_job_has_its_own(tmp_path, few_words):
    assert tokenizer_path(None, tmp_path).name.startswith("builtin-content-")
    assert with_tokenizer(None, "") is None
    named = with_tokenizer(None, "builtin:content")
    assert tokenizer_path(named, tmp_path) == tokenizer_path(None, tmp_path)
    assert len(few_words) == 1


def test_one_makes_it_and_all_who_wait_are_told(tmp_path, few_words):
    told, opened = [], []

    def use():
        opened.append(open_tokenizer(None, tmp_path, lambda progress: told.append(progress.stage)))

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(few_words) == 1
    assert len({tokenizer.digest for tokenizer in opened}) == 1
    assert told
    told.clear()
    use()
    assert not told, "made once, and never told again"


def test_what_is_no_tokenizer_is_the_fault_of_who_named_it(tmp_path, few_words):
    file = tmp_path / "mine.json"
    for garbage in (b"", b"{}", b"\xff\x00", b'{"model": 3}'):
        file.write_bytes(garbage)
        with pytest.raises(InputError, match=r"mine\.json"):
            open_tokenizer(_job(str(file)), tmp_path / "cache")
    cache = tmp_path / "cache"
    tokenizer_path(None, cache).write_bytes(b"{}")
    with pytest.raises(CorruptData, match=r"remove .*cache"):
        open_tokenizer(None, cache)
    assert few_words


def test_there_is_no_other_built_in_one(tmp_path):
    with pytest.raises(InputError, match="builtin:content and builtin:python"):
        tokenizer_path(_job("builtin:latin"), tmp_path)
