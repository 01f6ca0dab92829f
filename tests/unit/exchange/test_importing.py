"""A model that comes in: the same weights, the same next step, and what does not fit."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from safetensors.torch import load_file, save_file
from unit.exchange.small_run import (
    SHAPES,
    engine,
    model_of,
    settings,
    small_run,
    tokenizer,
    write_run,
)

from qmpi.config.describe import describe
from qmpi.config.identity import differences
from qmpi.config.load import parse_job, settings_digest
from qmpi.config.settings import InitialSettings
from qmpi.errors import ConfigError, CorruptData, InputError
from qmpi.exchange.export import Form, export_run
from qmpi.exchange.importing import import_model
from qmpi.launch.train import prepare_run
from qmpi.storage.safetensors_file import read_weights, tensor_bytes
from qmpi.training import initial_weights
from qmpi.training.comm.line import Comm
from qmpi.training.engine import Engine

ROOT = Path(__file__).parents[3]


def export(tmp_path, target="hf", run="run", form=Form()):  # noqa: B008 - frozen
    export_run(tmp_path / run, tmp_path / target, None, form, cache=tmp_path / "cache", tell=print)
    return tmp_path / target


def begun(job):
    """An engine that takes the job's own initial weights, alone in its group."""
    made = Engine(job, time.monotonic, lambda: None)
    made.initialise()
    return alone(made)


def alone(made):
    made.join(Comm(store=None, name="g", index=0, size=1, timeout_seconds=5, aborted=lambda: None))
    return made


def step(made, job):
    train = job.train
    shape = (train.sequences, train.sequence_tokens + 1)
    blocks = [
        np.random.default_rng(lane).integers(0, 290, shape).astype("<u2").tobytes()
        for lane in range(train.lanes)
    ]
    digests = ["0" * 32] * train.lanes
    return made.run_step(0, range(train.lanes), blocks, digests, digest_due=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_one_step_is_that_of_going_on_from_the_same_weights(tmp_path, shape):
    _, job, _ = small_run(tmp_path, SHAPES[shape])
    hf = export(tmp_path, form=Form(shard_bytes=40_000))
    found = import_model(hf, "second", "laptop").settings
    assert (found.job.name, found.data.tokenizer) == ("second", str(hf / "tokenizer.json"))
    asked = replace(job.model, ffn_width=found.model.ffn_width)
    assert found.model == asked
    again = replace(job, model=found.model, initial=found.initial)
    in_memory = alone(engine(job))
    in_memory._state.set_counters(0, 0, 0)
    outcomes = [step(made, job) for made in (begun(again), in_memory)]
    assert outcomes[0].weight_digest == outcomes[1].weight_digest
    assert outcomes[0].lane_losses == outcomes[1].lane_losses
    assert outcomes[0].gradient_norm > 0


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_out_in_and_out_again_gives_the_same_tensors(tmp_path, dtype):
    _, job, _ = small_run(tmp_path, SHAPES["untied, narrow heads"])
    first = export(tmp_path, form=Form(dtype, shard_bytes=50_000))
    found = import_model(first, "", "laptop").settings
    job = replace(found, train=job.train, optimizer=job.optimizer)
    write_run(tmp_path / "second", job, {0: engine(job, noise=None)})
    second = export(tmp_path, "hf2", "second", Form(dtype))
    before, after = read_weights(first), read_weights(second)
    assert before.keys() == after.keys()
    for name, entry in before.items():
        assert bytes(tensor_bytes(entry)) == bytes(tensor_bytes(after[name])), name
    assert (first / "tokenizer.json").read_bytes() == (second / "tokenizer.json").read_bytes()
    assert import_model(second, "", "laptop").digest == found.initial.digest
    one, two = (json.loads((path / "config.json").read_text()) for path in (first, second))
    assert one == two


def test_weights_in_half_precision_come_in_exactly(tmp_path):
    small_run(tmp_path)
    hf = export(tmp_path)
    halves = {name: value.half() for name, value in load_file(hf / "model.safetensors").items()}
    save_file(halves, hf / "model.safetensors")
    job = import_model(hf, "", "laptop").settings
    made = begun(job)
    for name, parameter in model_of(job, made).named_parameters():
        assert torch.equal(parameter, halves[name].float())


@pytest.mark.parametrize("name", ["Llama", "Olmo2"])
def test_what_transformers_saves_comes_in_and_goes_on(tmp_path, name):
    transformers = pytest.importorskip("transformers")
    config = getattr(transformers, f"{name}Config")
    made = getattr(transformers, f"{name}ForCausalLM")(
        config(
            vocab_size=320, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
            eos_token_id=0,
        )
    )  # fmt: skip
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() == 1:  # ones would hide a forgotten scale
                parameter.uniform_(0.5, 1.5)
    made.save_pretrained(tmp_path / "hf")
    tokenizer(tmp_path / "hf")
    job = import_model(tmp_path / "hf", "", "laptop").settings
    assert job.model.qk_norm == (name == "Olmo2")
    assert (job.model.tied_head, job.train.sequence_tokens) == (False, 64)
    small = replace(job.train, lanes=2, microbatches=1, sequences=2, precision="float32")
    job = replace(job, train=replace(small, device="cpu"))
    engine_of_job = begun(job)
    ours = model_of(job, engine_of_job)
    ids = torch.randint(0, 320, (2, 20))
    with torch.no_grad():
        assert (ours(ids) - made.eval()(ids).logits).abs().max() < 1e-4
    assert step(engine_of_job, job).gradient_norm > 0


def test_a_job_that_is_written_loads_and_its_identity_is_the_digest(tmp_path, monkeypatch):
    small_run(tmp_path)
    hf = export(tmp_path)
    job = import_model(hf, "", "laptop").settings
    assert parse_job(describe(job, "title")) == job
    moved = replace(job, initial=replace(job.initial, weights=str(tmp_path / "moved")))
    assert settings_digest(moved) == settings_digest(job)
    other = replace(job, initial=replace(job.initial, digest="0" * 64))
    assert settings_digest(other) != settings_digest(job)
    assert "initial.digest is" in differences(job, other)[0]
    whole = begun(job)
    shutil.move(hf / "model.safetensors", tmp_path / "moved")
    assert begun(moved).snapshot()[0] == whole.snapshot()[0]
    with pytest.raises(InputError, match=r"holds no model\.safetensors"):
        begun(job)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"holds no model\.safetensors"):
        prepare_run(job, 5, os.environ)
    with pytest.raises(ConfigError, match="belong together"):
        parse_job("[initial]\nweights = 'x'\n")


