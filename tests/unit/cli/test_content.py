"""`qmpi content`: what it prints, and what it refuses."""

import json
import re
import shlex
from pathlib import Path

import pytest

from qmpi.cli.content import parse_levels
from qmpi.cli.main import run
from qmpi.corpora import content_tokenizer
from qmpi.errors import InputError
from qmpi.storage.tokenizer import train_tokenizer


@pytest.fixture
def quick_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(content_tokenizer, "training_texts", lambda: iter(["few words"] * 3))
    monkeypatch.setenv("QMPI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_document_is_shown_with_its_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["content", "show", "--type", "mathematics", "--level", "30", "--index", "4097"]
    assert run(arguments) == 0
    shown = capsys.readouterr().out
    assert "level 30: structure" in shown
    assert run([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)["document"]
    assert document["text"].rstrip("\n") in shown
    assert document["problems"] or document["facts"]


def test_drills_are_shown_and_verified_by_family(capsys: pytest.CaptureFixture[str]) -> None:
    show = ["content", "show", "--type", "drills", "--level", "12"]
    assert run([*show, "--family", "sort"]) == 0
    shown = capsys.readouterr().out
    assert "drills/12/sort index 0: sort" in shown
    assert "\nAnswer: " in shown
    assert run(show) == 2
    assert "no family '' of drills; there is copy, reverse" in capsys.readouterr().err
    assert run(["content", "show", "--type", "code", "--level", "1", "--family", "sort"]) == 2
    assert "--family goes with --type drills alone" in capsys.readouterr().err
    assert run(["content", "verify", "--type", "drills", "--documents", "40"]) == 0
    assert " 0 failures" in capsys.readouterr().out


def test_the_same_address_with_another_seed_is_another_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    texts = []
    for seed in ("0", "1", "0"):
        run(["content", "show", "--type", "mathematics", "--level", "9", "--seed", seed])
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[2] != texts[1]


def test_a_token_leads_back_to_its_document(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    train_tokenizer(["some text, 12 of it"], 300).save(tmp_path / "t.json")
    token = "mathematics/9/en/1152921504606800000"
    named = ["--tokenizer", str(tmp_path / "t.json")]
    assert run(["content", "explain", token, "--json", *named]) == 0
    origin = json.loads(capsys.readouterr().out)
    assert origin["block"] == 1152921504606800000 >> 16
    assert (
        run(
            [
                "content",
                "show",
                "--type",
                "mathematics",
                "--level",
                "9",
                "--json",
                "--index",
                str(origin["index"]),
            ]
        )
        == 0
    )
    assert json.loads(capsys.readouterr().out)["document"] == origin["document"]


def test_the_tokenizer_of_generated_text_is_the_usual_one(
    quick_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explain = ["content", "explain", "mathematics/9/en/70000"]
    assert run(explain) == 0
    first = capsys.readouterr()
    assert f"kept in {quick_cache}" in first.err
    assert run([*explain, "--tokenizer", "builtin:content"]) == 0
    assert capsys.readouterr() == (first.out, "")


def test_a_sample_is_verified_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["content", "verify", "--type", "mathematics", "--documents", "40"]
    assert run(arguments) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("40 documents, ")
    assert last.endswith(" facts, 0 failures")
    assert run([*arguments, "--json", "--levels", "5"]) == 0
    counted = json.loads(capsys.readouterr().out)
    assert (counted["documents"], counted["failures"]) == (40, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "--type", "poetry", "--level", "3"],
        ["show", "--type", "code", "--level", "0"],
        ["show", "--type", "code", "--level", "3", "--language", "de"],
        ["explain", "code/3/en"],
        ["explain", "code/3/en/5", "--tokenizer", "/nowhere/tokenizer.json"],
        ["explain", "code/3/en/5", "--tokenizer", __file__],
        ["explain", "code/3/en/037"],
        ["verify", "--levels", "9-3"],
        ["verify", "--documents", "0"],
    ],
)
def test_what_there_is_not_is_the_users_mistake(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["content", *arguments]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "x",
        "1-101",
        "5-",
        "-5",
        "5-4",
        "\N{SUPERSCRIPT TWO}",
        "9" * 5000,
        "1-" + "9" * 5000,
    ],
)
def test_levels_are_a_range(text: str) -> None:
    if text == "5-":
        assert parse_levels(text) == (5, 5)
        return
    with pytest.raises(InputError):
        parse_levels(text)


@pytest.mark.usefixtures("quick_cache")
def test_the_commands_of_the_guide_work(capsys: pytest.CaptureFixture[str]) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "content.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", guide, re.S)
    commands = [line for block in blocks for line in block.splitlines() if line]
    assert len(commands) >= 4
    for line in commands:
        assert run(shlex.split(line)[1:]) == 0, capsys.readouterr().err


def test_a_pipe_gets_results_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["content", "verify", "--type", "creative", "--documents", "3"]) == 0
    assert capsys.readouterr().out.startswith("creative")
