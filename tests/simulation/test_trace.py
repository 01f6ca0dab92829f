"""Equal seeds give equal traces, in any process; different ones are told apart."""

import os
import subprocess
import sys

from qmpi.simulator.engine import Care, Simulation
from qmpi.simulator.faults import parse_fault
from qmpi.simulator.scenario import USUAL
from qmpi.simulator.trace import first_difference

PROGRAM = """
from qmpi.simulator.engine import Simulation
from qmpi.simulator.faults import parse_fault
from qmpi.simulator.scenario import USUAL
faults = [parse_fault(line) for line in ("when step 9 kill trainer 0", "at 6 kill memory 0")]
print(Simulation(USUAL, 12, 11, faults).run().trace_digest)
"""


def digest_in_process(hash_seed: str) -> str:
    environ = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_equal_in_two_processes_with_different_hash_seeds() -> None:
    digests = {digest_in_process("1"), digest_in_process("4242")}
    assert len(digests) == 1
    assert len(digests.pop()) == 64


def traced(seed: int) -> Simulation:
    faults = [parse_fault("when step 9 kill trainer 0")]
    simulation = Simulation(USUAL, 12, seed, faults, care=Care(keep_trace=0))
    simulation.run()
    return simulation


def test_first_difference() -> None:
    first, second, other = traced(1), traced(1), traced(2)
    assert first_difference(first.trace, second.trace) == ""
    assert first.trace.digest == second.trace.digest
    assert first_difference(first.trace, other.trace).startswith("entry ")


def test_messages_of_one_step() -> None:
    text = traced(1).trace.to_text(4)
    names = [line.split()[6] for line in text.splitlines()]
    assert set(names) >= {"BlockRequest", "BlockReply", "StepReport"}
    assert names.index("BlockRequest") < names.index("BlockReply") < names.index("StepReport")


def test_seeds_change_timing_but_not_weights() -> None:
    ends = [Simulation(USUAL, 12, seed).run().end for seed in range(3)]
    assert len({end.digest for end in ends if end}) == 1
    assert len({end.time for end in ends if end}) == 3
