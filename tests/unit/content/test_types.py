"""What holds for each type: true, different, of bounded length, the same anywhere."""

import os
import subprocess
import sys

import pytest
from msgspec.structs import replace
from unit.content.golden import GOLDEN, digest_of

from qmpi.content.address import ALL_TYPES, GENERATOR_VERSION, TYPES, Place, Stream, generator_key
from qmpi.content.catalogue import write_document
from qmpi.content.document import Document, Fact, unfolded
from qmpi.content.level import AXES, BANDS, band_of
from qmpi.content.survey import addresses, verify_sample
from qmpi.content.verify.certificate import faults_of
from qmpi.units import Digest

KEY = generator_key(Digest("test"), 11)
DOCUMENTS = 120
LONGEST = 30_000
"""Characters: two or three documents joined, each of 12,000 at most."""
WIDE = frozenset({"question", "event", "act", "agreed", "attack", "line"})
"""Kinds of fact that span a sentence: what must be right in it are narrower facts of their own."""


def documents(type_name: str, count: int = DOCUMENTS) -> list[Document]:
    """Return documents over all levels and the whole range of addresses."""
    return [write_document(KEY, stream, place) for stream, place in addresses(type_name, count, 5)]


@pytest.mark.parametrize("type_name", ALL_TYPES)
def test_all_that_is_said_is_true(type_name: str) -> None:
    result = verify_sample(KEY, list(addresses(type_name, DOCUMENTS, 1)))
    assert result.failures == ()
    assert result.facts > DOCUMENTS


@pytest.mark.parametrize("type_name", TYPES)
def test_no_two_documents_are_alike(type_name: str) -> None:
    made = documents(type_name)
    assert len({document.text for document in made}) == len(made)
    openings = [" ".join(document.text.split()[:5]) for document in made]
    assert max(map(openings.count, openings)) <= 2
    assert all(20 < len(document.text) < LONGEST for document in made)


@pytest.mark.parametrize("type_name", TYPES)
def test_there_are_several_genres(type_name: str) -> None:
    assert len({document.genre for document in documents(type_name)}) >= 5


def planted(document: Document, fact: Fact) -> Document | None:
    """Return the document with one sign of a fact changed to another of its kind."""
    said = document.text[fact.start : fact.end]
    place = next((n for n, sign in enumerate(said) if sign.isdigit()), None)
    if place is None:
        place = next((n for n, sign in enumerate(said) if sign.isalpha() and n), None)
    if place is None:
        return None
    sign = said[place]
    if sign.isdigit() and sign.isascii():
        other = str((int(sign) + 1) % 10)
    else:
        other = "q" if sign != "q" else "z"
    text = document.text[: fact.start + place] + other + document.text[fact.start + place + 1 :]
    return replace(document, text=text)


@pytest.mark.parametrize("type_name", ["mathematics", "philosophy", "creative", "conversation"])
def test_an_error_planted_in_a_fact_is_found(type_name: str) -> None:
    missed: dict[str, str] = {}
    tried: dict[str, int] = {}
    for document in documents(type_name):
        if document.genre == "synthesis":
            continue  # its parts are of other types, which are tried by themselves
        for fact in document.facts:
            if fact.kind in WIDE or tried.get(fact.kind, 0) >= 30:
                continue
            wrong = planted(document, fact)
            if wrong is not None:
                tried[fact.kind] = tried.get(fact.kind, 0) + 1
                if not faults_of(wrong):
                    missed[fact.kind] = wrong.text[max(0, fact.start - 30) : fact.end + 30]
    assert missed == {}
    assert len(tried) >= 4


@pytest.mark.parametrize("type_name", ["philosophy", "creative", "conversation"])
def test_a_sentence_that_says_something_else_is_found(type_name: str) -> None:
    wide = 0
    for document in map(unfolded, documents(type_name, 40)):
        for fact in document.facts:
            if fact.kind in WIDE - {"question"}:
                blank = "x" * (fact.end - fact.start)
                text = document.text[: fact.start] + blank + document.text[fact.end :]
                assert faults_of(replace(document, text=text)) != []
                wide += 1
    assert wide > 30


def test_joined_documents_are_checked_part_by_part() -> None:
    joined = [
        document
        for name in ("creative", "technical", "mathematics")
        for document in documents(name, 250)
        if document.genre == "synthesis"
    ]
    assert len(joined) > 10
    types = {part["type"] for document in joined for part in document.world["parts"]}
    assert len(types) >= 5
    bridges = 0
    for document in joined:
        assert faults_of(document) == []
        for fact in document.facts:
            if fact.kind == "bridge":
                wrong = planted(document, fact)
                assert wrong is not None
                assert faults_of(wrong) != []
                bridges += 1
        other = [
            {**part, "type": "philosophy", "genre": "essay"} for part in document.world["parts"]
        ]
        assert faults_of(replace(document, world={"parts": other})) != []
    assert bridges > 3


@pytest.mark.parametrize("type_name", ALL_TYPES)
def test_a_number_slipped_in_between_is_found(type_name: str) -> None:
    for document in documents(type_name, 30):
        assert faults_of(replace(document, text=f"{document.text[:-1]} 7\n")) != []


@pytest.mark.parametrize("type_name", ALL_TYPES)
def test_a_budget_adds_up_to_its_level(type_name: str) -> None:
    for document in documents(type_name, 50):
        points = [getattr(document.budget, axis) for axis in AXES]
        assert sum(points) == 6 * document.level
        assert all(1 <= spent <= 100 for spent in points)


def test_bands_cover_the_levels() -> None:
    assert [band_of(level) for level in (1, 14, 15, 100)] == [
        "beginner",
        "beginner",
        "elementary",
        "grandmaster",
    ]
    covered = [level for _, first, last in BANDS for level in range(first, last + 1)]
    assert covered == list(range(1, 101))


PROGRAM = """
import hashlib, sys
from qmpi.content.address import ALL_TYPES, generator_key
from qmpi.content.catalogue import write_document
from qmpi.content.survey import addresses
for name in ALL_TYPES:
    state = hashlib.sha256()
    for stream, place in addresses(name, 40, 3):
        state.update(repr(write_document(generator_key("test", 2), stream, place)).encode())
    print(name, state.hexdigest())
"""


def test_two_processes_agree_whatever_their_hash_seed_and_locale() -> None:
    seen = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale},
            capture_output=True,
            text=True,
            timeout=100,
            check=True,
        ).stdout
        for seed, locale in (("0", "C"), ("1", "C.UTF-8"))
    }
    assert len(seen) == 1


def test_order_of_making_changes_nothing() -> None:
    asked = [
        (Stream(name, level), Place(2**44 - 1, number))
        for name in ("mathematics", "creative")
        for level, number in ((3, 0), (50, 9), (100, 4000))
    ]
    forth = [write_document(KEY, *address) for address in asked]
    back = [write_document(KEY, *address) for address in reversed(asked)]
    assert forth == back[::-1]


@pytest.mark.parametrize("type_name", ALL_TYPES)
def test_changed_documents_force_a_new_version(type_name: str) -> None:
    assert GENERATOR_VERSION in GOLDEN, "add the digests of this version"
    assert digest_of(type_name) == GOLDEN[GENERATOR_VERSION][type_name], (
        "documents of this version have changed: raise qmpi.content.address.GENERATOR_VERSION,"
        " and add its digests here (python tests/unit/content/golden.py prints them)"
    )
