"""The words of config.json: out and in again, and what is refused by name."""

import json
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from unit.model.families import FAMILIES

from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.errors import InputError
from qmpi.exchange.hugging_face import model_config, model_settings, read_config
from qmpi.exchange.reach import check_export

PATH = Path("DIR/config.json")

MODELS = st.builds(
    lambda heads, groups, half, wide, **fields: ModelSettings(
        heads=heads * groups, kv_heads=heads, width=heads * groups * 2 * half,
        head_dim=2 * half + 2 if wide else 0, **fields
    ),
    heads=st.integers(1, 8), groups=st.integers(1, 4), half=st.integers(1, 32),
    wide=st.booleans(), vocab_size=st.integers(256, 1 << 20), layers=st.integers(1, 99),
    ffn_width=st.integers(1, 9999), tied_head=st.booleans(), qk_norm=st.booleans(),
    rope_theta=st.floats(2, 1e7), norm_eps=st.floats(1e-8, 1e-3), init_std=st.floats(1e-4, 1),
)  # fmt: skip


def said(**changes):
    fields = model_config(ModelSettings(), 128, 0, "float32")
    return {name: value for name, value in {**fields, **changes}.items() if value is not ...}


@given(MODELS)
def test_out_and_in_is_the_same_model(model):
    fields = json.loads(json.dumps(model_config(model, 128, 0, "float32")))
    assert replace(model_settings(fields, PATH), ffn_width=0) == replace(model, ffn_width=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_goes_out_and_in_or_is_refused(family):
    model, counterpart, _ = FAMILIES[family]
    if not counterpart:
        with pytest.raises(InputError, match="no counterpart"):
            check_export(Settings(model=model))
        return
    check_export(Settings(model=model))
    fields = json.loads(json.dumps(model_config(model, 128, 0, "float32")))
    assert fields["architectures"] == [counterpart]
    back = model_settings(fields, PATH)
    # What acts while training alone has no place in the file.
    free = {"ffn_width": 0, "expert_width": 0}
    assert replace(back, **free) == replace(model, **free)


def test_an_absent_field_means_what_transformers_takes_it_for():
    plain = model_settings(
        {
            "model_type": "llama", "vocab_size": 300, "num_hidden_layers": 1, "hidden_size": 64,
            "num_attention_heads": 4, "intermediate_size": 96,
        },
        PATH,
    )  # fmt: skip
    assert (plain.kv_heads, plain.tied_head, plain.qk_norm) == (4, False, False)
    assert (plain.rope_theta, plain.norm_eps, plain.head_dim) == (10000.0, 1e-6, 0)
    qwen = said(num_key_value_heads=..., head_dim=..., num_attention_heads=32, hidden_size=1024)
    found = model_settings(qwen, PATH)
    assert (found.kv_heads, found.head_dim) == (32, 128)


def test_an_absent_epsilon_of_olmo_is_its_own():
    fields = {name: value for name, value in said(model_type="olmo2").items() if "eps" not in name}
    found = model_settings(fields, PATH)
    assert (found.norm_eps, found.norm_place, found.qk_norm_over) == (1e-5, "post", "projection")


def test_no_token_of_olmo_pads():
    """What its class takes for padding gets no gradient."""
    model = ModelSettings(norm_place="post", qk_norm_over="projection")
    assert model_config(model, 128, 0, "float32")["pad_token_id"] is None


def test_theta_of_either_generation_is_read():
    old = said(rope_parameters=..., rope_theta=5e5)
    new = said(rope_theta=..., rope_parameters={"rope_type": "default", "rope_theta": 5e5})
    assert model_settings(old, PATH).rope_theta == model_settings(new, PATH).rope_theta == 5e5


def test_mistral_without_a_window_is_a_llama():
    plain = said(model_type="mistral", sliding_window=None)
    assert model_settings(plain, PATH) == replace(model_settings(said(), PATH), qk_norm=False)
    windowed = model_settings(said(model_type="mistral"), PATH)
    assert windowed == replace(model_settings(plain, PATH), window=4096)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model_type": "gpt2"}, 'model_type = "gpt2"'),
        ({"model_type": ...}, "model_type = null"),
        ({"model_type": []}, r"model_type = \[\]"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"attention_bias": True}, "attention_bias"),
        ({"mlp_bias": True}, "mlp_bias"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"auto_map": {"AutoModel": "x.Y"}}, "auto_map"),
        ({"rope_scaling": {"rope_type": "longrope", "factor": 4.0}}, "rope_scaling.*longrope"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "beta_fast": 16}}, "beta_fast"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 0.5}}, "rope_scaling"),
        ({"rope_scaling": {"type": "linear", "factor": "2"}}, "rope_scaling"),
        ({"rope_parameters": {"rope_type": "llama3"}}, "rope_parameters.*llama3"),
        ({"rope_parameters": 7}, "rope_parameters"),
        ({"rope_parameters": {"rope_theta": "x"}}, "rope_theta"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"layer_types": ["sliding_attention"] * 4}, "layer_types"),
        ({"layer_types": ["chunked_attention"] * 4}, "layer_types"),
        (
            {
                "layer_types": ["sliding_attention"] * 4,
                "use_sliding_window": True,
                "sliding_window": "8",
            },
            "sliding_window",
        ),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "layer_types"),
        ({"hidden_size": "big"}, "hidden_size"),
        ({"vocab_size": 2.5}, "vocab_size"),
        ({"num_attention_heads": 0}, "num_attention_heads"),
        ({"intermediate_size": ...}, "intermediate_size"),
        ({"head_dim": -2}, "head_dim"),
        ({"num_key_value_heads": True}, "num_key_value_heads"),
        ({"rms_norm_eps": 0}, "norm_eps"),
        ({"tie_word_embeddings": "yes"}, "tied_head"),
        ({"vocab_size": 100}, "vocab_size"),
        ({"rope_parameters": {"rope_theta": 0.5}}, "rope_theta"),
        ({"rope_parameters": {"rope_theta": 10**400}}, "rope_theta"),
    ],
)
def test_what_cannot_be_represented_is_refused_by_name(changes, named):
    with pytest.raises(InputError, match=named) as told:
        model_settings(said(**changes), PATH)
    assert str(PATH) in str(told.value)


