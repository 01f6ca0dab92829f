"""Losses by source where ranks share a model: all of them tell the same, each token once."""

import numpy as np
import pytest
from msgspec.structs import replace
from unit.training.small_job import LANES, block, job
from unit.training.team_of_threads import ANSWERS, sources_of, teamed

from qmpi.protocol.progress import LOSS_GRID
from qmpi.training import source_losses

MODEL = {"vocab_size": 256, "layers": 4, "width": 32, "heads": 4, "kv_heads": 4}
LAYOUTS = {
    "several teams": {"teams": 3},
    "tensor": {"tensor": 2},
    "pipeline": {"pipeline": 2},
    "zero bubble": {"pipeline": 2, "schedule": "zero_bubble"},
    "context": {"context": 2},
    "expert": {"expert": 2},
    "expert and context": {"expert": 2, "context": 2},
    "three": {"context": 2, "pipeline": 2, "tensor": 2, "teams": 2},
}


def settings_of(*, mixed):
    base = job(microbatches=2)
    experts = {"experts": 4, "capacity_factor": 0.0} if mixed else {}
    return replace(base, model=replace(base.model, **MODEL, **experts))


TOKENS = 16


def answers_of(ids, pieces=1):
    """Count answer tokens and problems of a row as a plain loop finds them."""
    found, problems = set(), 0
    for place in range(len(ids)):
        for opening in ANSWERS.openings:
            begin = place + 1 + len(opening)
            rest = [n for n in range(begin, len(ids)) if ids[n] in ANSWERS.breaks]
            if ids[place] in ANSWERS.breaks and tuple(ids[place + 1 : begin]) == opening and rest:
                found |= set(range(begin, rest[0]))
                # Targets are numbered from 1 in a row; no piece of it may cut the answer.
                cut = len({(place - 1) * pieces // TOKENS for place in range(begin, rest[0])})
                problems += cut == 1
    return len(found), problems


def counted(settings, pieces):
    """Return tokens, answer tokens and problems by source, worked out from the blocks."""
    wanted = {}
    for lane in range(LANES):
        rows = np.frombuffer(block(settings, 0, lane), "<u2").reshape(-1, 17).tolist()
        for source, row in zip(sources_of(settings, lane), rows, strict=True):
            told = (TOKENS, *answers_of(row, pieces))
            wanted[source] = tuple(map(sum, zip(wanted.get(source, (0, 0, 0)), told, strict=True)))
    return wanted


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_token_is_told_once_whatever_the_layout(name, monkeypatch):
    # An untrained model gives no token half; under this bound some problems are solved.
    monkeypatch.setattr(source_losses, "HALF", 5.65)
    settings = settings_of(mixed="expert" in LAYOUTS[name])
    (told,) = teamed(settings, **LAYOUTS[name]).train(1)
    (alone,) = teamed(settings).train(1)
    found = {each.source: (each.tokens, each.answers, each.problems) for each in told[3]}
    ranks = LAYOUTS[name].get("context", 1)
    assert found == counted(settings, 2 * ranks if ranks > 1 else 1)
    problems, solved = (
        sum(getattr(each, of) for each in alone[3]) for of in ("problems", "solved")
    )
    assert 0 < solved < problems
    if ranks == 1:
        assert [each.solved for each in told[3]] == [each.solved for each in alone[3]]
    for own, other in zip(told[3], alone[3], strict=True):
        assert own.solved <= other.solved
        assert own.loss == pytest.approx(other.loss, rel=1e-4, abs=2 * own.tokens)
        assert own.answer_loss == pytest.approx(other.answer_loss, rel=1e-3, abs=8)


def test_together_they_are_the_mean_of_the_lanes():
    settings = settings_of(mixed=False)
    ((losses, _, _, told),) = teamed(settings).train(1)
    mean = sum(each.loss for each in told) / sum(each.tokens for each in told) / LOSS_GRID
    assert mean == pytest.approx(sum(losses) / len(losses), abs=1e-4)
    assert any(each.answers for each in told)
