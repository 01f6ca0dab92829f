"""What is wrong before ranks start is the user's mistake, and nothing is made."""

from pathlib import Path

import pytest

from qmpi.errors import InputError
from qmpi.runtime.start_generate import GenerateOptions, prepare_corpus


@pytest.mark.parametrize("named", ["nosuch", "folder", "builtin:nosuch"])
def test_a_tokenizer_that_is_not_there_is_the_users_mistake(tmp_path: Path, named: str) -> None:
    (tmp_path / "folder").mkdir()
    where = Path(named) if ":" in named else tmp_path / named
    options = GenerateOptions(tokens=1, out=tmp_path / "out", tokenizer=where)
    with pytest.raises(InputError):
        prepare_corpus(None, options, {"QMPI_CACHE": str(tmp_path)})
    assert not (tmp_path / "out").exists()
