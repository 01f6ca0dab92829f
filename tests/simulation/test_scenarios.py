"""Every scenario under scenarios/ plays as it says."""

from pathlib import Path

import pytest

from qmpi.corpora.standing import replay
from qmpi.errors import InputError
from qmpi.simulator.scenario import parse_scenario, play
from qmpi.simulator.widen import widen

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))


SIZES = 1, 2, 4
"""Of teams. Each scenario is quick at one of them, in turns, and slow at the others."""

PLAYED = [
    pytest.param(
        path,
        size,
        id=f"{path.stem}-{size}",
        marks=() if number % len(SIZES) == turn else pytest.mark.slow,
    )
    for number, path in enumerate(SCENARIOS)
    for turn, size in enumerate(SIZES)
]


@pytest.mark.parametrize(("path", "size"), PLAYED)
def test_scenario(path: Path, size: int) -> None:
    scenario = widen(parse_scenario(path.read_text()), size)
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
        "expect trace Regroup+ Gossip",
        "expect end finished\nat 3 crash engine of rank 4 as joke",
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_scenario(text)
