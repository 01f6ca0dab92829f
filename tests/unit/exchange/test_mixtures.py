"""Mixtures of experts out and in: the same model in `transformers`, and what is refused."""

import json

import pytest
import torch
from msgspec.structs import replace
from torch.nn import functional
from transformers import AutoModelForCausalLM, Dots1ForCausalLM, Qwen3MoeForCausalLM
from unit.exchange.small_run import engine, model_of, settings, tokenizer, write_run

from qmpi.config.model import ModelSettings
from qmpi.errors import InputError
from qmpi.exchange.export import Form, export_run
from qmpi.exchange.hugging_face import model_config, model_settings
from qmpi.exchange.importing import import_model
from qmpi.exchange.sample import Sampler, Wanted
from qmpi.model.shape import bias_shapes
from qmpi.training.draws import Draws
from qmpi.training.initial_weights import weights_digest

pytestmark = pytest.mark.filterwarnings("default")

BASE = {"vocab_size": 320, "layers": 3, "width": 64, "heads": 4, "kv_heads": 2, "experts": 6,
        "experts_per_token": 2, "expert_width": 40, "dense_layers": 1}  # fmt: skip
SHAPES = {
    "qwen3_moe": ModelSettings(**BASE),
    "dots1": ModelSettings(
        **{**BASE, "shared_experts": 2, "router": "sigmoid", "tied_head": False}
    ),
}
KINDS = {"qwen3_moe": Qwen3MoeForCausalLM, "dots1": Dots1ForCausalLM}


def told(text):
    raise AssertionError(text)


def run_of(tmp_path, model, *, zeroed):
    job = settings(tmp_path / "tokenizer", model)
    made = engine(job)
    for slot in made._state.layout.slots:
        if zeroed and slot.name in bias_shapes(model):
            made._state.view(slot).zero_()
    return write_run(tmp_path / "run", job, {0: made}), job, model_of(job, made)


def export(tmp_path, run, **form):
    made = tmp_path / "hf"
    export_run(run, made, None, Form(**form), cache=tmp_path / "cache", tell=told)
    return made


def loaded(folder):
    theirs, found = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(found.values()), found
    return theirs.eval()


def gradients_of(theirs):
    """Return gradients by our names: theirs hold all experts of a layer in one tensor."""
    named = {}
    for name, parameter in theirs.named_parameters():
        head, _, tail = name.partition(".experts.")
        if tail == "down_proj":
            for n, part in enumerate(parameter.grad):
                named[f"{head}.experts.{n}.down_proj.weight"] = part
        elif tail == "gate_up_proj":
            for n, part in enumerate(parameter.grad):
                for which, half in zip(("gate", "up"), part.chunk(2), strict=True):
                    named[f"{head}.experts.{n}.{which}_proj.weight"] = half
        else:
            named[name] = parameter.grad
    return named


@pytest.mark.parametrize("kind", SHAPES)
def test_logits_gradients_and_greedy_text_are_equal(tmp_path, kind):
    run, job, ours = run_of(tmp_path, SHAPES[kind], zeroed=kind == "qwen3_moe")
    theirs = loaded(export(tmp_path, run))
    assert type(theirs) is KINDS[kind]
    ids = torch.randint(0, 300, (3, 48), generator=torch.Generator().manual_seed(2))
    a, b = ours.requires_grad_()(ids), theirs(ids).logits
    assert (a - b).abs().max() < 1e-4
    assert a.std() > 0.1, "logits that are all alike prove nothing"
    for logits in (a, b):
        functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    mine, others = dict(ours.named_parameters()), gradients_of(theirs)
    assert set(mine) == set(others)
    for name, parameter in mine.items():
        torch.testing.assert_close(parameter.grad, others[name], rtol=1e-3, atol=1e-5)
    made = tokenizer(tmp_path / "tokenizer")
    start = [made.end_of_text, *made.encode("Hello ")]
    rows = list(range(made.size, job.model.vocab_size))
    with torch.no_grad():
        out = theirs.generate(
            torch.tensor([start]), max_new_tokens=20, do_sample=False, suppress_tokens=rows
        )
    sampler = Sampler(run, None, tmp_path / "cache", told)
    text = "Hello " + "".join(
        piece.text for piece in sampler.stream(Wanted(("Hello ",)), Draws(20, 0.0, 0))
    )
    ids = out[0].tolist()[1:]
    ended = ids.index(made.end_of_text) if made.end_of_text in ids else len(ids)
    assert text == made.decode(ids[:ended])
    assert ended > len(start)


