"""An export is the same model in `transformers`: logits, gradients, text, tokens."""

import json

import pytest
import torch
import transformers
from msgspec.structs import replace
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaForCausalLM,
    MistralForCausalLM,
    Olmo2ForCausalLM,
    Qwen3ForCausalLM,
)
from unit.exchange.small_run import (
    SHAPES,
    TEXT,
    engine,
    model_of,
    settings,
    small_run,
    tokenizer,
    write_run,
)
from unit.model.families import FAMILIES

from qmpi.exchange.export import Form, export_run
from qmpi.exchange.sample import Sampler, Wanted
from qmpi.training.draws import Draws

pytestmark = pytest.mark.filterwarnings("default")

TEXTS = (TEXT, "", "  blanks\n\n\tand a tab ", "éè ① <|endoftext|x> 日本", "x" * 300)


def told(text: str) -> None:
    raise AssertionError(text)


def exported(tmp_path, shape, form=Form()):  # noqa: B008 - frozen
    run, job, ours = small_run(tmp_path, SHAPES[shape])
    export_run(run, tmp_path / "hf", None, form, cache=tmp_path / "cache", tell=told)
    theirs, found = AutoModelForCausalLM.from_pretrained(
        tmp_path / "hf", output_loading_info=True, trust_remote_code=False
    )
    assert not any(found.values()), found
    return run, job, ours, theirs.eval()


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_gradients_and_greedy_text_are_equal(tmp_path, shape):
    run, job, ours, theirs = exported(tmp_path, shape)
    named = {"llama": LlamaForCausalLM, "mistral": MistralForCausalLM, "olmo2": Olmo2ForCausalLM}
    assert type(theirs) is named.get(shape.partition(",")[0], Qwen3ForCausalLM)
    ids = torch.randint(0, 300, (3, 48), generator=torch.Generator().manual_seed(2))
    a, b = ours.requires_grad_()(ids), theirs(ids).logits
    assert (a - b).abs().max() < 1e-4
    assert a.std() > 0.1, "logits that are all alike prove nothing"
    for logits in (a, b):
        functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    mine = dict(ours.named_parameters())
    others = dict(theirs.named_parameters())
    assert set(mine) == set(others)
    for name, parameter in mine.items():
        torch.testing.assert_close(parameter.grad, others[name].grad, rtol=1e-3, atol=1e-5)
    made = tokenizer(tmp_path / "tokenizer")
    start = [made.end_of_text, *made.encode("Hello ")]
    # Rows of the model that no token has: an untrained model likes them as well as others.
    rows = list(range(made.size, job.model.vocab_size))
    with torch.no_grad():
        out = theirs.generate(
            torch.tensor([start]), max_new_tokens=20, do_sample=False, suppress_tokens=rows
        )
    sampler = Sampler(run, None, tmp_path / "cache", told)
    pieces = sampler.stream(Wanted(("Hello ",)), Draws(20, 0.0, 0))
    text = "Hello " + "".join(piece.text for piece in pieces)
    ids = out[0].tolist()[1:]
    ended = ids.index(made.end_of_text) if made.end_of_text in ids else len(ids)
    assert text == made.decode(ids[:ended])
    assert ended > len(start), "a text that ends at once proves nothing"


@pytest.mark.parametrize("family", [name for name in FAMILIES if FAMILIES[name].counterpart])
def test_an_export_of_a_family_gives_the_same_logits(tmp_path, family):
    model, counterpart, _ = FAMILIES[family]
    job = settings(tmp_path / "tokenizer", replace(model, init_std=0.2))
    made = engine(job, noise=None)
    for slot in made._state.layout.slots:
        if len(slot.shape) == 1 and not slot.name.endswith("bias"):
            # Ones would hide a forgotten scale.
            made._state.view(slot).copy_(torch.linspace(0.5, 1.5, slot.size))
    run = write_run(tmp_path / "run", job, {0: made})
    export_run(run, tmp_path / "hf", None, Form(), cache=tmp_path / "cache", tell=told)
    theirs, found = AutoModelForCausalLM.from_pretrained(
        tmp_path / "hf", output_loading_info=True, trust_remote_code=False
    )
    assert not any(found.values()), found
    assert type(theirs) is getattr(transformers, counterpart)
    ids = torch.randint(0, 300, (3, 40), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        a, b = model_of(job, made)(ids), theirs.eval()(ids).logits
    assert (a - b).abs().max() < 1e-4
    assert a.std() > 0.1, "logits that are all alike prove nothing"


def test_text_becomes_the_same_tokens(tmp_path):
    exported(tmp_path, "tied, grouped")
    ours = tokenizer(tmp_path / "again")
    theirs = AutoTokenizer.from_pretrained(tmp_path / "hf")
    assert (theirs.eos_token, theirs.bos_token) == (ours.end_token, None)
    assert theirs.eos_token_id == ours.end_of_text
    for text in TEXTS:
        assert theirs(text).input_ids == ours.encode(text)
        assert theirs.decode(ours.encode(text)) == text


def test_bfloat16_is_the_rounded_weights_in_shards(tmp_path):
    _, _, ours, theirs = exported(tmp_path, "untied, narrow heads", Form("bfloat16", 20_000))
    assert len(list((tmp_path / "hf").glob("model-*-of-*.safetensors"))) > 3
    assert theirs.dtype == torch.bfloat16
    found = theirs.state_dict()
    for name, parameter in ours.state_dict().items():
        assert torch.equal(found[name], parameter.to(torch.bfloat16))


def test_a_config_says_what_old_and_new_releases_read(tmp_path):
    *_, theirs = exported(tmp_path, "llama, untied, wide heads")
    said = json.loads((tmp_path / "hf" / "config.json").read_text())
    assert said["rope_parameters"] == {"rope_type": "default", "rope_theta": said["rope_theta"]}
    assert (said["head_dim"], said["intermediate_size"]) == (32, 72)
    assert (said["bos_token_id"], said["tie_word_embeddings"]) == (None, False)
    config = theirs.config
    assert (config.head_dim, config.rms_norm_eps, config.vocab_size) == (32, 1e-5, 320)
    assert theirs.generation_config.eos_token_id == said["eos_token_id"]
