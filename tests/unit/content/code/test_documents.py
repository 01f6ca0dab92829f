"""Documents of the code type: true, varied, the same in any process, within bounds."""

import subprocess
import sys
from pathlib import Path

import pytest
from unit.content.code.samples import document, fresh, said, sample

from qmpi.content.code.reserved import RESERVED
from qmpi.content.verify import code_listings
from qmpi.content.verify.certificate import faults_of
from qmpi.content.verify.code_checks import check_code
from qmpi.content.verify.code_grammars import LANGUAGES

COUNT = 240


def test_every_claim_of_a_sample_holds() -> None:
    faults = [(made.genre, fault) for made in sample(COUNT) for fault in faults_of(made)]
    assert faults == []


def test_all_genres_and_languages_occur() -> None:
    genres = {made.genre for made in sample(COUNT)}
    kinds = {fact.kind for made in sample(COUNT) for fact in made.facts}
    assert len(genres) >= 13
    assert kinds >= LANGUAGES


@pytest.mark.parametrize("level", [1, 50, 100])
def test_documents_stay_within_bounds_and_differ(level: int) -> None:
    texts = [document(level, index).text for index in range(60)]
    assert len(set(texts)) == len(texts)
    assert max(map(len, texts)) <= 12_000
    assert all(text.endswith("\n") and not text.endswith("\n\n") for text in texts)
    openings = {tuple(text.split()[:5]) for text in texts}
    assert len(openings) >= len(texts) - 2


def test_higher_levels_say_more() -> None:
    low, high = (sum(len(document(level, index).text) for index in range(60)) for level in (1, 100))
    assert high > 1.5 * low


def test_the_same_text_under_another_hash_seed() -> None:
    script = (
        "import hashlib\n"
        "from unit.content.code.samples import document\n"
        "held = hashlib.sha256()\n"
        "for index in range(40):\n"
        "    held.update(document(1 + index * 7 % 100, index).text.encode())\n"
        "print(held.hexdigest())\n"
    )
    tests = str(Path(__file__).parents[3])
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
            env={"PYTHONPATH": tests, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_claim_of_a_large_sample_holds() -> None:
    for number in range(10_000):
        made = fresh(1 + number % 100, number * 4099)
        assert check_code(made) == [], (number, said(made, made.facts[0]))


def test_no_drawn_name_is_a_package_of_go() -> None:
    # A parameter `strings` in one function was taken for the package in another.
    assert code_listings._TEXTS["go"] - {"v"} <= RESERVED
