"""Technical documents: true, various, the same everywhere; each planted error is found."""

import pytest
from msgspec.structs import replace
from unit.content.certified_trials import (
    assert_bare_numbers_are_found,
    assert_broken_references_are_found,
    assert_spoiled_facts_are_found,
    documents,
    fingerprint,
    fingerprint_elsewhere,
)

from qmpi.content.document import Document
from qmpi.content.technical.genres import GENRES
from qmpi.content.verify.technical_checks import check_technical

MADE = 300


@pytest.fixture(scope="module")
def made() -> list[Document]:
    return documents("technical", MADE)


def test_all_that_documents_say_is_true(made: list[Document]) -> None:
    assert [(d.genre, d.level, faults) for d in made if (faults := check_technical(d))] == []


def test_every_genre_is_written(made: list[Document]) -> None:
    assert {document.genre for document in made} == {name for name, _ in GENRES}


def test_lengths_are_bounded_and_grow(made: list[Document]) -> None:
    words = [len(document.text.split()) for document in made]
    assert all(40 <= count <= 1_500 for count in words)
    assert all(len(document.text) <= 12_000 for document in made)
    low = [count for count, d in zip(words, made, strict=True) if d.level <= 30]
    high = [count for count, d in zip(words, made, strict=True) if d.level > 70]
    assert sum(low) * 2 < sum(high)


def test_no_two_documents_or_openings_are_alike(made: list[Document]) -> None:
    assert len({document.text for document in made}) == MADE
    openings = [" ".join(document.text.split()[:5]) for document in made]
    assert len(set(openings)) >= MADE * 0.97


def test_a_third_of_documents_set_problems_with_answers(made: list[Document]) -> None:
    asking = [d for d in made if d.problems or any(f.kind == "answer" for f in d.facts)]
    assert len(asking) >= MADE // 3


def test_the_same_in_any_process() -> None:
    here = fingerprint("technical", 24)
    assert {fingerprint_elsewhere("technical", 24, seed) for seed in ("1", "77")} == {here}


def test_spoiled_facts_are_found(made: list[Document]) -> None:
    kinds = assert_spoiled_facts_are_found(check_technical, made[:150], 6)
    assert len(kinds) >= 25


def test_broken_references_are_found(made: list[Document]) -> None:
    assert_broken_references_are_found(check_technical, made[:100])


def test_bare_numbers_and_cut_endings_are_found(made: list[Document]) -> None:
    assert_bare_numbers_are_found(check_technical, made[:60])


def test_wrong_answers_are_found(made: list[Document]) -> None:
    planted = 0
    for document in made:
        for fact in document.facts:
            if fact.kind == "answer":
                text = f"{document.text[: fact.start]}nonsense{document.text[fact.end :]}"
                assert check_technical(replace(document, text=text))
                planted += 1
    assert planted >= MADE // 4


def test_configurations_out_of_range_or_unreadable_are_found(made: list[Document]) -> None:
    planted = 0
    for document in made:
        for fact in document.facts:
            if fact.kind == "config":
                head, tail = document.text[: fact.start], document.text[fact.start + 1 :]
                assert check_technical(replace(document, text=f"{head}%{tail}"))
                sample = document.world["sample"]
                number = sample[0][0]
                settings = [dict(row) for row in document.world["settings"]]
                settings[number] |= {"high": -1, "low": -2, "choices": [], "kind": "count"}
                assert check_technical(
                    replace(document, world={**document.world, "settings": settings})
                )
                planted += 1
    assert planted >= 10


def test_versions_out_of_order_are_found(made: list[Document]) -> None:
    for document in made:
        versions = document.world["versions"]
        if isinstance(versions, list) and len(versions) > 1:
            world = {**document.world, "versions": versions[::-1]}
            assert check_technical(replace(document, world=world))


def test_a_flag_that_is_not_told_is_found(made: list[Document]) -> None:
    manuals = [d for d in made if d.genre in ("manual page", "settings reference")]
    for document in manuals:
        facts = tuple(f for f in document.facts if f.kind != "told")
        assert any("not told" in fault for fault in check_technical(replace(document, facts=facts)))


def test_a_late_claim_cannot_be_passed_over(made: list[Document]) -> None:
    threads = [d for d in made if d.genre == "ticket"]
    for document in threads:
        thread = dict(document.world["thread"])
        thread["comments"] = thread["comments"][:-1]
        assert check_technical(replace(document, world={**document.world, "thread": thread}))
    assert threads


def test_mutilated_worlds_are_faults_not_crashes(made: list[Document]) -> None:
    for document in made[:25]:
        for name in document.world:
            for junk in (None, [], 7, "x", {}):
                check_technical(replace(document, world={**document.world, name: junk}))
        assert check_technical(replace(document, world={}))
