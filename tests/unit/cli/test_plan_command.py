"""`qmpi plan`: a contract for scripts, words for people, a page for the file."""

import json
from pathlib import Path

import pytest

from qmpi.cli.main import run

JOBS = Path(__file__).parents[3] / "jobs"
KEYS = {
    "parameters",
    "active_parameters",
    "flops_per_token",
    "memory_bytes_by_kind",
    "step_seconds",
    "utilisation",
    "days",
    "energy_kwh",
    "cost",
    "failures_per_day",
    "effective_share",
    "layout",
    "limits",
}


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["plan", *arguments]) == 0
    return capsys.readouterr().out


def test_scripts_get_exactly_these_fields(capsys: pytest.CaptureFixture[str]) -> None:
    job = str(JOBS / "quintillion.toml")
    plan = json.loads(told([job, "--ranks", "8000", "--machine", "h100", "--json"], capsys))
    assert set(plan) == KEYS
    assert plan["parameters"] == 2_584_237_568
    assert plan["layout"]["possible"]["data"] == 4096
    assert plan["cost"] is None
    assert plan["failures_per_day"] == pytest.approx(879 / 264)
    assert plan["limits"]


def test_a_gpu_job_without_a_machine_says_null(capsys: pytest.CaptureFixture[str]) -> None:
    plan = json.loads(told([str(JOBS / "gpu.toml"), "--json"], capsys))
    assert set(plan) == KEYS
    assert plan["step_seconds"] is None


def test_this_machine_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    plan = json.loads(told([str(JOBS / "demo.toml"), "--json"], capsys))
    assert 0.001 < plan["step_seconds"] < 600
    assert 0 < plan["utilisation"] <= 1
    assert plan["layout"]["possible"]["nodes"] == 1
    assert plan["layout"]["needed"] is None