def test_other_weights_than_were_meant_are_not_trained_on(tmp_path):
    small_run(tmp_path)
    hf = export(tmp_path)
    job = import_model(hf, "", "laptop").settings
    path = hf / "model.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-9] ^= 1
    path.write_bytes(raw)
    made = Engine(job, time.monotonic, lambda: None)
    with pytest.raises(InputError, match=r"are others .* than initial\.digest"):
        made.initialise()
    assert made.state_step == -1
    path.write_bytes(raw[:-1])
    with pytest.raises(CorruptData, match="cut short"):
        made.initialise()
    path.unlink()
    with pytest.raises(InputError, match="holds no"):
        made.initialise()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t.pop("model.norm.weight"), r"lack model\.norm\.weight"),
        (lambda t: t.update({"model.layers.0.self_attn.q_proj.bias": torch.ones(2)}),
         r"have, beyond what the model has, model\.layers\.0\.self_attn\.q_proj\.bias"),
        (lambda t: t.update({"model.norm.weight": torch.ones(65)}), r"shape \[65\].*wants \[64\]"),
        (lambda t: t.update({"model.norm.weight": torch.ones(64).double()}), "type F64"),
        (lambda t: t.update({"model.norm.weight": torch.ones(64).int()}), "type I32"),
        (lambda t: t.update({"lm_head.weight": torch.ones(320, 64)}), "tie_word_embeddings"),
    ],
)  # fmt: skip
def test_weights_that_are_not_the_models_are_refused(tmp_path, change, named):
    small_run(tmp_path)
    path = export(tmp_path) / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    with pytest.raises(InputError, match=named):
        import_model(path.parent, "", "laptop")


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_values_that_are_not_finite_are_counted(tmp_path, kind):
    small_run(tmp_path)
    path = export(tmp_path) / "model.safetensors"
    tensors = {name: value.to(kind) for name, value in load_file(path).items()}
    # The largest numbers and the smallest are sound.
    tensors["model.norm.weight"][:3] = torch.tensor([torch.finfo(kind).max, -0.0, 1e-7])
    save_file(tensors, path)
    import_model(path.parent, "", "laptop")
    odd = tensors["model.layers.0.mlp.up_proj.weight"].view(-1)
    odd[:4] = torch.tensor([torch.nan, torch.inf, -torch.inf, 0.0])
    tensors["model.norm.weight"][:] = torch.nan
    save_file(tensors, path)
    with pytest.raises(InputError) as told:
        import_model(path.parent, "", "laptop")
    for words in (f"3 of {odd.numel():,} in model.layers.0.mlp.up_proj", "64 of 64 in model.norm"):
        assert words in str(told.value)


