"""A corpus that was generated, quickly: what tests of its shards damage copies of."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.corpora.small_corpus import make_all, quick_plan, use_quick_maker


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The quick maker stays in place as long as the corpus is used."""
    out = tmp_path_factory.mktemp("whole") / "corpus"
    with pytest.MonkeyPatch.context() as patch:
        use_quick_maker(patch)
        make_all(quick_plan(out))
        shutil.rmtree(out / "work")
        yield out


@pytest.fixture
def corpus(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "corpus"))