def test_people_read_words(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(
        [str(JOBS / "node.toml"), "--machine", "h100", "--set", "machine.node_hour=16"], capsys
    )
    assert "node on h100" in text
    assert "USD" in text
    assert "GiB a trainer" in text
    assert "not known (" not in text


def test_trainers_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    job = [str(JOBS / "node.toml"), "--machine", "h100", "--compare"]
    lines = told(job, capsys).splitlines()
    assert [line.split()[0] for line in lines] == ["trainers", "1", "2", "4", "8"]
    plans = json.loads(told([*job, "--json"], capsys))["compare"]
    assert len(plans) == 4
    assert plans[0]["step_seconds"] > plans[-1]["step_seconds"]


def test_only_whole_teams_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    job = [str(JOBS / "node.toml"), "--machine", "h100", "--set", "parallel.pipeline=2"]
    lines = told([*job, "--compare"], capsys).splitlines()
    assert [line.split()[0] for line in lines] == ["trainers", "2", "4", "8"]


@pytest.mark.parametrize("other", [["--compare"], ["--html", "x.html"], ["--tokens", "1G"]])
def test_a_table_of_layouts_takes_no_options_that_it_would_pass_over(
    other: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    job = [str(JOBS / "node.toml"), "--machine", "h100", "--layouts"]
    assert run(["plan", *job, *other]) == 2
    assert f"leave out {other[0]}" in capsys.readouterr().err


def test_a_machine_without_gpus_or_rates_is_said_to_lack_the_rates(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = told([str(JOBS / "demo.toml"), "--machine", "laptop"], capsys)
    assert "how fast a core is" in text
    assert "trainers compute on GPUs" not in text


def test_spares_are_compared_in_proportion(capsys: pytest.CaptureFixture[str]) -> None:
    job = [str(JOBS / "cluster.toml"), "-n", "8000", "--machine", "h100", "--compare", "--json"]
    plans = json.loads(told(job, capsys))["compare"]
    dealt = [plan["layout"]["possible"] for plan in plans]
    assert [place["data"] for place in dealt] == [2**power for power in range(13)]
    assert (dealt[0]["spares"], dealt[-1]["spares"]) == (1, 2943)
    assert dealt[0]["nodes"] == 1


def test_a_page_is_whole_and_loads_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "plan <b>.html"
    job = [str(JOBS / "cluster.toml"), "-n", "800", "--machine", "h100", "--compare"]
    told([*job, "--html", str(page), "--set", "job.name='<script>'"], capsys)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "Memory of a trainer" in text
    assert "Other numbers of trainers" in text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_tokens_replace_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    job = [str(JOBS / "node.toml"), "--machine", "h100", "--json", "--tokens"]
    few, many = (json.loads(told([*job, tokens], capsys)) for tokens in ("1G", "2G"))
    assert many["days"] == pytest.approx(2 * few["days"], rel=0.01)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["none.toml"], "there is no job file"),
        ([str(JOBS / "node.toml"), "--machine", "cray"], "there is no machine 'cray'"),
        ([str(JOBS / "node.toml"), "--ranks", "0"], "0"),
        ([str(JOBS / "node.toml"), "--tokens", "many"], "is no count"),
    ],
)
def test_mistakes_are_the_users(
    arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", *arguments]) == 2
    assert word in capsys.readouterr().err


def test_layouts_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    job = [str(JOBS / "node.toml"), "--machine", "h100", "--layouts"]
    lines = told(job, capsys).splitlines()
    assert lines[0].split()[:2] == ["layout", "teams"]
    assert lines[1].startswith("chosen  one rank")
    assert any('shard = "none"' in line for line in lines)
    listed = json.loads(told([*job, "--json"], capsys))
    assert set(listed) == {"chosen", "layouts", "refused", "why"}
    assert listed["why"][0].startswith("one rank: ")
    assert listed["chosen"] == listed["layouts"][0]["parallel"]
    steps = [one["step_seconds"] for one in listed["layouts"] if one["fits"]]
    assert steps == sorted(steps)


def test_a_layout_that_is_left_open_is_chosen_and_explained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tight = ["--set", "train.sequences=24", "--set", "train.lanes=16"]
    job = [str(JOBS / "node.toml"), "--machine", "h100", "--set", "parallel=auto", *tight]
    text = told(job, capsys)
    chosen = next(line for line in text.splitlines() if line.startswith("chosen"))
    layout = next(line for line in text.splitlines() if line.startswith("layout"))
    assert "teams of" in layout
    assert layout.split("teams of ")[1].split(":")[0] in chosen
    assert "chosen       not one rank:" in text
    assert "a rank needs" in text


def test_a_position_is_what_is_planned(capsys: pytest.CaptureFixture[str]) -> None:
    job = [str(JOBS / "node.toml"), "--machine", "h100", "--json"]
    whole = json.loads(told(job, capsys))
    shared = json.loads(told([*job, "--set", "parallel.pipeline=2"], capsys))
    assert shared["parameters"] == whole["parameters"]
    assert shared["layout"]["position"]["parameters"] < 0.6 * whole["parameters"]
    assert shared["layout"]["possible"]["data"] == 4
    assert shared["layout"]["position"]["sent_bytes_by_axis"]["pipeline"] > 0
    assert 0 < shared["layout"]["position"]["bubble"] < 0.5
    assert shared["layout"]["step_seconds_by_cause"]["waiting"] > 0


def test_check_says_which_layout_is_chosen(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    job = [str(JOBS / "demo.toml"), "--set", "parallel=auto", "--run-dir", str(tmp_path / "run")]
    assert run(["check", *job, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["layout"].startswith("one rank: ")
    ones = dict.fromkeys(("pipeline", "context", "expert", "tensor", "chunks", "team_ranks"), 1)
    others = {"schedule": "1f1b", "shard": "none", "teams": told["roles"]["trainer"]}
    assert told["parallel"] == {**ones, **others}


def test_a_layout_that_cannot_be_had_is_refused_in_words(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    machine = tmp_path / "tiny.toml"
    machine.write_text("[node]\nmemory_gib = 0.01\n")
    job = [str(JOBS / "demo.toml"), "--machine", str(machine), "--set", "parallel=auto"]
    for table in ([], ["--layouts"], ["--layouts", "--json"]):
        assert run(["plan", *job, *table]) == 2
        shown = capsys.readouterr()
        assert "no layout fits these ranks" in (shown.out if "--json" in table else shown.err)
        assert "Traceback" not in shown.err
    told = json.loads(shown.out)
    assert told["chosen"] is None
    assert told["why"][0].endswith("no layout fits these ranks; nearest are")
    # Who names a layout asks for none.
    named = [*job[:-1], "parallel.tensor=1", "--layouts"]
    assert run(["plan", *named]) == 0