@pytest.mark.parametrize("kind", SHAPES)
def test_what_transformers_saves_comes_in_as_it_went_out(tmp_path, kind):
    run, job, ours = run_of(tmp_path, SHAPES[kind], zeroed=kind == "qwen3_moe")
    theirs = loaded(export(tmp_path, run))
    theirs.save_pretrained(tmp_path / "saved")
    (tmp_path / "saved" / "tokenizer.json").write_bytes(
        (tmp_path / "hf" / "tokenizer.json").read_bytes()
    )
    found = import_model(tmp_path / "saved", "", "laptop")
    assert replace(found.settings.model, ffn_width=0) == replace(job.model, ffn_width=0)
    assert found.digest == weights_digest(tmp_path / "hf", job.model)
    begun = engine(found.settings, noise=None)
    for name, wanted in ours.state_dict().items():
        (slot,) = [slot for slot in begun._state.layout.slots if slot.name == name]
        assert torch.equal(begun._state.view(slot), wanted)


def test_biases_that_qwen3_moe_has_not_are_refused_or_dropped(tmp_path):
    run, _, ours = run_of(tmp_path, SHAPES["qwen3_moe"], zeroed=False)
    with pytest.raises(InputError, match=r"biases of experts.*step 20.*--drop-expert-bias"):
        export(tmp_path, run)
    said: list[str] = []
    form = Form(drop_bias=True)
    done = export_run(run, tmp_path / "hf", None, form, cache=tmp_path / "cache", tell=said.append)
    spreads = [float(bias.max() - bias.min()) for _, bias in ours.named_buffers()]
    assert done.dropped_bias == pytest.approx(max(spreads), rel=1e-6)
    assert max(spreads) > 0
    told_so = f"they lie up to {max(spreads):.3g} apart in a layer"
    assert told_so in said[-1]
    assert told_so in (tmp_path / "hf" / "README.md").read_text()
    theirs = loaded(tmp_path / "hf")
    ids = torch.randint(0, 300, (1, 48), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        assert (ours(ids) - theirs(ids).logits).abs().max() > 1e-3
        for name, buffer in ours.named_buffers():
            assert name.endswith("e_score_correction_bias")
            buffer.zero_()
        assert (ours(ids) - theirs(ids).logits).abs().max() < 1e-4


def test_a_bias_is_not_rounded_with_the_weights(tmp_path):
    run, _, ours = run_of(tmp_path, SHAPES["dots1"], zeroed=False)
    theirs = loaded(export(tmp_path, run, dtype="bfloat16"))
    for name, buffer in ours.named_buffers():
        assert torch.equal(theirs.get_buffer(name), buffer)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"router": "sigmoid"}, "without shared experts"),
        ({"shared_experts": 1}, "shared experts beside"),
        ({"qk_norm": False}, "qk_norm"),
    ],
)
def test_what_nobody_loads_is_refused_before_anything_is_written(tmp_path, fields, word):
    run, *_ = run_of(tmp_path, ModelSettings(**{**BASE, **fields}), zeroed=True)
    with pytest.raises(InputError, match=word):
        export(tmp_path, run)
    assert not (tmp_path / "hf").exists()


@pytest.mark.parametrize("kind", SHAPES)
def test_config_out_and_in_is_the_same_model(tmp_path, kind):
    fields = json.loads(json.dumps(model_config(SHAPES[kind], 128, 0, "float32")))
    found = model_settings(fields, tmp_path)
    assert replace(found, ffn_width=0) == SHAPES[kind]
    for name, value in (("norm_topk_prob", False), ("num_experts_per_tok", None)):
        with pytest.raises(InputError, match=name):
            model_settings({**fields, name: value}, tmp_path)
    other = {"qwen3_moe": ("mlp_only_layers", [1]), "dots1": ("n_group", 2)}[kind]
    with pytest.raises(InputError, match=other[0]):
        model_settings({**fields, other[0]: other[1]}, tmp_path)


def test_weights_that_are_not_there_are_named(tmp_path):
    run, job, _ = run_of(tmp_path, SHAPES["qwen3_moe"], zeroed=True)
    export(tmp_path, run)
    with pytest.raises(InputError, match=r"lack model\.layers\.1\.mlp\.experts\.6"):
        weights_digest(tmp_path / "hf", replace(job.model, experts=7))
