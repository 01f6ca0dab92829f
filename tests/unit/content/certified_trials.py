"""Trials that any type of certified documents must stand."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable

from msgspec.structs import replace

from qmpi.content.address import Place, Stream, generator_key
from qmpi.content.catalogue import write_document
from qmpi.content.document import Document, Fact, unfolded
from qmpi.units import Digest

Check = Callable[[Document], list[str]]
KEY = generator_key(Digest("trials"), 7)


def documents(type_name: str, count: int, block: int = 11) -> list[Document]:
    """Return documents over all levels, in the long lines that checkers of a type read."""
    made: list[Document] = []
    for n in range(2 * count):
        # Any run of documents goes up and down over all levels.
        document = write_document(KEY, Stream(type_name, 1 + n * 37 % 100), Place(block, n))
        # Joined documents are tried by the tests of synthesis.
        if document.genre != "synthesis":
            made.append(unfolded(document))
        if len(made) == count:
            break
    return made


def spoiled(document: Document, fact: Fact) -> Document:
    """Return the document with the last letter or digit of a fact changed."""
    shown = document.text[fact.start : fact.end]
    place = max(n for n, sign in enumerate(shown) if sign.isalnum())
    sign = shown[place]
    other = str((int(sign) + 1) % 10) if sign in "0123456789" else "x" if sign != "x" else "y"
    changed = shown[:place] + other + shown[place + 1 :]
    text = document.text[: fact.start] + changed + document.text[fact.end :]
    return replace(document, text=text)


def assert_spoiled_facts_are_found(check: Check, made: list[Document], each: int) -> set[str]:
    """Spoil up to `each` facts a document; return the kinds that were spoiled."""
    kinds: set[str] = set()
    for document in made:
        facts = [fact for fact in document.facts if fact.kind != "told"]
        for fact in facts[:: max(1, len(facts) // each)]:
            shown = document.text[fact.start : fact.end]
            if not any(sign.isalnum() for sign in shown):
                continue
            assert check(spoiled(document, fact)), (document.genre, fact, shown)
            kinds.add(fact.kind)
    return kinds


def assert_broken_references_are_found(check: Check, made: list[Document]) -> None:
    """Point facts at things that are not there."""
    for document in made:
        for number, fact in enumerate(document.facts):
            if fact.kind != "told" and any(type(arg) is int for arg in fact.args):
                args = tuple(9_999 if type(arg) is int else arg for arg in fact.args)
                facts = list(document.facts)
                facts[number] = Fact(fact.kind, fact.start, fact.end, args)
                assert check(replace(document, facts=tuple(facts))), (document.genre, fact)
                break


def assert_bare_numbers_are_found(check: Check, made: list[Document]) -> None:
    """Add a number that nothing vouches for."""
    for document in made:
        assert check(replace(document, text=f"{document.text[:-1]} 7\n"))
        assert check(replace(document, text=document.text[:-1]))


def fingerprint(type_name: str, count: int) -> str:
    """Return a digest of texts and certificates."""
    found = hashlib.sha256()
    for made in documents(type_name, count):
        found.update(repr(made).encode())
    return found.hexdigest()


def fingerprint_elsewhere(type_name: str, count: int, hash_seed: str) -> str:
    """Return the digest as another process with another hash seed finds it."""
    program = (
        "from unit.content.certified_trials import fingerprint;"
        f"print(fingerprint({type_name!r}, {count}))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": "tests"},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return ran.stdout.strip()
