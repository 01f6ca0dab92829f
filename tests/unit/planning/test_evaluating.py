"""What evaluations are planned to cost, against what the run does."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.config.data import ContentSource
from qmpi.config.load import parse_job
from qmpi.config.machine import load_machine
from qmpi.corpora.held_out import chosen
from qmpi.model.transformer import Transformer
from qmpi.monitor.plan_text import plan_text
from qmpi.planning import evaluating
from qmpi.planning.estimate import Details, make_plan
from qmpi.planning.evaluating import evaluation_bytes, evaluation_seconds, evaluations
from qmpi.planning.memory import trainer_memory
from qmpi.planning.workload import Counts, Workload, speeds_of_cores, workload
from qmpi.policy.evaluation_schedule import is_evaluated, own_share
from qmpi.protocol.membership import SourceFact
from qmpi.runtime.engine_evaluations import PROBLEMS_TOGETHER
from qmpi.training.decode import batches_of
from qmpi.training.engine import EVALUATED_LOGITS
from qmpi.training.evaluation import Evaluator
from qmpi.units import Digest

JOBS = Path(__file__).parents[3] / "jobs"
CORES = speeds_of_cores((1e11, 2e10, 1e10, 1e10, 1e9, 5e-6, True))


def job(*overrides: str, name: str = "demo", trainers: int = 1) -> Workload:
    settings = parse_job((JOBS / f"{name}.toml").read_text(encoding="utf-8"), overrides)
    counts = Counts(ranks=4 + trainers, trainers=trainers)
    return workload(settings, counts, load_machine("laptop"), CORES, None)


def seconds(planned: Workload) -> float:
    return evaluation_seconds(planned, CORES)


def details(*overrides: str) -> Details:
    return make_plan(job(*overrides))


@pytest.mark.parametrize("steps", [1, 19, 20, 21, 60])
@pytest.mark.parametrize("every", [0, 1, 20, 100])
def test_a_run_is_planned_to_measure_as_often_as_it_does(steps: int, every: int) -> None:
    planned = job(f"train.steps={steps}", f"evaluation.every_steps={every}")
    done = sum(is_evaluated(step, every, steps) for step in range(steps + 1))
    assert evaluations(planned) == done


@pytest.mark.parametrize("held_out", [0.0, 0.01])
@pytest.mark.parametrize("tokens", [0, 1, 8192, 10_000])
def test_rows_are_those_that_the_paper_takes(held_out: float, tokens: int) -> None:
    planned = job(f"evaluation.tokens={tokens}", f"evaluation.held_out={held_out}")
    facts = [
        SourceFact(source.name, 0, Digest(""))
        if isinstance(source, ContentSource)
        else SourceFact(source.name, 10**6, Digest(""), round(held_out * 10**6))
        for source in planned.settings.data.sources
    ]
    length = planned.settings.train.sequence_tokens
    wanted = -(-tokens // (length * len(facts)))
    assert evaluating._rows(planned) == len(chosen(facts, wanted))


@pytest.mark.parametrize("trainers", [1, 2, 3, 50])
def test_pieces_are_those_that_the_engine_deals(trainers: int) -> None:
    planned = job("evaluation.problems=48", trainers=trainers)
    assert (evaluating.LOGITS, evaluating.BATCH) == (EVALUATED_LOGITS, PROBLEMS_TOGETHER)
    length = planned.settings.train.sequence_tokens
    evaluator = Evaluator(Transformer(planned.settings.model), length, EVALUATED_LOGITS)
    together, rows = evaluator.rows_together, evaluating._rows(planned)
    assert evaluating._rows_together(planned) == together
    pieces = [len(range(0, rows, together)), len(list(batches_of([[1]] * 48, [1] * 48, 16)))]
    most = max(len(own_share(sum(pieces), part, trainers)) for part in range(trainers))
    dealt = [evaluating._dealt(planned, rows, together), evaluating._dealt(planned, 48, 16)]
    # Rows and problems are dealt in one row of pieces, so both at their most is one too many.
    assert most <= sum(dealt) <= most + 1


def test_what_is_measured_costs_and_what_is_not_does_not() -> None:
    none = job("evaluation.every_steps=0")
    plain = make_plan(none)
    assert plain.time is not None
    assert plain.time.evaluation == evaluation_bytes(none) == 0
    assert "evaluations" not in plan_text(plain, "here")
    both = make_plan(job("evaluation.every_steps=20"))
    assert both.time is not None
    assert both.time.total - plain.time.total == pytest.approx(both.time.evaluation)
    # 60 steps and three evaluations.
    assert both.time.evaluation == pytest.approx(3 * seconds(both.job) / 60)
    assert "evaluations" in plan_text(both, "here")
    assert plain.plan.days is not None
    assert both.plan.days is not None
    assert both.plan.days > plain.plan.days
    often = details("evaluation.every_steps=1").plan.limits
    assert any("raise evaluation.every_steps" in words for words in often)
    assert not any("raise evaluation.every_steps" in words for words in plain.plan.limits)


def test_time_goes_with_what_is_asked_and_shared() -> None:
    rows, problems = job("evaluation.problems=0"), job("evaluation.tokens=0")
    assert seconds(rows) + seconds(problems) == pytest.approx(seconds(job()))
    assert seconds(job("evaluation.tokens=81920", "evaluation.problems=0")) == pytest.approx(
        10 * seconds(rows)
    )
    assert seconds(job("evaluation.problems=96", "evaluation.tokens=0")) == pytest.approx(
        2 * seconds(problems)
    )
    assert seconds(job(trainers=3)) < 0.5 * seconds(job())
    corpora = replace(job().settings.data, sources=job().settings.data.sources[:1])
    without = replace(problems, settings=replace(problems.settings, data=corpora))
    assert seconds(without) == evaluation_bytes(without) == 0


def test_the_demo_takes_what_was_measured() -> None:
    """Rates and processor seconds of one process, 2 cores of an AMD EPYC with AVX512_BF16."""
    speeds = speeds_of_cores((1.865e11, 4.06e10, 1.515e10, 3.07e10, 1.83e9, 5.49e-6, True))
    rows, problems = job("evaluation.problems=0"), job("evaluation.tokens=0")
    assert evaluation_seconds(rows, speeds) == pytest.approx(0.344, rel=0.25)
    assert evaluation_seconds(problems, speeds) == pytest.approx(1.06, rel=0.25)
    assert evaluation_bytes(job()) == pytest.approx((538 - 367) * 2**20, rel=0.05)


def test_a_compiler_and_evaluations_take_memory_on_cores_alone() -> None:
    on, off = (trainer_memory(job(f"train.compile={word}")) for word in ("on", "off"))
    assert (on["compiler"], off["compiler"]) == (110 * 2**20, 0)
    assert on["evaluation"] == evaluation_bytes(job()) > 0
    gpus = job("train.compile=on", "evaluation.every_steps=5", name="node")
    gpus = replace(gpus, machine=load_machine("h100"))
    memory = trainer_memory(gpus)
    assert memory["compiler"] == memory["evaluation"] == 0
