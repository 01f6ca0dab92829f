"""`qmpi export`, `import`, `sample` as commands: what they print, write and refuse."""

import io
import json
import sys
from types import SimpleNamespace

import pytest
from unit.exchange.small_run import small_run

from qmpi.cli.main import run
from qmpi.config.load import load_job


@pytest.fixture
def place(tmp_path, monkeypatch):
    small_run(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QMPI_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_out_and_in_as_commands(place, capsys):
    assert run(["export", "run", "--to", "hf", "--shard-bytes", "50k", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["step"], facts["dtype"], len(facts["digest"])) == (0, "float32", 64)
    assert facts["files"] == len(list((place / "hf").glob("*.safetensors")))
    assert run(["export", "run", "--to", "hf"]) == 2
    assert "--force" in capsys.readouterr().err
    assert run(["export", "run", "--to", "hf", "--force"]) == 0
    assert "step 0, float32, 1 file" in capsys.readouterr().out
    assert run(["import", "hf", "-o", "job.toml", "--name", "second"]) == 0
    assert "qmpi check job.toml" in capsys.readouterr().out
    job = load_job(place / "job.toml")
    assert (job.job.name, job.initial.weights) == ("second", str(place / "hf"))
    assert run(["import", "hf", "-o", "job.toml"]) == 2
    assert run(["import", "hf", "-o", "."]) == 2
    assert "is a directory" in capsys.readouterr().err
    assert run(["import", "hf", "-o", "job.toml", "--force", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["name"], facts["digest"]) == ("hf", job.initial.digest)
    assert run(["check", "job.toml"]) == 0


LONGER = ["--set", "train.sequence_tokens=96"]


def test_sequences_longer_than_the_models_are_warned_of_in_check_and_at_the_start(place, capsys):
    """The small run exports a model of 48 positions; the import keeps to these."""
    assert run(["export", "run", "--to", "hf"]) == 0
    assert run(["import", "hf", "-o", "job.toml"]) == 0
    capsys.readouterr()
    assert run(["check", "job.toml", "--json"]) == 0
    assert "initial_weights" not in json.loads(capsys.readouterr().out)
    assert run(["check", "job.toml", "--json", *LONGER]) == 0
    warning = json.loads(capsys.readouterr().out)["initial_weights"]
    for word in ("WARNING", "sequence_tokens = 96", "48", "model.rope_scaling", "rope_factor = 2"):
        assert word in warning
    # What is refused right after it starts nothing.
    (place / "other").mkdir()
    (place / "other" / "journal.jsonl").write_text("another run\n")
    assert run(["train", "job.toml", *LONGER, "--run-dir", "other"]) != 0
    assert warning in capsys.readouterr().err
    scaled = ["yarn", "2.0", "48"]
    names = ["scaling", "factor", "original_tokens"]
    reached = [
        part
        for name, value in zip(names, scaled, strict=True)
        for part in ("--set", f"model.rope_{name}={value}")
    ]
    assert run(["check", "job.toml", "--json", *LONGER, *reached]) == 0
    assert "initial_weights" not in json.loads(capsys.readouterr().out)
    (place / "hf" / "config.json").write_text('{"max_position_embeddings": "many"}')
    assert run(["check", "job.toml", "--json", *LONGER]) == 0
    assert "initial_weights" not in json.loads(capsys.readouterr().out)


def test_a_job_goes_to_standard_output(place, capsys):
    assert run(["export", "run", "--to", "My Model"]) == 0
    capsys.readouterr()
    assert run(["import", "My Model", "-o", "-"]) == 0
    shown = capsys.readouterr()
    (place / "job.toml").write_text(shown.out)
    job = load_job(place / "job.toml")
    assert (job.job.name, job.initial.weights) == ("my-model", str(place / "My Model"))
    assert "parameters" in shown.err
    assert run(["import", "My Model", "-o", "-", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["name"], facts["text"].strip()) == ("my-model", shown.out.strip())
    assert not (place / "-").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["export", "absent", "--to", "x"], 2, "no job.toml"),
        (["export", "run", "--to", "x", "--step", "7"], 2, "there are 0"),
        (["export", "run", "--to", "run"], 2, "holds other things"),
        (["export", "run", "--to", "x", "--dtype", "int8"], 2, "float32"),
        (["export", "run", "--to", "run/job.toml/x"], 2, "job.toml is a file"),
        (["export", "run"], 2, "--to"),
        (["import", "absent", "-o", "x"], 2, "not a directory with a model"),
        (["import", "run", "-o", "x"], 2, "config.json"),
        (["sample", "absent"], 2, "no job.toml"),
        (["sample", "run", "--step", "7"], 2, "there are 0"),
        (["sample", "run", "--mid-document"], 2, "needs a prompt"),
        (["sample", "run", "--prompts-file", "absent"], 2, "no file absent"),
        (["sample", "run", "--top-p", "0"], 2, "top-p"),
    ],
)
def test_what_is_refused_is_told_and_writes_nothing(place, capsys, arguments, code, said):
    assert run(arguments) == code
    shown = capsys.readouterr()
    assert said in (shown.err + shown.out).lower()
    assert "Traceback" not in shown.err
    assert sorted(path.name for path in place.iterdir()) == ["run", "tokenizer"]


def test_a_text_is_told_as_it_comes_and_several_one_after_the_other(place, capsys):
    del place
    plain = ["sample", "run", "--tokens", "12", "--prompt", "Hello", "--prompt", "def "]
    assert run([*plain, "--count", "2", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [(s["prompt"], s["copy"]) for s in facts["samples"]] == [
        ("Hello", 0), ("Hello", 1), ("def ", 0), ("def ", 1)
    ]  # fmt: skip
    assert (facts["prompt"], facts["text"]) == ("Hello", facts["samples"][0]["text"])
    assert all(s["tokens"] <= 12 and s["text"].startswith(s["prompt"]) for s in facts["samples"])
    assert run([*plain, "--count", "2"]) == 0
    shown = [f"--- {n} of 4 ---\n{s['text']}\n" for n, s in enumerate(facts["samples"], 1)]
    assert capsys.readouterr().out == "".join(shown)
    assert run(["sample", "run", "--tokens", "12", "--prompt", "def "]) == 0
    assert capsys.readouterr().out == facts["samples"][2]["text"] + "\n"


def test_prompts_come_from_standard_input(place, capsys, monkeypatch):
    del place
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"Hello\ndef \n")))
    assert run(["sample", "run", "--prompts-file", "-", "--tokens", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["samples"]
    assert [sample["prompt"] for sample in found] == ["Hello", "def "]


def test_pieces_are_told_before_the_text_is_done(capsys):
    from qmpi.cli.sample import _print
    from qmpi.exchange.sample import Piece, Wanted

    seen = []

    def pieces():
        yield Piece(1, "b1", 1, last=False, ended=False)
        seen.append(capsys.readouterr().out)
        yield Piece(0, "a1", 1, last=False, ended=False)
        seen.append(capsys.readouterr().out)
        yield Piece(1, "b2", 2, last=True, ended=True)
        seen.append(capsys.readouterr().out)
        yield Piece(0, "a2", 2, last=True, ended=False)
        seen.append(capsys.readouterr().out)

    _print(Wanted(("A", "B")), pieces())
    assert seen == ["--- 1 of 2 ---\nA", "a1", "", "a2\n--- 2 of 2 ---\nBb1b2\n"]