def test_weights_that_are_all_nan_are_refused_in_few_words(tmp_path):
    small_run(tmp_path)
    path = export(tmp_path) / "model.safetensors"
    tensors = {name: torch.full_like(value, torch.nan) for name, value in load_file(path).items()}
    save_file(tensors, path)
    with pytest.raises(InputError, match=rf"and in {len(tensors) - 3} more tensors"):
        import_model(path.parent, "", "laptop")


def test_pieces_are_counted_whole(monkeypatch):
    monkeypatch.setattr(initial_weights, "_PIECE", 3)
    values = torch.tensor([0.0, 1.0, torch.nan, torch.inf, 2.0, -torch.inf, torch.nan])
    assert initial_weights.count_not_finite("F32", memoryview(values.numpy().tobytes())) == 4


def test_weights_that_are_cut_short_do_not_come_in(tmp_path):
    small_run(tmp_path)
    path = export(tmp_path) / "model.safetensors"
    raw = path.read_bytes()
    for size in (0, 7, 200, len(raw) - 1):
        path.write_bytes(raw[:size])
        with pytest.raises(CorruptData, match="cut short"):
            import_model(path.parent, "", "laptop")


def test_a_head_that_repeats_the_embedding_and_derived_tables_are_passed_over(tmp_path):
    small_run(tmp_path)
    path = export(tmp_path) / "model.safetensors"
    digest = import_model(path.parent, "", "laptop").digest
    tensors = load_file(path)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(8)
    save_file(tensors, path)
    assert import_model(path.parent, "", "laptop").digest == digest


def test_a_tokenizer_must_be_there_and_fit(tmp_path):
    small_run(tmp_path)
    hf = export(tmp_path)
    size = tokenizer(tmp_path / "again").size
    form = json.loads((hf / "tokenizer.json").read_text())
    end = form["added_tokens"][0]
    form["added_tokens"] += [
        {**end, "id": number, "content": f"<|{number}|>"} for number in range(size, 321)
    ]
    (hf / "tokenizer.json").write_text(json.dumps(form))
    with pytest.raises(InputError, match=r"321 tokens but model\.vocab_size is 320"):
        import_model(hf, "", "laptop")
    (hf / "tokenizer.json").write_text("{")
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        import_model(hf, "", "laptop")
    (hf / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"no tokenizer\.json"):
        import_model(hf, "", "laptop")


def test_a_corpus_must_be_of_the_models_tokenizer(tmp_path, monkeypatch):
    from qmpi.cli.main import run

    small_run(tmp_path)
    hf = export(tmp_path)
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "docs" / "content.md", tmp_path / "notes.md")
    assert run(["ingest", "notes.md", "--out", "own", "--vocab-size", "290"]) == 0
    named = ["--tokenizer", "hf/tokenizer.json"]
    assert run(["ingest", "notes.md", "--out", "My Corpus", *named]) == 0
    with pytest.raises(InputError, match="another tokenizer"):
        import_model(hf, "", "laptop", [tmp_path / "own"])
    corpus = tmp_path / "My Corpus"
    job = import_model(hf, "", "laptop", [corpus, corpus]).settings
    assert [source.name for source in job.data.sources] == ["my-corpus", "my-corpus-2"]


def test_shapes_that_make_no_job_are_refused(tmp_path):
    small_run(tmp_path)
    hf = export(tmp_path)
    config = json.loads((hf / "config.json").read_text())
    (hf / "config.json").write_text(json.dumps({**config, "num_attention_heads": 3, "head_dim": 5}))
    with pytest.raises(InputError, match=r"does not make a job(.|\n)*head_dim = 5 is odd"):
        import_model(hf, "", "laptop")


@pytest.mark.parametrize("name", ["two\nlines", "a\x7fb", "\udcff", "a/b"])
def test_no_job_is_written_that_would_not_load(tmp_path, name):
    small_run(tmp_path)
    with pytest.raises(InputError, match=r"job\.name"):
        import_model(export(tmp_path), name, "laptop")


def test_no_weights_from_outside_is_the_seed(tmp_path):
    job = settings(tmp_path / "tokenizer")
    assert job.initial == InitialSettings()
    assert begun(job).snapshot()[0] == begun(job).snapshot()[0]
