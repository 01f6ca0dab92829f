"""`qmpi ingest`: exit codes, reports, rules, and what a directory of the user's may hold."""

import gzip
import json
import tomllib
from pathlib import Path

import msgspec
import pytest

from qmpi.cli.main import run
from qmpi.errors import RunInUse
from qmpi.ingest.corpus import ingest_prepared, prepare_ingest
from qmpi.ingest.judge.rules import RULES
from qmpi.ingest.settings import IngestOptions, IngestReport
from qmpi.ingest.stages import IngestPlan
from qmpi.storage.run_directory import RunDirectory, RunLock

GOOD = "".join(
    f"Sentence number {n} is about {n * 7} things of {n * n} kinds.\n" for n in range(99)
)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    root = tmp_path / "notes"
    root.mkdir()
    (root / "a.md").write_text(GOOD)
    return root


def _ingest(*arguments: object) -> int:
    return run(["ingest", *map(str, arguments), "--vocab-size", "300"])


def test_exit_code_tells_of_damage_unless_it_is_accepted(
    notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ingest(notes, "--out", tmp_path / "a") == 0
    (notes / "photo.jpg").write_bytes(bytes(range(256)))
    (notes / "empty.txt").write_text("")
    assert _ingest(notes, "--out", tmp_path / "b") == 0
    (notes / "old.txt").write_bytes("d\u00e9j\u00e0 vu".encode("latin-1"))
    (notes / "cut.txt.gz").write_bytes(gzip.compress(GOOD.encode())[:-9])
    capsys.readouterr()
    assert _ingest(notes, "--out", tmp_path / "c") == 5
    shown = capsys.readouterr().out
    assert "2 inputs are damaged" in shown
    assert "old.txt" in shown
    assert "left out, binary: 1" in shown
    assert _ingest(notes, "--out", tmp_path / "d", "--accept-damage") == 0
    assert _ingest(notes, "--out", tmp_path / "e", "--encoding", "latin-1") == 5
    assert "not UTF-8" not in capsys.readouterr().out.split("in " + str(tmp_path / "e"))[1]


def test_nothing_usable_is_the_users_fault_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(64))
    assert _ingest(tmp_path / "a.bin", "--out", tmp_path / "out") == 2
    assert "binary" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_report_is_written_and_is_what_json_says(
    notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (notes / "rep.txt").write_text("again and again\n" * 200)
    target = tmp_path / "report.json"
    assert _ingest(notes, "--out", tmp_path / "out", "--report", target, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    report = msgspec.json.decode(target.read_bytes(), type=IngestReport, dec_hook=lambda k, v: k(v))
    assert said == json.loads(target.read_bytes())
    assert report.facts.left_out == {"rule max_repeated_lines": 1}
    assert report.dropped["rule max_repeated_lines"].bytes == 16 * 200
    assert set(report.seconds) == {"scan", "clean", "dedup", "tokenizer", "write"}


def test_a_corpus_inside_the_directory_is_no_text(
    notes: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(notes)
    assert _ingest(".", "--out", "corpora/first") == 0
    assert _ingest(".", "--out", "corpora/second", "--json") == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["facts"]["documents"] == 1
    assert said["facts"]["left_out"] == {"made by qmpi": 1}


def test_rules_are_listed_and_changed(
    notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ingest", "--list-rules"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in RULES)
    out = ("--out", tmp_path / "out")
    assert _ingest(notes, *out, "--rule", "min_words=5000") == 2
    assert "rule min_words" in capsys.readouterr().err
    assert _ingest(notes, *out, "--rule", "min_wrds=5") == 2
    assert "min_words" in capsys.readouterr().err
    assert _ingest(notes, *out, "--rule", "min_words") == 2
    assert _ingest(notes, *out, "--rules", "web", "--rule", "max_digits=off", "--json") == 2
    assert "rule max_top_" in capsys.readouterr().out


def test_near_duplicates_can_be_kept(
    notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (notes / "b.md").write_text("One more line.\n" + GOOD)
    assert _ingest(notes, "--out", tmp_path / "a", "--json") == 0
    assert json.loads(capsys.readouterr().out)["facts"]["left_out"] == {"near duplicate": 1}
    assert _ingest(notes, "--out", tmp_path / "b", "--json", "--near-duplicates", 0) == 0
    assert json.loads(capsys.readouterr().out)["facts"]["documents"] == 2


def test_names_of_files_cannot_break_the_report(
    notes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (notes / "two\nlines\x1b[31m.txt").write_text("")
    assert _ingest(notes, "--out", notes.parent / "out") == 0
    assert "/two\\nlines\\x1b[31m.txt\n" in capsys.readouterr().out


def test_what_a_given_tokenizer_loses_and_how_documents_end_is_told(
    notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ingest(notes, "--out", tmp_path / "a") == 0
    assert "tokenizer:" not in capsys.readouterr().err
    form = json.loads((tmp_path / "a" / "tokenizer.json").read_bytes())
    form["added_tokens"][0]["content"] = "<fin>"
    form["model"]["vocab"]["<fin>"] = form["model"]["vocab"].pop("<|endoftext|>")
    form["truncation"] = {
        "max_length": 9,
        "stride": 0,
        "strategy": "LongestFirst",
        "direction": "Right",
    }
    given = notes.parent / "given.json"
    given.write_text(json.dumps(form))
    assert _ingest(notes, "--out", tmp_path / "b", "--tokenizer", given) == 2
    assert "--end-token" in capsys.readouterr().err
    named = ("--tokenizer", given, "--end-token", "<fin>")
    assert _ingest(notes, "--out", tmp_path / "b", *named) == 0
    told = capsys.readouterr()
    assert "its truncation to 9 ids is off" in told.err
    assert "documents end with <fin> (named)" in told.err
    assert "--vocab-size has no effect" in told.err
    counts = [json.loads((tmp_path / n / "index.json").read_bytes())["tokens"] for n in "ab"]
    assert counts[0] == counts[1]
    # The corpus is a whole one: its parts agree, and a copy mends it.
    (tmp_path / "b" / "tokenizer_config.json").rename(notes / "kept")
    assert run(["shards", "verify", str(tmp_path / "b")]) != 0
    assert _ingest(notes / "a.md", "--out", tmp_path / "copy", *named) == 0
    assert run(["shards", "repair", str(tmp_path / "b"), "--from", str(tmp_path / "copy")]) == 0
    assert run(["shards", "verify", str(tmp_path / "b")]) == 0
    assert _ingest(notes / "a.md", "--out", tmp_path / "b", "--force") == 0
    assert not (tmp_path / "b" / "tokenizer_config.json").exists()


@pytest.mark.parametrize("named", ["a.md", "gone.json", "."])
def test_a_given_tokenizer_that_is_none_is_the_users_fault(
    notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    assert _ingest(notes, "--out", tmp_path / "a", "--tokenizer", notes / named) == 2
    assert str(notes / named) in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "a.partial").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--name", "a\udcff"], "--name"),
        (["--field", "a\udcff"], "--field"),
        (["--id-field", "a\udcff"], "--id-field"),
        (["--rule", "max_digits=nan"], "max_digits"),
        (["--rule", "max_digits=inf"], "max_digits"),
        (["--encoding", "UTF-16-LE"], "byte-order mark"),
        (["--encoding", "nonsense"], "latin-1"),
        (["--encoding", "undefined"], "latin-1"),
        (["--report", "/nowhere/report.json"], "/nowhere"),
        (["--field", "content"], "--field content"),
        (["--id-field", "key"], "--id-field key"),
        (["--screen-words", "9"], "--screen FILE"),
        (["--end-token", "</s>"], "--tokenizer"),
        (["--end-token", ""], "--end-token"),
    ],
)
def test_wrong_options_are_told_before_the_work(
    notes: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], word: str
) -> None:
    assert _ingest(notes, "--out", notes.parent / "out", *arguments) == 2
    assert word in capsys.readouterr().err
    assert [path.name for path in notes.parent.iterdir()] == ["notes"]


def test_what_to_write_into_a_job_is_toml(notes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = notes.parent / 'a "quoted" \\ name'
    assert _ingest(notes, "--out", out, "--name", 'my "notes"') == 0
    line = capsys.readouterr().out.splitlines()[-1].removeprefix("use it: ")
    source = tomllib.loads(line.replace("]] ", "]]\n").replace(", ", "\n"))["data"]["sources"][0]
    assert source == {"kind": "corpus", "name": 'my "notes"', "path": str(out)}


def test_items_that_cannot_be_screened_are_told(
    notes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = notes.parent / "eval.jsonl"
    rows = [{"q": " ".join(f"word{n}" for n in range(20))}, {"q": "Is it?"}, {"q": "It is."}]
    screen.write_text("\n".join(map(json.dumps, rows)))
    assert _ingest(notes, "--out", notes.parent / "a", "--screen", screen) == 0
    assert "2 of 3 items have under 13 words" in capsys.readouterr().err
    screen.write_text(json.dumps(rows[1]))
    assert _ingest(notes, "--out", notes.parent / "b", "--screen", screen) == 2
    assert "--screen-words" in capsys.readouterr().err


def test_ranks_whose_command_was_killed_are_followed(tmp_path: Path, notes: Path) -> None:
    out, options = tmp_path / "out", IngestOptions(vocab_size=300)
    prepared = prepare_ingest([notes], out, options)
    directory = RunDirectory(prepared.work)
    IngestPlan(prepared.spec, prepared.work).run(0, 0, lambda *_: None)
    with RunLock(directory.lock):
        # Not refused: whoever starts ranks follows these; nothing of theirs is removed.
        assert prepare_ingest([notes], out, options).resumed
        with pytest.raises(RunInUse):
            ingest_prepared(prepared, lambda *_: None)
        with pytest.raises(RunInUse):
            prepare_ingest([notes], out, IngestOptions(vocab_size=301))
    with RunLock(directory.supervisor_lock), pytest.raises(RunInUse):
        prepare_ingest([notes], out, options)
    assert ingest_prepared(prepared, lambda *_: None).facts.documents == 1


def test_one_process_that_ingests_is_no_job_to_be_followed(tmp_path: Path, notes: Path) -> None:
    prepared = prepare_ingest([notes], tmp_path / "out", IngestOptions(vocab_size=300))
    looks: list[bool] = []

    def progress(*_: object) -> None:
        with pytest.raises(RunInUse):
            RunLock(RunDirectory(prepared.work).supervisor_lock)
        looks.append(True)

    ingest_prepared(prepared, progress)
    assert looks
