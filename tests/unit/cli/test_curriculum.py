"""`qmpi curriculum`: a contract for scripts, a table for people, and the page that tells of it."""

import json
import re
import shlex
from pathlib import Path

import pytest

from qmpi.cli.main import run
from qmpi.config.bands import BANDS
from qmpi.config.load import parse_job
from qmpi.planning.stages import stages_of

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "curriculum.md").read_text(encoding="utf-8")
BARE = '[[data.sources]]\nkind = "corpus"\nname = "books"\npath = "builtin:python"\n'
JOB = f"""
[job]
name = "small"
[[data.sources]]
kind = "content"
name = "sums"
type = "mathematics"
{BARE}"""


@pytest.fixture
def job(tmp_path: Path) -> str:
    path = tmp_path / "job.toml"
    path.write_text(JOB)
    return str(path)


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["curriculum", *arguments]) == 0
    return capsys.readouterr().out


def test_scripts_get_a_hundred_stages(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    stages = json.loads(told([job, "--json"], capsys))["stages"]
    assert [stage["stage"] for stage in stages] == list(range(1, 101))
    for stage in stages:
        assert list(stage) == [
            "stage", "name", "band", "sources", "levels", "sequence_tokens", "batch_factor",
            "rate_factor", "after", "thresholds",
        ]  # fmt: skip
        assert list(stage["thresholds"]) == ["accuracy", "loss"]
    assert list(dict.fromkeys(stage["band"] for stage in stages)) == [name for name, _, _ in BANDS]
    assert (stages[1]["sources"], stages[1]["levels"], stages[1]["after"]) == (
        ["sums"],
        [2, 2],
        [1],
    )


def test_people_read_a_line_a_band(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = told([job], capsys).splitlines()
    assert lines[0] == "100 stages of small, linear"
    assert lines[1].split() == [
        "band", "stages", "levels", "tokens", "batch", "rate", "solved", "loss", "sources",
    ]  # fmt: skip
    assert [line.split()[:3] for line in lines[2:]] == [
        [name, f"{low}-{top}", f"{low}-{top}"] for name, low, top in BANDS
    ]


def test_all_is_a_line_a_stage_with_the_names_of_tables(
    job: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = 'curriculum.stages=[{name="first",max_level=9},{rate_factor=0.5}]'
    lines = told([job, "--all", "--set", tables], capsys).splitlines()
    assert [line.split()[0] for line in lines[2:]] == [
        *["beginner"] * 50, *["advanced"] * 7, *["expert"] * 14, *["master"] * 14,
        *["grandmaster"] * 15,
    ]  # fmt: skip
    assert sum("(first)" in line for line in lines) == 50
    assert lines[-1].split()[1:6] == ["100", "100", "128", "1", "0.5"]


MANY = "".join(
    f'[[data.sources]]\nkind = "content"\nname = "{"long" * 8}-{n}"\ntype = "code"\n'
    for n in range(9)
)


@pytest.mark.parametrize("is_all", [False, True])
def test_lines_fit_a_wide_terminal(
    is_all: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "job.toml"
    path.write_text(f"[train]\nsequence_tokens = 32768\n{MANY}")
    lines = told([str(path), *(["--all"] if is_all else [])], capsys).splitlines()
    assert max(map(len, lines)) <= 120
    assert all(line.endswith(", 8 more") for line in lines[2:])


def test_a_job_without_levels_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "job.toml"
    path.write_text(BARE)
    assert run(["curriculum", str(path)]) == 2
    said = capsys.readouterr().err
    assert "no source of the job is generated, so there are no levels" in said
    assert "qmpi explain config-error" in said


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("kind=fixed", 'curriculum.kind = \'fixed\': must be one of "adaptive", "static"'),
        ("progression=expo", "did you mean 'exponential'?"),
        ("stages=[{after=[3]}]", "curriculum.stages[0].after = 3: there is no such stage"),
    ],
)
def test_mistakes_are_told(
    field: str, said: str, job: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["curriculum", job, "--set", f"curriculum.{field}"]) == 2
    assert said in capsys.readouterr().err


def test_commands_of_the_page_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    lines = [shlex.split(line) for line in _block("bash").splitlines()]
    assert len(lines) >= 4
    for words in lines:
        assert words[:2] == ["qmpi", "curriculum"]
        assert told(words[2:], capsys)


def _block(kind: str) -> str:
    (block,) = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.S | re.M)
    return block


def test_tables_of_the_page_are_legal_for_the_job_that_it_shows() -> None:
    laptop = (ROOT / "jobs" / "laptop.toml").read_text(encoding="utf-8")
    text = re.sub(r"\[curriculum\]\n(.+\n)*", "", laptop)
    stages = stages_of(parse_job(text + _block("toml")))
    assert [stages[n].name for n in (0, 33, 66)] == ["sums", "word-problems", ""]
    assert stages[66].after == (33, 66)
    assert (stages[99].batch_factor, stages[99].thresholds.loss) == (0.5, 0.3)


def test_figures_of_the_page_are_those_of_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    shown = json.loads(_block("json"))
    cluster = told([str(ROOT / "jobs" / "cluster.toml"), "--json"], capsys)
    assert shown == json.loads(cluster)["stages"][1]
    for progression in ("linear", "exponential", "logarithmic"):
        stages = stages_of(parse_job(JOB, [f"curriculum.progression={progression}"]))
        tops = ", ".join(str(stages[n - 1].levels[1]) for n in (25, 50, 75))
        assert f"| `{progression}` | {tops} |" in PAGE
