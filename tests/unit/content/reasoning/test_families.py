"""Every family against its independent solver, and the solvers against planted errors."""

import re

import pytest
from msgspec.structs import replace

from qmpi.content.counter import Draw
from qmpi.content.exercise import Exercise, steps_of
from qmpi.content.reasoning.families import FAMILIES
from qmpi.content.verify.evaluate import chain_fault, value_of
from qmpi.content.verify.problem_checks import verify

DOCUMENTS = 300
PLANTED = 60


def made(family: str, seed: int, number: int, level: int) -> Exercise:
    problem = FAMILIES[family](Draw(f"{seed}/{family}/{number}".encode()), level)
    return Exercise(problem.text, family, problem.world)


def documents(family: str, count: int, seed: int = 3) -> list[Exercise]:
    return [made(family, seed, number, 1 + number % 100) for number in range(count)]


@pytest.mark.parametrize("family", FAMILIES)
def test_all_that_a_document_says_is_true(family: str) -> None:
    faults = [(fault, d.text) for d in documents(family, DOCUMENTS) if (fault := verify(d))]
    assert faults == []


@pytest.mark.parametrize("family", FAMILIES)
def test_documents_differ(family: str) -> None:
    texts = {d.text for d in documents(family, DOCUMENTS)}
    assert len(texts) >= DOCUMENTS * 0.99
    openings = [" ".join(text.split()[:5]) for text in texts]
    assert max(openings.count(words) for words in set(openings)) < len(texts) * 0.25


@pytest.mark.parametrize("family", FAMILIES)
def test_harder_levels_are_longer(family: str) -> None:
    def length(level: int) -> int:
        return sum(len(made(family, 1, n, level).text) for n in range(100))

    assert length(1) < length(40) < length(100)


def wrong(answer: str) -> str:
    """Return another answer of the same form."""
    swaps = {
        "yes": "no",
        "no": "yes",
        "knight": "knave",
        "knave": "knight",
        "always true": "sometimes true",
        "sometimes true": "never true",
        "never true": "always true",
        "0": "1",
        "1": "0",
    }
    if answer in swaps:
        return swaps[answer]
    found = re.search(r"\d+", answer)
    if found is None:
        return "Somebody"
    return answer[: found.start()] + str(int(found[0]) + 1) + answer[found.end() :]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_answer_is_found(family: str) -> None:
    for document in documents(family, PLANTED):
        answer = str(document.certificate["answer"])
        planted = document.text[: -len(answer) - 1] + wrong(answer) + "\n"
        in_text = replace(document, text=planted)
        assert verify(in_text) is not None
        certified = replace(in_text, certificate={**document.certificate, "answer": wrong(answer)})
        assert verify(certified) is not None, certified.text


def spoiled(step: str) -> str:
    """Return the step with its last number, truth value, kind or name changed."""
    for pattern, swap in (
        (r"\d(?=\D*$)", lambda m: str((int(m[0]) + 1) % 10)),
        (r"[TF]$", lambda m: "F" if m[0] == "T" else "T"),
        (r"knight|knave", lambda m: "knave" if m[0] == "knight" else "knight"),
        (r"[A-Z]\w+\.$", lambda m: f"No{m[0]}"),
        (r"all (\w+) are (\w+)", lambda m: f"all {m[2]} are {m[1]}"),
    ):
        changed = re.sub(pattern, swap, step, count=1)
        if changed != step:
            return changed
    return step


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_step_is_found(family: str) -> None:
    planted = 0
    for number, document in enumerate(documents(family, PLANTED)):
        steps = steps_of(document.text)
        if not steps:
            continue
        step = steps[number % len(steps)]
        if spoiled(step) == step:
            continue
        head, empty, rest = document.text.partition("\n\n")
        text = head + empty + rest.replace(f"{step}\n", f"{spoiled(step)}\n", 1)
        planted += 1
        assert verify(replace(document, text=text)) is not None, text
    assert planted >= PLANTED // 4


def test_an_unknown_family_is_no_proof() -> None:
    document = documents("money", 1)[0]
    assert verify(replace(document, family="poems")) == "there is no solver for the family 'poems'"
    assert verify(replace(document, text="Hello")) is not None


def test_written_arithmetic_is_read_exactly() -> None:
    assert value_of("2 + 3 * (4 - 6) / 4") == value_of("0.5")
    assert value_of("-3 \N{MULTIPLICATION SIGN} 4 \N{DIVISION SIGN} -2") == 6
    assert chain_fault("1 + 1 = 2 = 4 - 2") is None
    assert chain_fault("1 + 1 = 3") == "1 + 1 is not 3"
    for broken in ("", "1 +", "(1", "1 2", "x"):
        with pytest.raises(ValueError, match=r"."):
            value_of(broken)
