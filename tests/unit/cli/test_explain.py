"""Every error names a page, and every page is there."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from qmpi.cli.error_pages import ERRORS, EXITS
from qmpi.cli.main import run
from qmpi.errors import ExitCode, QmpiError

ROOT = Path(__file__).parents[3]


def kinds(kind: type[QmpiError] = QmpiError) -> Iterator[type[QmpiError]]:
    for child in kind.__subclasses__():
        yield child
        yield from kinds(child)


@pytest.mark.parametrize("kind", sorted(set(kinds()), key=lambda kind: kind.__name__))
def test_every_error_class_has_a_page(
    kind: type[QmpiError], capsys: pytest.CaptureFixture[str]
) -> None:
    page = kind.page()
    for name in (page, kind.__name__, kind.__name__.upper() if "-" not in page else page):
        assert run(["explain", name]) == 0
        text = capsys.readouterr().out
        assert text.startswith(f"{page}: ")
        assert "What to do:" in text
    assert f"\n## {page}\n" in (ROOT / "docs" / "errors.md").read_text()


@pytest.mark.parametrize("code", sorted({*map(int, ExitCode), 130, 141}))
def test_every_exit_code_is_explained(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", str(code)]) == 0
    assert f"exit code {code}" in capsys.readouterr().out
    assert run(["explain", str(code), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["exit_code"] == code


def test_pages_say_what_to_do() -> None:
    for name, page in ERRORS.items():
        assert page.title, name
        assert page.meaning.endswith("."), name
        assert page.causes, name
        assert page.mends, name


def test_all_pages_are_listed_and_a_misspelt_one_is_guessed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["explain"]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert listed == {*ERRORS, *map(str, EXITS)}
    assert run(["explain", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["pages"]) == set(ERRORS)
    assert run(["explain", "launch-eror"]) == 2
    assert "'launch-error'" in capsys.readouterr().err
    assert run(["explain", "9" * 50]) == 2


def test_the_document_is_that_of_the_pages() -> None:
    path = ROOT / "docs" / "make_errors.py"
    spec = importlib.util.spec_from_file_location("make_errors", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert made == module.text(), "run `python docs/make_errors.py`"
