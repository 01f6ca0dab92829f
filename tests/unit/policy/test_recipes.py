"""Recipe logs: whatever changes, and wherever a run goes back, each row is used once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.batch import BatchSettings
from qmpi.config.curriculum import CurriculumSettings
from qmpi.config.data import ContentSource, DataSettings, RecipeSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.config.warmup import with_warmup
from qmpi.errors import ConfigError
from qmpi.policy.hyperparameters import block_of, first_hyperparameters, lanes_of
from qmpi.policy.recipe_proof import recipes_fault
from qmpi.policy.recipe_requests import Room, answered
from qmpi.policy.recipes import (
    FROM_JOB,
    WARMED_UP,
    begun_recipes,
    contents,
    course_of,
    in_force,
    moved,
    passed_over,
    recipes_of,
    reweighed,
    standing,
    went_back,
)
from qmpi.policy.roll_back import roll_back_to, rolled_back
from qmpi.policy.stream import numbered_rows
from qmpi.protocol.journal import RecipesChanged
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.recipe import RecipeRequest

NAMES = ("one", "two", "three")
ROWS = 3


def job(*recipes, weights=(3.0, 1.0, 0.0), grow="none", warmup=0):
    sources = [
        ContentSource(name=name, type="code", weight=weight)
        for name, weight in zip(NAMES, weights, strict=True)
    ]
    told = tuple(RecipeSettings(at=at, weights=asked) for at, asked in recipes)
    batch = BatchSettings(grow=grow, first_lanes=2, grow_steps=20) if grow != "none" else None
    plain = Settings(
        data=DataSettings(sources=tuple(sources), recipes=told),
        train=TrainSettings(steps=90, lanes=4, microbatches=1, sequences=ROWS, sequence_tokens=16),
        batch=batch or BatchSettings(),
        curriculum=CurriculumSettings(warmup_steps=warmup),
    )
    return with_warmup(plain)


def rows_of_step(log, recipes, told, step):
    facts = [SourceFact(source.name, 0, "d") for source in told.data.sources]
    for lane in range(lanes_of(log, step, told.train.lanes)):
        yield from numbered_rows(recipes, facts, block_of(log, step, lane, told.train.lanes), ROWS)


SHARES = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([0.0, 0.5, 1.0, 7.0]), min_size=1)
FILES = st.lists(st.tuples(st.integers(1, 60), SHARES), max_size=3, unique_by=lambda told: told[0])
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 12), SHARES),
        st.tuples(st.just("spike"), st.integers(0, 8), st.none()),
        st.tuples(st.just("back"), st.integers(0, 20), st.none()),
    ),
    max_size=6,
)


class Run:
    """A run that trains some steps between the things that happen to it."""

    def __init__(self, told):
        self.told, self.committed = told, 0
        self.log = (first_hyperparameters(told),)
        self.recipes = begun_recipes(told, course_of(told, self.log))
        self.trained = {}
        self.passed = []
        self.prove((), self.recipes)

    def prove(self, before, after):
        course = course_of(self.told, self.log)
        assert recipes_fault(before, after, self.told, course, self.committed) == ""
        self.recipes = after

    def train(self, steps):
        for step in range(self.committed, self.committed + steps):
            self.trained[step] = list(rows_of_step(self.log, self.recipes, self.told, step))
        self.committed += steps

    def give_up(self, step, *, passes):
        gone = [self.trained.pop(s) for s in range(step, self.committed)]
        self.passed += [row for rows in gone for row in rows if passes]
        self.committed = step

    def ask(self, ahead, asked):
        course, at = course_of(self.told, self.log), max(1, self.committed) + ahead
        try:
            longer = reweighed(self.recipes, self.told, course, at, tuple(asked.items()), "asked")
        except ConfigError:
            return  # no source would be left
        names = [source.name for source in self.told.data.sources]
        held = dict(zip(names, in_force(longer, at).shares, strict=True))
        assert {**held, **asked} == held
        self.prove(self.recipes, longer)

    def spike(self, back):
        if not self.committed:
            return
        step = max(0, self.committed - 1 - back)
        way = roll_back_to(self.log, self.committed - 1, step, self.told.train.lanes)
        held = [in_force(self.recipes, s).weights for s in range(step, 90)]
        self.log = rolled_back(self.log, self.told, way)
        self.give_up(step, passes=True)
        before = self.recipes
        course = course_of(self.told, self.log)
        self.prove(before, passed_over(before, self.told, course, way))
        assert [in_force(self.recipes, s).weights for s in range(step, 90)] == held

    def back(self, many):
        step = max(0, self.committed - many)
        self.log = tuple(r for r in self.log if r.first_step < max(1, step))
        self.passed = [] if self.passed and step == 0 else self.passed
        self.give_up(step, passes=False)
        course = course_of(self.told, self.log)
        after = went_back(self.recipes, self.told, course, step)
        assert all(r.first_step < max(1, step) or r.reason for r in standing(after))
        self.prove(self.recipes, after)

    def rows(self):
        return [row for _, rows in sorted(self.trained.items()) for row in rows]


@settings(max_examples=25, deadline=None)
@given(
    FILES,
    DEEDS,
    st.sampled_from(["none", "linear", "double"]),
    st.integers(1, 9),
    st.sampled_from([0, 1, 12]),
)
def test_no_row_comes_again_and_none_is_left_out(file, deeds, grow, between, warmup):
    behind = [told for told in sorted(file, key=lambda told: told[0]) if told[0] > warmup]
    try:
        told = job(*behind, grow=grow, warmup=warmup)
        run = Run(told)
    except ConfigError:
        return  # no source would be left
    went = False
    for deed, number, asked in deeds:
        run.train(between)
        if deed == "ask":
            run.ask(number, asked)
        elif deed == "spike" and not went:
            run.spike(number)
        elif deed == "back":
            went = went or bool(run.passed)
            run.back(number)
    run.train(between)
    rows = run.rows()
    assert len(set(rows)) == len(rows)
    if went:
        return  # the user went back behind data that was passed over, and may see it after all
    for source in range(len(told.data.sources)):
        mine = [row.row for row in [*rows, *run.passed] if row.source == source]
        assert sorted(mine) == list(range(len(mine)))


def test_a_warm_up_comes_first_and_then_what_the_job_says():
    told, plain = job((20, {"one": 0.0}), warmup=12), job((20, {"one": 0.0}))
    run = Run(told)
    run.train(30)
    assert {row.source for step in range(12) for row in run.trained[step]} == {3}
    usual = begun_recipes(plain, course_of(plain, ()))
    for step in range(12, 30):
        assert in_force(run.recipes, step).weights == (*in_force(usual, step).weights, 0)
    assert [recipe.reason for recipe in run.recipes[1:]] == [WARMED_UP, FROM_JOB]
    # Sources of the job begin with their first rows behind it.
    assert run.recipes[1].starts[:3] == (0, 0, 0)


@pytest.mark.parametrize("step", [0, 5, 11, 12, 13])
def test_going_back_into_a_warm_up_takes_it_up_again(step):
    run = Run(job(warmup=12))
    run.train(16)
    run.back(16 - step)
    run.train(20 - step)
    for number, rows in run.trained.items():
        assert ({row.source for row in rows} == {3}) == (number < 12)


def test_weights_asked_for_within_a_warm_up_hold_until_it_ends():
    run = Run(job(warmup=12))
    run.train(3)
    run.ask(2, {"two": 1.0})
    run.train(12)
    assert {row.source for row in run.trained[4]} == {3}
    assert {row.source for row in run.trained[6]} == {1, 3}
    assert {row.source for row in run.trained[13]} == {0, 1}


def test_a_dropped_source_goes_on_where_it_stopped():
    told = job((5, {"one": 0}), (9, {"one": 1, "three": 2}))
    run = Run(told)
    run.train(12)
    starts = [recipe.starts for recipe in run.recipes]
    assert starts[1][0] == starts[2][0] > 0
    assert starts[2][2] == 0
    assert {row.source for row in run.trained[6]} == {1}
    assert {row.source for row in run.trained[10]} == {0, 1, 2}


@given(st.integers(1, 20), st.integers(1, 20), SHARES, SHARES)
def test_asked_for_one_by_one_is_as_written_in_the_job_file(first, gap, one, two):
    course = course_of(job(), ())
    try:
        wanted = begun_recipes(job((first, one), (first + gap, two)), course)
        log = begun_recipes(job(), course)
        # In either order: a later one sets what it sets, also if it was asked for before.
        for at, asked in ((first + gap, two), (first, one)):
            log = reweighed(log, job(), course, at, tuple(asked.items()), "asked")
    except ConfigError:
        return
    assert [replace(r, reason="") for r in log] == [replace(r, reason="") for r in wanted]


def test_requests_for_one_step_add_up():
    course, log = course_of(job(), ()), begun_recipes(job(), course_of(job(), ()))
    for asked in ((("one", 0.0),), (("two", 5.0), ("three", 5.0))):
        log = reweighed(log, job(), course, 7, asked, "asked")
    assert [recipe.first_step for recipe in log] == [0, 7]
    told = contents(log[1], NAMES)
    assert told.weights == {"one": 0.0, "two": 0.5, "three": 0.5}


def test_a_planned_recipe_moves_with_the_steps_before_it():
    told = job((50, {"one": 0}))
    log = (first_hyperparameters(told),)
    recipes = begun_recipes(told, course_of(told, log))
    growing = replace(told, batch=BatchSettings(grow="linear", first_lanes=2, grow_steps=20))
    grown = course_of(told, (first_hyperparameters(growing),))
    assert moved(recipes, told, grown, 0)[1].first_sequence == grown.begins(50)
    assert moved(recipes, told, course_of(told, log), 20) == recipes


ROOM = Room(committed=10, least=25, end=90)


@pytest.mark.parametrize(
    ("at", "asked", "words"),
    [
        (24, {"one": 0}, "the first step that can have other weights is 25"),
        (90, {"one": 0}, "the run ends at step 90"),
        (-1, {"one": 0, "two": 0}, "no source would be left"),
        (-1, {"one": 3}, "hold at step 25 as it is"),
        (-1, {"four": 1}, "is added with `--add NAME=PATH`"),
        (-1, {}, "no source is named"),
        (-1, {"one": float("nan")}, "finite"),
    ],
)
def test_what_cannot_be_followed_is_refused_in_words(at, asked, words):
    log = begun_recipes(job(), course_of(job(), ()))
    request = RecipeRequest("a", tuple(asked.items()), at)
    after, step, refused = answered(request, log, job(), course_of(job(), ()), ROOM)
    assert (after, step) == (log, -1)
    assert words in refused


def test_without_a_step_the_first_that_is_possible_is_taken():
    log = begun_recipes(job(), course_of(job(), ()))
    request = RecipeRequest("a", (("one", 0.0), ("three", 2.0)))
    after, step, refused = answered(request, log, job(), course_of(job(), ()), ROOM)
    assert (step, refused) == (25, "")
    assert after[-1].reason == "asked for at step 10: one = 0, three = 2"


def test_a_journal_tells_the_newest_log():
    course = course_of(job(), ())
    log = begun_recipes(job(), course)
    longer = reweighed(log, job(), course, 9, (("one", 0.0),), "asked")
    records = [RecipesChanged(1.0, 0, told, "") for told in (log, longer)]
    assert recipes_of(records, job()) == longer
    assert recipes_of([], job()) == ()
    bare = tuple(replace(recipe, shares=()) for recipe in log)
    assert recipes_of([RecipesChanged(1.0, 0, bare, "")], job()) == log


@pytest.mark.parametrize("what", ["weights", "starts", "first_sequence", "used", "first"])
def test_a_log_that_does_not_follow_is_found(what):
    told, course = job((20, {"one": 0})), course_of(job(), ())
    log = begun_recipes(told, course)
    bad = {
        "weights": replace(log[1], weights=(1, 4095, 0)),
        "starts": replace(log[1], starts=(0, 0, 0)),
        "first_sequence": replace(log[1], first_sequence=log[1].first_sequence + 1),
        "used": replace(log[1], first_step=19, first_sequence=course.begins(19)),
    }
    wrong = (log[0], bad[what]) if what in bad else (replace(log[0], seed=5), log[1])
    assert recipes_fault(log, wrong, told, course, 40)
    assert recipes_fault((), wrong, told, course, 0) or what == "used"
