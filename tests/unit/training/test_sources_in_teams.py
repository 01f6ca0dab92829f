"""Losses by source where ranks share a model: all of them tell the same, each token once."""

import numpy as np
import pytest
from msgspec.structs import replace
from unit.training.small_job import LANES, block, job
from unit.training.team_of_threads import ANSWERS, sources_of, teamed

from qmpi.protocol.progress import LOSS_GRID

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


def answers_of(ids):
    """Count the answer tokens of a row as a plain loop finds them."""
    found = set()
    for place in range(len(ids)):
        for opening in ANSWERS.openings:
            begin = place + 1 + len(opening)
            rest = [n for n in range(begin, len(ids)) if ids[n] in ANSWERS.breaks]
            if ids[place] in ANSWERS.breaks and tuple(ids[place + 1 : begin]) == opening and rest:
                found |= set(range(begin, rest[0]))
    return len(found)


def counted(settings):
    """Return tokens and answer tokens by source, worked out from the blocks."""
    wanted = {}
    for lane in range(LANES):
        rows = np.frombuffer(block(settings, 0, lane), "<u2").reshape(-1, 17).tolist()
        for source, row in zip(sources_of(settings, lane), rows, strict=True):
            tokens, answers = wanted.get(source, (0, 0))
            wanted[source] = (tokens + 16, answers + answers_of(row))
    return wanted


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_token_is_told_once_whatever_the_layout(name):
    settings = settings_of(mixed="expert" in LAYOUTS[name])
    (told,) = teamed(settings, **LAYOUTS[name]).train(1)
    (alone,) = teamed(settings).train(1)
    found = {each.source: (each.tokens, each.answers) for each in told[3]}
    assert found == counted(settings)
    for own, other in zip(told[3], alone[3], strict=True):
        assert own.loss == pytest.approx(other.loss, rel=1e-4, abs=2 * own.tokens)
        assert own.answer_loss == pytest.approx(other.answer_loss, rel=1e-3, abs=8)


def test_together_they_are_the_mean_of_the_lanes():
    settings = settings_of(mixed=False)
    ((losses, _, _, told),) = teamed(settings).train(1)
    mean = sum(each.loss for each in told) / sum(each.tokens for each in told) / LOSS_GRID
    assert mean == pytest.approx(sum(losses) / len(losses), abs=1e-4)
    assert any(each.answers for each in told)
