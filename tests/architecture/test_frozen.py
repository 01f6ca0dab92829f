"""What others rely on changes on purpose only."""

import difflib
from collections import Counter
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from architecture.frozen_lists import LISTS

from qmpi.protocol.journal import JournalRecord
from qmpi.protocol.messages import GENERATION_BOUND, Message

FROZEN = Path(__file__).parent / "frozen"


@pytest.mark.parametrize("name", LISTS)
def test_list_is_unchanged(name: str) -> None:
    before = (FROZEN / name).read_text(encoding="utf-8")
    now = LISTS[name]()
    change = difflib.unified_diff(before.splitlines(), now.splitlines(), "frozen", "now", n=2)
    assert now == before, (
        f"{name} has changed:\n" + "\n".join(change) + "\n"
        "If that is meant, run `python tests/architecture/freeze.py` and commit the list with it."
    )


def test_no_list_is_left_over() -> None:
    assert sorted(p.name for p in FROZEN.iterdir()) == sorted(LISTS)


@pytest.mark.parametrize("union", [Message, JournalRecord], ids=["messages", "journal"])
def test_tags_are_unique_and_structs_frozen(union: type) -> None:
    kinds = get_args(union)
    tags = Counter(kind.__struct_config__.tag for kind in kinds)
    assert None not in tags
    assert max(tags.values()) == 1
    assert all(kind.__struct_config__.frozen for kind in kinds)


def test_fields_with_a_default_go_last() -> None:
    for kind in get_args(Message):
        required = [field.required for field in msgspec.structs.fields(kind)]
        assert required == sorted(required, reverse=True), kind.__name__


def test_generation_bound_messages_are_messages() -> None:
    assert set(GENERATION_BOUND) <= set(get_args(Message))
    for kind in GENERATION_BOUND:
        assert "generation" in kind.__struct_fields__, kind.__name__
