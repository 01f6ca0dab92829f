"""The plan: what is not known stays unknown, what is asked too much is said."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.load import parse_job
from qmpi.config.machine import FailureRates, FileShape, Machine, Prices, load_machine
from qmpi.planning.estimate import Details, make_plan
from qmpi.planning.limits import affordable
from qmpi.planning.wording import amount, seconds_text, size_text
from qmpi.planning.workload import Counts, Workload, speeds_of_cores, workload

JOBS = Path(__file__).parents[3] / "jobs"
CORES = speeds_of_cores((1e11, 2e10, 1e10, 1e10, 1e9, 5e-6, True))


def planned(name: str, counts: Counts, machine: Machine, *overrides: str) -> Details:
    settings = parse_job((JOBS / f"{name}.toml").read_text(encoding="utf-8"), overrides)
    return make_plan(workload(settings, counts, machine, None, None))


def on_cores(trainers: int, cores: int) -> Workload:
    settings = parse_job((JOBS / "laptop.toml").read_text(encoding="utf-8"))
    node = replace(Machine().node, cores=cores)
    counts = Counts(ranks=4 + trainers, trainers=trainers)
    return workload(settings, counts, Machine(node=node), CORES, None)


def test_what_is_not_known_stays_unknown() -> None:
    plan = planned("gpu", Counts(ranks=5, trainers=1), Machine()).plan
    unknown = ("step_seconds", "utilisation", "days", "energy_kwh", "cost", "failures_per_day")
    assert all(getattr(plan, name) is None for name in (*unknown, "effective_share"))
    assert plan.parameters > 0
    assert any("name one with --machine" in words for words in plan.limits)


def test_a_file_says_how_fast_its_cores_are() -> None:
    counts, node = Counts(ranks=5, trainers=1), Machine().node
    silent = planned("demo", counts, Machine(), "train.device=cpu").plan
    assert silent.step_seconds is None
    assert any("core_gflops" in words for words in silent.limits)
    slow, fast = (
        planned("demo", counts, Machine(node=replace(node, core_gflops=rate))).plan.step_seconds
        for rate in (50.0, 200.0)
    )
    assert slow is not None
    assert fast is not None
    assert fast < slow < 4 * fast


def test_without_a_price_there_is_no_cost() -> None:
    details = planned("node", Counts(ranks=14, trainers=8), load_machine("h100"))
    assert details.plan.days is not None
    assert details.plan.energy_kwh is not None
    assert details.plan.cost is None


def test_a_price_of_energy_needs_a_draw() -> None:
    machine = load_machine("h100")
    silent = replace(machine, node=replace(machine.node, watts=0.0))
    paid = replace(silent, prices=Prices(kwh=0.2))
    assert planned("node", Counts(ranks=14, trainers=8), paid).plan.cost is None
    paid = replace(machine, prices=Prices(kwh=0.2))
    plan = planned("node", Counts(ranks=14, trainers=8), paid).plan
    assert plan.energy_kwh is not None
    assert plan.cost == pytest.approx(0.2 * plan.energy_kwh)


def test_the_job_overrules_the_prices_of_the_machine() -> None:
    counts, machine = (
        Counts(ranks=14, trainers=8),
        replace(load_machine("h100"), prices=Prices(node_hour=10.0)),
    )
    cheap = planned("node", counts, machine).plan.cost
    dear = planned("node", counts, machine, "machine.node_hour=20").plan.cost
    assert cheap is not None
    assert dear == pytest.approx(2 * cheap)


def test_ten_to_the_eighteen_is_told_honestly() -> None:
    counts = Counts(ranks=8000, trainers=4096, spares=2943, generators=400, memories=400)
    details = planned("quintillion", counts, load_machine("h100"))
    words = " ".join(details.plan.limits)
    assert details.plan.days is not None
    assert details.plan.days > 365 * 1000
    assert "10^18 tokens take" in words
    assert "in 30 days 879 nodes train on" in words
    assert "lanes: 4,096 lanes (4,096 at most) feed 4,096 trainers" in words
    assert "memory: a trainer needs" in words
    assert "network: summing" in words


@given(st.integers(1, 64), st.integers(1, 64))
def test_more_trainers_are_never_slower_to_compute(trainers: int, cores: int) -> None:
    few, more = make_plan(on_cores(trainers, cores)), make_plan(on_cores(2 * trainers, 2 * cores))
    assert few.time is not None
    assert more.time is not None
    assert more.time.products <= few.time.products * 1.0001
    assert few.plan.utilisation is not None
    assert 0 < few.plan.utilisation <= 1.0


def test_trainers_that_share_a_core_take_turns() -> None:
    alone, crowded = make_plan(on_cores(2, 2)).time, make_plan(on_cores(2, 1)).time
    assert alone is not None
    assert crowded is not None
    assert crowded.products == pytest.approx(2 * alone.products)


def test_failures_cost_time_and_are_told() -> None:
    counts, machine = Counts(ranks=8000, trainers=4096), load_machine("h100")
    good = planned("cluster", counts, machine)
    often = replace(machine, failures=FailureRates(node_days=2.0))
    bad = planned("cluster", counts, often)
    assert good.plan.effective_share is not None
    assert bad.plan.effective_share is not None
    assert bad.plan.effective_share < 0.95 < good.plan.effective_share
    assert any(words.startswith("failures:") for words in bad.plan.limits)
    # What the job says of its nodes goes before what the machine file says.
    asked = planned("cluster", counts, often, "machine.node_days=264")
    assert asked.plan.failures_per_day == pytest.approx(good.plan.failures_per_day)


def test_slow_files_and_few_generators_are_told() -> None:
    slow = replace(load_machine("h100"), files=FileShape(write_gbytes=0.001))
    counts = Counts(ranks=100, trainers=64, generators=1)
    words = " ".join(planned("quintillion", counts, slow).plan.limits)
    assert "files: a checkpoint takes" in words
    many = Counts(ranks=4200, trainers=4096, generators=1)
    assert "generators:" in " ".join(planned("quintillion", many, slow).plan.limits)


def test_opening_files_takes_time_where_it_is_known() -> None:
    counts, machine = Counts(ranks=14, trainers=8), load_machine("h100")
    load = planned("node", counts, replace(machine, files=FileShape(opens_per_second=100.0))).load
    assert load is not None
    assert load.opening_seconds == pytest.approx(load.opens / 100.0)


def test_a_run_shorter_than_its_warm_up_is_told() -> None:
    settings = parse_job((JOBS / "node.toml").read_text(encoding="utf-8"))
    counts, machine = Counts(ranks=14, trainers=8), load_machine("h100")
    short = make_plan(workload(settings, counts, machine, None, 10**9))
    assert any("fewer than the warm-up has (1,000)" in words for words in short.plan.limits)
    long = make_plan(workload(settings, counts, machine, None, 10**10))
    assert not any("warm-up" in words for words in long.plan.limits)


def test_lanes_that_do_not_divide_are_told() -> None:
    job = on_cores(5, 8)
    assert any("do not divide among 5 trainers" in words for words in make_plan(job).plan.limits)


def test_tokens_asked_for_are_whole_steps() -> None:
    settings = parse_job((JOBS / "laptop.toml").read_text(encoding="utf-8"))
    counts = Counts(ranks=5, trainers=1)
    job = workload(settings, counts, Machine(), CORES, 8193)
    assert (job.steps, job.tokens) == (2, 16_384)
    assert affordable(job, 1.0, 1.0) == 86_400 * 8192


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (amount(10**18), "10^18 tokens"),
        (amount(2.5e12), "2.5 T tokens"),
        (amount(900), "900 tokens"),
        (seconds_text(0.012), "12 ms"),
        (seconds_text(90.0), "90 s"),
        (seconds_text(7000.0), "117 min"),
        (seconds_text(86_400 * 3.0), "3 days"),
        (seconds_text(86_400 * 365_250.0), "1,000 years"),
        (size_text(1536), "1.5 KiB"),
        (size_text(12), "12 B"),
        (size_text(1020 * 2**20), "1020 MiB"),
        (size_text(998 * 2**10), "998 KiB"),
    ],
)
def test_figures_are_worded(words: str, shown: str) -> None:
    assert words == shown


def test_computing_is_no_limit_beside_what_takes_nearly_all_of_a_step() -> None:
    counts, machine = Counts(ranks=15, trainers=8, spares=1), load_machine("h100")
    overrides = ("parallel.pipeline=2", "parallel.tensor=2")
    words = planned("node", counts, machine, *overrides).plan.limits
    assert [sentence.split(":")[0] for sentence in words] == ["team"]
