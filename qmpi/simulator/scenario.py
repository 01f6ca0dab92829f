"""Scenarios as text: a job, what goes wrong, what must come of it.

A reviewer reads the protocol in the diff.

    # Words after a hash are comments; those at the top say what the scenario is about.
    ranks 12
    hosts of 4
    seed 3
    set train.steps = 30
    when step 20 kill trainer 0
    expect end finished
    expect same weights
    expect failures >= 1

Every other line is a fault (see `faults`). `expect NAME OP NUMBER` compares a number of the
outcome: failures, generations, incarnations, redone, committed or time.

`expect trace Regroup+ Holding+ FormGroup+ ...` tells a conversation: the messages of the kinds that
it names, in the order in which they were sent (see `conversation`).

The same scenario can be played with larger teams (`widen`): trainers and spares are then as many
times more, and a rank that a fault names is the one that stands in its place.
"""

import operator
import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from qmpi.config.arms import with_arms
from qmpi.config.settings import FailureSettings, RoleSettings, Settings, SnapshotSettings
from qmpi.config.train import TrainSettings
from qmpi.config.warmup import with_warmup
from qmpi.errors import InputError
from qmpi.simulator.conversation import parse_conversation, unlike
from qmpi.simulator.engine import Care, Simulation
from qmpi.simulator.faults import Fault, parse_fault
from qmpi.simulator.hardware import Hardware
from qmpi.simulator.outcome import Outcome

USUAL = Settings(
    roles=RoleSettings(generator=2, memory=2, trainer=3, replica=2, spare=2),
    train=TrainSettings(steps=30, lanes=6, sequences=2, sequence_tokens=16, digest_every=3),
    snapshot=SnapshotSettings(every_steps=5, disk_every_steps=10),
    failure=FailureSettings(start_seconds=60.0, dead_seconds=10.0),
)
"""The job of a scenario that sets nothing else: twelve ranks, thirty steps, a few seconds."""

COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
}


class Expectation(Struct, frozen=True):
    """One line of what must hold in the end."""

    name: str
    relation: str
    value: str


class Scenario(Struct, frozen=True):
    """A parsed scenario."""

    settings: Settings
    ranks: int
    seed: int
    ranks_per_host: int
    faults: tuple[Fault, ...]
    expectations: tuple[Expectation, ...]
    conversations: tuple[str, ...] = ()


def parse_scenario(text: str) -> Scenario:
    """Read a scenario.

    Args:
        text: lines as above.

    Returns:
        The scenario.

    Raises:
        InputError: a line cannot be read, or nothing is expected.
    """
    numbers = {"ranks": 12, "seed": 1, "hosts of": 4}
    tree: dict[str, Any] = msgspec.to_builtins(USUAL)
    faults: list[Fault] = []
    expectations: list[Expectation] = []
    conversations: list[str] = []
    for raw in text.splitlines():
        line = raw.split("#")[0].strip() if not raw.lstrip().startswith("on ") else raw.strip()
        if not line:
            continue
        if found := re.fullmatch(r"(ranks|seed|hosts of) (\d+)", line):
            numbers[found[1]] = int(found[2])
        elif found := re.fullmatch(r"set (\w+)\.(\w+) = (.+)", line):
            tree[found[1]][found[2]] = msgspec.json.decode(found[3])
        elif line.startswith("expect trace "):
            conversations.append(parse_conversation(line.removeprefix("expect trace ")))
        elif line.startswith("expect "):
            expectations.append(_expectation(line))
        else:
            faults.append(parse_fault(line))
    if not expectations and not conversations:
        raise InputError("a scenario must expect something")
    try:
        settings = with_warmup(with_arms(msgspec.convert(tree, Settings)))
    except msgspec.ValidationError as error:
        raise InputError(f"a `set` line does not fit the settings: {error}") from error
    return Scenario(
        settings,
        numbers["ranks"],
        numbers["seed"],
        numbers["hosts of"],
        tuple(faults),
        tuple(expectations),
        tuple(conversations),
    )


def play(scenario: Scenario) -> tuple[Outcome, list[str]]:
    """Run a scenario.

    Args:
        scenario: what to run.

    Returns:
        The outcome, and each expectation that was not met, in words.
    """
    hardware = Hardware(ranks_per_host=scenario.ranks_per_host)
    simulation = Simulation(
        scenario.settings,
        scenario.ranks,
        scenario.seed,
        scenario.faults,
        hardware,
        care=Care(keep_trace=0) if scenario.conversations else None,
    )
    outcome = simulation.run()
    missed = [said for e in scenario.expectations if (said := _missed(e, outcome))]
    told = [message.message for message in simulation.trace.spoken]
    missed += [said for c in scenario.conversations if (said := unlike(c, told))]
    if outcome.violation:
        missed.append(f"an invariant broke: {outcome.violation}")
    return outcome, missed


def _expectation(line: str) -> Expectation:
    if found := re.fullmatch(r"expect end (\w+(?: \w+)?)", line):
        return Expectation("state", "is", found[1])
    if line == "expect same weights":
        return Expectation("same_weights", "is", "True")
    found = re.fullmatch(r"expect (\w+) (>=|<=|==) (\d+(?:\.\d+)?)", line)
    if found is not None and found[1] in Outcome.__struct_fields__:
        return Expectation(found[1], found[2], found[3])
    raise InputError(f"not an expectation: {line!r}")


def _missed(expectation: Expectation, outcome: Outcome) -> str:
    name, relation, value = expectation.name, expectation.relation, expectation.value
    found: object = getattr(outcome, name)
    if relation == "is":
        met = str(found) == value
    else:
        met = isinstance(found, int | float) and COMPARE[relation](float(found), float(value))
    return "" if met else f"expected {name} {relation} {value}, but it is {found}"
