"""Scientific texts: true, various, the same everywhere; each planted error is found."""

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
from qmpi.content.scientific.genres import GENRES
from qmpi.content.verify.scientific_checks import check_scientific

MADE = 300
CLAIMS = {
    "significant": "not significant", "not significant": "significant", "agrees": "disagrees",
    "disagrees": "agrees", "higher": "lower", "lower": "higher", "replicates": "does not replicate",
    "does not replicate": "replicates", "right": "wrong", "wrong": "right", "stands": "falls",
    "falls": "stands", "accept": "revise", "revise": "accept", "a rise": "a fall",
    "a fall": "a rise",
    "turns around": "does not turn around", "does not turn around": "turns around",
    "rises": "falls",
}  # fmt: skip


@pytest.fixture(scope="module")
def made() -> list[Document]:
    return documents("scientific", MADE)


def swapped(document: Document, start: int, end: int, text: str) -> Document:
    """Return the document with other characters, and facts moved along."""
    more = len(text) - (end - start)

    def moved(place: int) -> int:
        return place + more if place >= end else place

    facts = tuple(replace(f, start=moved(f.start), end=moved(f.end)) for f in document.facts)
    problems = tuple(replace(p, start=moved(p.start), end=moved(p.end)) for p in document.problems)
    new = document.text[:start] + text + document.text[end:]
    return replace(document, text=new, facts=facts, problems=problems)


def test_all_that_documents_say_is_true(made: list[Document]) -> None:
    assert [(d.genre, d.level, faults) for d in made if (faults := check_scientific(d))] == []


def test_every_genre_is_written(made: list[Document]) -> None:
    assert {document.genre for document in made} == {name for name, _ in GENRES}


def test_lengths_are_bounded_and_grow(made: list[Document]) -> None:
    words = [len(document.text.split()) for document in made]
    assert all(40 <= count <= 1_500 for count in words)
    assert all(len(document.text) <= 12_000 for document in made)
    low = [count for count, d in zip(words, made, strict=True) if d.level <= 30]
    high = [count for count, d in zip(words, made, strict=True) if d.level > 70]
    assert sum(low) * 1.6 < sum(high)


def test_no_two_documents_or_openings_are_alike(made: list[Document]) -> None:
    assert len({document.text for document in made}) == MADE
    openings = [" ".join(document.text.split()[:5]) for document in made]
    assert len(set(openings)) >= MADE * 0.97


def test_a_third_of_documents_set_problems_with_answers(made: list[Document]) -> None:
    asking = [d for d in made if d.problems or any(f.kind == "answer" for f in d.facts)]
    assert len(asking) >= MADE // 3


def test_the_same_in_any_process() -> None:
    here = fingerprint("scientific", 24)
    assert {fingerprint_elsewhere("scientific", 24, seed) for seed in ("1", "77")} == {here}


def test_spoiled_facts_are_found(made: list[Document]) -> None:
    kinds = assert_spoiled_facts_are_found(check_scientific, made[:150], 6)
    assert len(kinds) >= 40


def test_broken_references_are_found(made: list[Document]) -> None:
    assert_broken_references_are_found(check_scientific, made[:100])


def test_bare_numbers_and_cut_endings_are_found(made: list[Document]) -> None:
    assert_bare_numbers_are_found(check_scientific, made[:60])


def test_claims_turned_into_their_opposite_are_found(made: list[Document]) -> None:
    planted: set[str] = set()
    for document in made[:160]:
        for fact in document.facts:
            shown = document.text[fact.start : fact.end]
            if shown in CLAIMS and fact.kind != "group":
                assert check_scientific(swapped(document, fact.start, fact.end, CLAIMS[shown]))
                planted.add(shown)
    assert len(planted) >= 14


def test_wrong_units_are_found(made: list[Document]) -> None:
    planted = 0
    for document in made:
        unit = str(document.world["unit"])
        fact = next((f for f in document.facts if f.kind in ("mean", "reading", "effect")), None)
        if fact is not None:
            shown = document.text[fact.start : fact.end].removesuffix(unit)
            assert check_scientific(swapped(document, fact.start, fact.end, f"{shown}furlongs"))
            planted += 1
    assert planted >= MADE // 2


def test_wrong_answers_are_found(made: list[Document]) -> None:
    planted = 0
    for document in made:
        for fact in document.facts:
            if fact.kind == "answer":
                assert check_scientific(swapped(document, fact.start, fact.end, "17 and a half"))
                planted += 1
    assert planted >= MADE // 4


def test_a_changed_datum_is_found(made: list[Document]) -> None:
    planted = 0
    for document in made:
        groups = [dict(row) for row in document.world["groups"]]
        shown = {fact.kind for fact in document.facts}
        if groups and shown & {"mean", "csv", "claimed"}:
            groups[-1]["values"] = [value + 4_000 for value in groups[-1]["values"]]
            groups[0]["values"] = [value + 9_000 for value in groups[0]["values"]]
            assert check_scientific(replace(document, world={**document.world, "groups": groups}))
            planted += 1
    assert planted >= MADE // 3


def test_an_effect_turned_around_is_found(made: list[Document]) -> None:
    planted = 0
    for document in made[:150]:
        told = {fact.args[0] for fact in document.facts if fact.kind == "edge"}
        for number in told:
            edges = [list(edge) for edge in document.world["edges"]]
            edges[number][2] *= -1
            assert check_scientific(replace(document, world={**document.world, "edges": edges}))
            planted += 1
    assert planted >= 100


def test_an_uncited_entry_and_a_lost_entry_are_found(made: list[Document]) -> None:
    planted = 0
    for document in made:
        if not any(fact.kind == "entry" for fact in document.facts):
            continue
        facts = tuple(f for f in document.facts if (f.kind, f.args) != ("cite", (0,)))
        faults = check_scientific(replace(document, facts=facts))
        assert any("not cited" in fault for fault in faults)
        facts = tuple(f for f in document.facts if (f.kind, f.args) != ("entry", (0,)))
        assert check_scientific(replace(document, facts=facts))
        planted += 1
    assert planted >= MADE // 2


def test_mutilated_worlds_are_faults_not_crashes(made: list[Document]) -> None:
    for document in made[:25]:
        for name in document.world:
            for junk in (None, [], 7, "x", {}):
                check_scientific(replace(document, world={**document.world, name: junk}))
        assert check_scientific(replace(document, world={}))
