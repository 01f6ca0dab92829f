"""`qmpi curriculum`: a contract for scripts, a table for people, and the page that tells of it."""

import json
import re
import shlex
from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.cli.main import run
from qmpi.config.bands import BANDS
from qmpi.config.load import dump_toml, parse_job
from qmpi.config.stages import stages_of
from qmpi.policy.recipes import begun_recipes, course_of
from qmpi.protocol.journal import RunOpened
from qmpi.simulator.scenario import parse_scenario, play
from qmpi.storage.journal import JournalWriter, read_journal
from qmpi.storage.run_directory import RunDirectory

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


@pytest.fixture(scope="module")
def played_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run, with what the simulator has written in its journal."""
    scenarios = ROOT / "tests" / "simulation" / "scenarios"
    scenario = parse_scenario((scenarios / "curriculum.txt").read_text())
    outcome, missed = play(scenario)
    assert not missed
    directory = RunDirectory(tmp_path_factory.mktemp("played") / "runs" / "laptop")
    directory.create()
    directory.job.write_text(dump_toml(scenario.settings))
    with JournalWriter.open(directory.journal) as writer:
        writer.append(outcome.journal)
    return directory.root


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
    played_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = "".join(_blocks("bash"))
    lines = [shlex.split(line) for line in blocks.splitlines()]
    assert len(lines) >= 7
    for words in lines:
        assert words[:2] == ["qmpi", "curriculum"]
        monkeypatch.chdir(played_run.parents[1] if "--run" in words else ROOT)
        assert told(words[2:], capsys)


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.S | re.M)


def _block(kind: str) -> str:
    return _blocks(kind)[-1]


def test_scripts_get_the_path_of_a_run(
    played_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story = json.loads(told(["--run", str(played_run), "--json"], capsys))
    assert list(story) == [
        "kind", "step", "every_steps", "stage", "band", "arms", "path", "probes", "advantage",
        "off", "sets", "staged", "solved", "specialisation",
    ]  # fmt: skip
    assert (story["sets"], story["staged"]) == ([], [])
    assert (story["kind"], story["step"], story["every_steps"]) == ("adaptive", 90, 11)
    assert [line["window"] for line in story["path"]] == [-1, 2, 3, 4, 5, 6, 7, 8]
    assert [line["first_step"] for line in story["path"]][1:] == [11 * n for n in range(2, 9)]
    assert all(sum(line["weights"].values()) == pytest.approx(1) for line in story["path"])
    arms = {arm["name"]: arm for arm in story["arms"]}
    assert arms["python"]["weight"] == arms["python"]["share"] == 0.75
    assert arms["mathematics-expert"]["band"] == "expert"
    assert arms["mathematics-expert"]["answer_loss"] > 0
    assert (story["stage"], story["band"], story["probes"]) == (1, "beginner", 1)


def test_people_read_the_newest_of_a_path(
    played_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(["--run", str(played_run)], capsys)
    assert "adaptive curriculum, step 90, windows of 11 steps" in text
    assert re.search(r"^mathematics-expert +3\.5 % +3\.\d % +\d\.\d\d +\d", text, re.M)
    assert "from step 33 on: window 3 is a probe: what the job says" in text


def test_a_run_tells_what_its_stages_have_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenarios = ROOT / "tests" / "simulation" / "scenarios"
    scenario = parse_scenario((scenarios / "curriculum_stages.txt").read_text())
    outcome, _ = play(scenario)
    directory = RunDirectory(tmp_path / "staged")
    directory.create()
    directory.job.write_text(dump_toml(scenario.settings))
    with JournalWriter.open(directory.journal) as writer:
        writer.append(outcome.journal)
    story = json.loads(told(["--run", str(directory.root), "--json"], capsys))
    assert story["sets"] == ["rate", "batch", "gate", "length"]
    assert story["staged"] == [
        {"first_step": 0, "rate": 0.5, "lanes": 2, "tokens": 4},
        {"first_step": 44, "rate": 1.0, "lanes": 3, "tokens": 16},
        {"first_step": 66, "rate": 0.8, "lanes": 6, "tokens": 16},
    ]
    assert story["stage"] == 101
    text = told(["--run", str(directory.root)], capsys)
    assert "stage 100 of 100, intermediate: all are mastered" in text
    assert "since step 66 stages set: rate times 0.8, 6 lanes, sequences of 16 tokens" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a job, or a run with --run; not both"),
        (["JOB", "--run", "RUN"], "name a job, or a run with --run; not both"),
        (["--run", "RUN", "--set", "job.seed=1"], "--set and --run-dir go with a job"),
        (["--run", "nowhere"], "nowhere"),
    ],
)
def test_what_is_no_run_is_told(
    arguments: list[str],
    said: str,
    job: str,
    played_run: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = {"JOB": job, "RUN": str(played_run)}
    assert run(["curriculum", *(names.get(word, word) for word in arguments)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("every_steps=10", "curriculum.every_steps = 10: steps are granted"),
        ("specialise=['code']", "curriculum.specialise: no source is of type 'code'"),
        ("focus=specialise", 'curriculum.specialise goes with focus = "specialise"'),
        ("placebo_share=2", "curriculum.placebo_share = 2: must be"),
        ("most=1", "curriculum.most = 1: must be"),
        ("sets=['dance']", "curriculum.sets = ['dance']: must be a list, each one of"),
    ],
)
def test_an_adaptive_curriculum_is_checked(
    field: str, said: str, job: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = ["--set", "curriculum.kind=adaptive", "--set", f"curriculum.{field}"]
    assert run(["curriculum", job, *sets]) == 2
    assert said in capsys.readouterr().err


def test_the_band_of_a_long_name_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.toml"
    path.write_text(JOB.replace('"sums"', f'"{"s" * 39}"') + '[curriculum]\nkind = "adaptive"\n')
    assert run(["curriculum", str(path)]) == 2
    assert "has a name of more than 40 letters" in capsys.readouterr().err


def test_a_static_run_tells_of_no_probes_and_of_added_sources_together(
    played_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = parse_job(JOB)
    log = begun_recipes(settings, course_of(settings, ()))
    wider = (*log[0].weights[:-1], log[0].weights[-1] - 96, 96)
    recipe = replace(log[0], weights=wider, starts=(0, 0, 0), shares=(1.0, 1.0, 1.0))
    directory = RunDirectory(tmp_path / "static")
    directory.create()
    directory.job.write_text(dump_toml(settings))
    with JournalWriter.open(directory.journal) as writer:
        opened = next(
            r for r in read_journal(played_run / "journal.jsonl") if isinstance(r, RunOpened)
        )
        writer.append([replace(opened, recipes=(recipe,))])
    story = json.loads(told(["--run", str(directory.root), "--json"], capsys))
    assert (story["kind"], story["probes"], story["advantage"], story["off"]) == (
        "static",
        0,
        None,
        "",
    )
    assert story["arms"][-1] == {
        "name": "(added)", "type": "", "band": "", "share": 0.0, "weight": 96 / 4096, "loss": None,
        "answer_loss": None, "solved": None,
    }  # fmt: skip
    assert sum(story["path"][0]["weights"].values()) == 1


def test_an_adaptive_job_without_levels_or_with_recipes_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adaptive = '\n[curriculum]\nkind = "adaptive"\n'
    for text, said in (
        (BARE + adaptive, 'curriculum.kind = "adaptive": no source of the job is generated'),
        (JOB + "[[data.recipes]]\nat = 9\nweights = {sums = 2.0}\n" + adaptive, "data.recipes"),
    ):
        path = tmp_path / "other.toml"
        path.write_text(text)
        assert run(["curriculum", str(path)]) == 2
        assert said in capsys.readouterr().err


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
