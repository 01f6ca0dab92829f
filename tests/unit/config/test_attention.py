"""What layers see: windows by layer, keys seen, and contradictions that name their field."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.attention import keys_twice, layer_windows
from qmpi.config.data import DataSettings
from qmpi.config.identity import differences, identity
from qmpi.config.load import faults_of, parse_job, settings_digest
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError


def test_a_pattern_repeats_over_the_layers() -> None:
    model = ModelSettings(layers=6, window=8, window_pattern="wwf")
    assert layer_windows(model) == (8, 8, 0, 8, 8, 0)
    assert layer_windows(ModelSettings(layers=2, window=8)) == (8, 8)
    assert layer_windows(ModelSettings(layers=2)) == (0, 0)


@given(st.integers(1, 60), st.integers(1, 80), st.integers(0, 80))
def test_keys_are_counted_as_they_are_seen(tokens: int, window: int, sinks: int) -> None:
    seen = sum(i - j < window or j < sinks for i in range(tokens) for j in range(i + 1))
    # Full attention counts half a sequence a query, so a count may be off by the half of one key.
    off = 1.0 if window < tokens else 0.5
    assert abs(keys_twice(tokens, window, sinks) / 2 - seen / tokens) <= off
    assert keys_twice(tokens, 0, 0) == keys_twice(tokens, tokens, sinks) == tokens


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sinks = 4", "model.sinks = 4 needs windows"),
        ('window_pattern = "wf"', "model.window_pattern = 'wf' needs windows"),
        ('window = 8\nwindow_pattern = "ff"', "has no windowed layer"),
        ('window = 8\nwindow_pattern = "wwwwwf"', "longer than the model.layers = 4"),
        ("rope_factor = 4.0", "need model.rope_scaling"),
        ('rope_scaling = "yarn"\nrope_original_tokens = 64', "needs model.rope_factor above 1"),
        ('rope_scaling = "yarn"\nrope_factor = 4.0', "needs model.rope_original_tokens"),
        (
            'rope_scaling = "linear"\nrope_factor = 2.0\nrope_original_tokens = 32',
            "train.sequence_tokens = 128 is longer than what positions reach",
        ),
    ],
)
def test_contradictions_name_their_field(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        parse_job(f"[model]\n{text}\n[train]\nsequence_tokens = 128\n")
    assert said in str(told.value)


@pytest.mark.parametrize("text", ['window_pattern = "wxf"', "window = -1", 'rope_scaling = "ntk"'])
def test_what_no_field_may_be_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match=f"model.{text.split()[0]}"):
        parse_job(
            f"[model]\nwindow = 8\n{text}\n" if "window =" not in text else f"[model]\n{text}"
        )


def test_a_window_as_long_as_the_sequence_is_no_fault() -> None:
    assert not faults_of(Settings(model=ModelSettings(window=1 << 20)))


def test_runs_without_keep_their_identity() -> None:
    plain = Settings()
    assert "window" not in identity(plain)["model"]
    assert "document_mask" not in identity(plain)
    masked = replace(plain, data=DataSettings(document_mask=True))
    windowed = replace(plain, model=ModelSettings(window=64))
    assert len({settings_digest(s) for s in (plain, masked, windowed)}) == 3
    assert differences(plain, masked) == ("data.document_mask is false, not true",)
    assert differences(plain, windowed) == ("model.window is 0, not 64",)


def test_the_jobs_that_the_page_shows_are_jobs() -> None:
    page = (Path(__file__).parents[3] / "docs" / "attention.md").read_text(encoding="utf-8")
    jobs = re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(jobs) == 4
    for text in jobs:
        assert parse_job(text) != Settings()