def test_windows_and_scaled_positions_go_out_and_come_in():
    scaled = {"rope_scaling": "yarn", "rope_factor": 4.0, "rope_original_tokens": 512}
    for model in (
        ModelSettings(layers=8, window=64, window_pattern="wwf", **scaled),
        ModelSettings(layers=3, window=64, rope_scaling="llama3", rope_factor=8.0,
                      rope_original_tokens=8192),
        ModelSettings(layers=3, window=64, qk_norm=False),
        ModelSettings(layers=3, qk_norm=False, rope_scaling="linear", rope_factor=2.0,
                      rope_original_tokens=64),
    ):  # fmt: skip
        fields = json.loads(json.dumps(model_config(model, 128, 0, "float32")))
        assert replace(model_settings(fields, PATH), ffn_width=0) == replace(model, ffn_width=0)


def test_the_last_layers_of_a_qwen_without_kinds_have_the_window():
    layers = {"num_hidden_layers": 6, "use_sliding_window": True, "sliding_window": 32}
    found = model_settings(said(**layers, max_window_layers=4), PATH)
    assert (found.window, found.window_pattern) == (32, "ffffww")
    assert model_settings(said(**layers), PATH).window == 0


@pytest.mark.parametrize(
    "model",
    [
        ModelSettings(window=8, sinks=2),
        ModelSettings(logit_softcap=30.0),
        ModelSettings(window=8, window_pattern="wf", qk_norm=False),
        ModelSettings(norm_place="post"),
        ModelSettings(norm_place="post", qk_norm=False),
        ModelSettings(qk_norm_over="projection"),
        ModelSettings(norm_place="post", qk_norm_over="projection", window=8),
    ],
)
def test_what_no_other_program_computes_is_not_exported(model):
    names = "sinks|logit_softcap|window_pattern|norm_place|qk_norm_over|window"
    with pytest.raises(InputError, match=rf"model\.({names}) .*exported"):
        check_export(Settings(model=model))
    sound = replace(model, sinks=0, logit_softcap=0.0, qk_norm=True)
    check_export(Settings(model=replace(sound, norm_place="pre", qk_norm_over="head")))


VALUES = (
    st.none() | st.booleans() | st.integers(-3, 300) | st.just(10**400) | st.floats() | st.text()
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(
        st.sampled_from(["rope_type", "rope_theta"]), st.text() | st.just(10**400)
    )
)  # fmt: skip
NAMES = st.sampled_from([*sorted(said()), "rope_scaling", "layer_types"])


@given(st.dictionaries(NAMES, VALUES))
def test_no_config_is_a_bug(changes):
    with suppress(InputError):
        assert model_settings(said(**changes), PATH).vocab_size >= 256


@pytest.mark.parametrize("layers", [10**5, 10**10, 10**400])
def test_layers_without_end_are_refused_before_they_are_counted_off(layers):
    tracemalloc.start()
    with pytest.raises(InputError, match="layers"):
        model_settings(said(num_hidden_layers=layers), PATH)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**20


@pytest.mark.parametrize("text", ["{", "[]", "\xff", "[" * 5000])
def test_a_config_that_is_none_is_the_users_mistake(tmp_path, text):
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"config\.json"):
        read_config(tmp_path)
