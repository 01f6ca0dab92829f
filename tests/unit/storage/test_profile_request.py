"""A request for a profile: taken once, and only if it is one."""

from pathlib import Path

import pytest

from qmpi.errors import CorruptData, StorageError
from qmpi.protocol.profiles import MOST_STEPS, ProfileRequest
from qmpi.storage.named_request import withdraw_request
from qmpi.storage.profile_request import take_request, write_request
from qmpi.units import Rank

REQUEST = ProfileRequest("a-1", 3, (Rank(2), Rank(4)))


def test_it_is_taken_once(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    write_request(path, REQUEST)
    assert take_request(path) == REQUEST
    assert not path.exists()
    with pytest.raises(StorageError):
        take_request(path)


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[]", "[" * 5000, '{"name": "x", "steps": "3", "ranks": []}',
        '{"name": "../x", "steps": 3, "ranks": []}', '{"name": "", "steps": 3, "ranks": []}',
        '{"name": "x", "steps": 0, "ranks": []}',
        f'{{"name": "x", "steps": {MOST_STEPS + 1}, "ranks": []}}',
    ],
)  # fmt: skip
def test_what_is_none_is_refused_and_taken_away(tmp_path: Path, text: str) -> None:
    path = tmp_path / "profile.json"
    path.write_text(text)
    with pytest.raises(CorruptData, match="no request"):
        take_request(path)
    assert not path.exists()


def test_only_ones_own_is_withdrawn(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    withdraw_request(path, "a-1")
    write_request(path, REQUEST)
    withdraw_request(path, "b-2")
    assert path.exists()
    withdraw_request(path, "a-1")
    assert not path.exists()
