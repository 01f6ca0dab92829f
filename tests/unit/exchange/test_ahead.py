"""Models with ahead modules go out without them, and weights from elsewhere come in beside them."""

import pytest
import torch
from msgspec.structs import replace
from transformers import AutoModelForCausalLM, Qwen3ForCausalLM
from unit.exchange.small_run import SHAPES, engine, small_run

from qmpi.config.settings import InitialSettings
from qmpi.exchange.export import Form, export_run
from qmpi.model.shape import ahead_shapes, parameter_count, without_ahead
from qmpi.training.engine import Engine
from qmpi.training.initial_weights import weights_digest

pytestmark = pytest.mark.filterwarnings("default")

MODEL = replace(SHAPES["tied, grouped"], predict_ahead=2)


def test_modules_are_left_out_and_begin_anew(tmp_path):
    _, job, ours = small_run(tmp_path, MODEL)
    done = export_run(
        tmp_path / "run", tmp_path / "hf", None, Form(), cache=tmp_path / "cache", tell=print
    )
    assert done.left_out == parameter_count(MODEL) - parameter_count(without_ahead(MODEL)) > 0
    assert (
        f"{parameter_count(without_ahead(MODEL)):,}" in (done.directory / "README.md").read_text()
    )
    theirs, found = AutoModelForCausalLM.from_pretrained(
        done.directory, output_loading_info=True, trust_remote_code=False
    )
    assert not any(found.values()), found
    assert type(theirs) is Qwen3ForCausalLM
    ids = torch.randint(0, 300, (2, 12), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        assert (ours(ids) - theirs.eval()(ids).logits).abs().max() < 1e-4

    initial = InitialSettings(
        weights=str(done.directory), digest=weights_digest(done.directory, MODEL)
    )
    begun = Engine(replace(job, initial=initial), float, lambda: None)
    begun.initialise()
    drawn, held = engine(job, None)._state.wide_views(), begun._state.wide_views()
    for name, values in held.items():
        wanted = drawn[name] if name in ahead_shapes(MODEL) else ours.get_parameter(name)
        assert torch.equal(values, wanted), name
