"""A work farm under faults, and its scenarios as text.

    # Words after a hash are comments.
    ranks 6
    units 40            # of one stage; `units 10 30` are two
    when step 12 kill rank 3
    expect end finished
    expect redone <= 3

`step` counts units done. `poison N`, `refuse N` and `slow rank N` make a unit kill whoever does it,
fail everywhere, or a rank slow. Expectations compare the end state, or a number of `FarmOutcome`.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from qmpi.errors import InputError
from qmpi.protocol.status import EndMarker
from qmpi.simulator.engine import Simulation
from qmpi.simulator.farming import FARM, FarmBuilder
from qmpi.simulator.faults import Fault, parse_fault
from qmpi.simulator.hardware import Hardware
from qmpi.simulator.ports.units import FarmFiles, FarmModel
from qmpi.simulator.scenario import COMPARE


class FarmOutcome(Struct, frozen=True, kw_only=True):
    """How a simulated farm ended.

    Attributes:
        state: as in `qmpi.simulator.outcome.Outcome`.
        missing: units without a result.
        redone: results written more than once.
        finished: how often what stands for the whole was written.
        failures: in the last status.
    """

    state: str
    reason: str
    missing: int
    redone: int
    finished: int
    incarnations: int
    failures: int
    time: float
    violation: str
    trace_digest: str


class FarmScenario(Struct, frozen=True):
    """A parsed scenario."""

    model: FarmModel
    ranks: int
    seed: int
    ranks_per_host: int
    faults: tuple[Fault, ...]
    expectations: tuple[tuple[str, str, str], ...]


class FarmSimulation(Simulation):
    """A farm under faults."""

    def __init__(
        self,
        model: FarmModel,
        ranks: int,
        seed: int,
        faults: Sequence[Fault] = (),
        hardware: Hardware | None = None,
    ) -> None:
        """Set the stage.

        Args:
            model: the work.
            ranks: size of the MPI job.
            seed: of all chance.
            faults: what goes wrong.
            hardware: durations.
        """
        self.results = FarmFiles(model)
        super().__init__(FARM, ranks, seed, faults, hardware)

    def builder(self) -> FarmBuilder:
        """Return what makes the processes of a farm."""
        return FarmBuilder(self.around, self.results)

    def play(self) -> FarmOutcome:
        """Run to the end of the work.

        Returns:
            How it ended.
        """
        outcome = self.run()
        end: EndMarker | None = outcome.end
        written, model = self.results.written, self.results.model
        return FarmOutcome(
            state=outcome.state,
            reason=end.reason if end is not None else "",
            missing=sum(model.units) - len(written),
            redone=written.total() - len(written),
            finished=self.results.finished,
            incarnations=self.launches,
            failures=outcome.failures,
            time=outcome.time,
            violation=outcome.violation,
            trace_digest=outcome.trace_digest,
        )


def parse_farm_scenario(text: str) -> FarmScenario:
    """Read a scenario.

    Args:
        text: lines as above.

    Returns:
        The scenario.

    Raises:
        InputError: a line cannot be read, or nothing is expected.
    """
    numbers = {"ranks": 6, "seed": 1, "hosts of": 4}
    work: dict[str, Any] = {}
    faults: list[Fault] = []
    expectations: list[tuple[str, str, str]] = []
    for raw in text.splitlines():
        line = raw.split(" # ")[0].strip() if not raw.startswith("#") else ""
        if not line:
            continue
        if found := re.fullmatch(r"(ranks|seed|hosts of) (\d+)", line):
            numbers[found[1]] = int(found[2])
        elif found := re.fullmatch(r"units((?: \d+)+)", line):
            work["units"] = [int(number) for number in found[1].split()]
        elif found := re.fullmatch(r"(poison|refuse|slow rank) (\d+)", line):
            names = {"poison": "poison", "refuse": "refused", "slow rank": "slow_rank"}
            work[names[found[1]]] = int(found[2])
        elif line.startswith("expect "):
            expectations.append(_expectation(line))
        else:
            faults.append(parse_fault(line))
    if not expectations:
        raise InputError("a scenario must expect something")
    model = msgspec.convert(work, FarmModel)
    return FarmScenario(
        model,
        numbers["ranks"],
        numbers["seed"],
        numbers["hosts of"],
        tuple(faults),
        tuple(expectations),
    )


def play_farm(scenario: FarmScenario) -> tuple[FarmOutcome, list[str]]:
    """Run a scenario.

    Args:
        scenario: what to run.

    Returns:
        The outcome, and each expectation that was not met, in words.
    """
    hardware = Hardware(ranks_per_host=scenario.ranks_per_host)
    simulation = FarmSimulation(
        scenario.model, scenario.ranks, scenario.seed, scenario.faults, hardware
    )
    outcome = simulation.play()
    missed = [said for e in scenario.expectations if (said := _missed(e, outcome))]
    if outcome.violation:
        missed.append(f"an invariant broke: {outcome.violation}")
    return outcome, missed


def _expectation(line: str) -> tuple[str, str, str]:
    if found := re.fullmatch(r"expect end (\w+(?: \w+)?)", line):
        return "state", "is", found[1]
    found = re.fullmatch(r"expect (\w+) (>=|<=|==) (\d+(?:\.\d+)?)", line)
    if found is not None and found[1] in FarmOutcome.__struct_fields__:
        return found[1], found[2], found[3]
    raise InputError(f"not an expectation: {line!r}")


def _missed(expectation: tuple[str, str, str], outcome: FarmOutcome) -> str:
    name, relation, value = expectation
    found: object = getattr(outcome, name)
    if relation == "is":
        met = found == value
    else:
        met = isinstance(found, int | float) and COMPARE[relation](float(found), float(value))
    return "" if met else f"expected {name} {relation} {value}, but it is {found}"
