"""`parallel = "auto"` in a job file and on the command line."""

import pytest

from qmpi.config.load import dump_toml, parse_job
from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError

SHARED = ParallelSettings(tensor=2)
FILE = 'parallel = "auto"\n[train]\nsteps = 7\n'


class Chooser:
    """Notes what it is asked."""

    def __init__(self, parallel: ParallelSettings = SHARED) -> None:
        self.parallel, self.asked = parallel, list[Settings]()

    def __call__(self, settings: Settings) -> ParallelSettings:
        self.asked.append(settings)
        return self.parallel


@pytest.mark.parametrize(
    ("text", "overrides"),
    [
        (FILE, []),
        ("[train]\nsteps = 7\n", ["parallel=auto"]),
        ("[train]\nsteps = 7\n", ['parallel="auto"']),
        ("[train]\nsteps = 7\n[parallel]\npipeline = 2\n", ["parallel=auto"]),
        ("[train]\nsteps = 7\n[team]\npipeline = 2\n", ["team=auto"]),
        ('team = "auto"\n[train]\nsteps = 7\n', []),
    ],
)
def test_the_layout_is_asked_for_once_and_becomes_part_of_the_job(
    text: str, overrides: list[str]
) -> None:
    chooser = Chooser()
    settings = parse_job(text, overrides, choose=chooser)
    assert settings.parallel == SHARED
    (asked,) = chooser.asked
    assert asked.train.steps == 7
    assert asked.optimizer.warmup_steps >= 0
    # What is written down names the sizes, so nobody chooses again.
    assert parse_job(dump_toml(settings), choose=Chooser(ParallelSettings())) == settings


def test_nobody_is_asked_by_a_job_that_names_its_layout_or_has_none() -> None:
    chooser = Chooser()
    assert parse_job("", choose=chooser).parallel == ParallelSettings()
    assert parse_job(FILE, ["parallel.pipeline=2"], choose=chooser).parallel.pipeline == 2
    assert not chooser.asked


def test_who_only_reads_a_job_sees_trainers_that_hold_the_whole_model() -> None:
    assert parse_job(FILE).parallel == ParallelSettings()


def test_a_choice_is_held_to_the_rules() -> None:
    with pytest.raises(ConfigError, match="does not divide"):
        parse_job(FILE, choose=Chooser(ParallelSettings(tensor=7)))


@pytest.mark.parametrize("text", ['parallel = "fast"\n', "parallel = 2\n"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r'must be a section, written \[parallel\], or "auto"'):
        parse_job(text, choose=Chooser())


def test_mistakes_elsewhere_are_told_before_anybody_chooses() -> None:
    chooser = Chooser()
    with pytest.raises(ConfigError, match=r"train\.steps"):
        parse_job(FILE, ["train.steps=0"], choose=chooser)
    assert not chooser.asked


@pytest.mark.parametrize("override", ["parallel=aut", "parallel=2", "parallel=", "team=x"])
def test_a_section_is_set_to_auto_alone(override: str) -> None:
    with pytest.raises(ConfigError, match='the whole section can be "auto" alone'):
        parse_job("", [override], choose=Chooser())


def test_who_writes_it_below_a_section_is_told_where_it_stands() -> None:
    with pytest.raises(ConfigError, match="stands above the first section") as caught:
        parse_job('[train]\nsteps = 7\n\nparallel = "auto"\n', choose=Chooser())
    assert "train.parallel" in str(caught.value)


@pytest.mark.parametrize("name", ["parallel", "team"])
def test_auto_and_sizes_exclude_each_other(name: str) -> None:
    text = f'{name} = "auto"\n[train]\nsteps = 7\n[{name}]\ntensor = 2\n'
    with pytest.raises(ConfigError, match=rf"\[{name}\] exclude each other"):
        parse_job(text, choose=Chooser())
