"""Every scenario under scenarios/ plays as it says."""

from pathlib import Path

import pytest

from qmpi.corpora.audit import replay
from qmpi.errors import InputError
from qmpi.simulator.scenario import parse_scenario, play

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    scenario = parse_scenario(path.read_text())
    outcome, missed = play(scenario)
    assert not missed, "\n".join(missed)
    standing = replay(outcome.journal)
    assert standing.fault == ""
    assert len(standing.steps) == outcome.committed


@pytest.mark.parametrize(
    "text",
    [
        "ranks 12",
        "expect miracles\n",
        "expect end finished\nat 3 kill nobody",
        'set train.steps = "many"\nexpect end finished',
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_scenario(text)
