"""The figures of docs/plan.md are those of the model and of the command."""

import importlib.util
from types import ModuleType

import pytest
from architecture.tree import ROOT


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_plan", ROOT / "docs" / "make_plan.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_model_says(maker: ModuleType) -> None:
    text = maker.PAGE.read_text(encoding="utf-8")
    assert maker.written(text) == text, "run `python docs/make_plan.py` and commit docs/plan.md"


def test_a_page_without_a_place_is_told(maker: ModuleType) -> None:
    with pytest.raises(SystemExit, match="no place for the figures"):
        maker.written("no figures here")


def test_a_changed_figure_is_seen(maker: ModuleType) -> None:
    text = maker.PAGE.read_text(encoding="utf-8")
    assert maker.written(text.replace("137 years", "2 years")) == text
    assert "137 years" in text
