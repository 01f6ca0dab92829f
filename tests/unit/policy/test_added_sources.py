"""Sources that are added to a run are as those that were there at weight 0 from the start."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.data import ContentSource, CorpusSource, DataSettings, RecipeSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.errors import ConfigError
from qmpi.policy.added_sources import added_of, judged, padded, with_added
from qmpi.policy.mixture import integer_weights, period_of
from qmpi.policy.recipe_proof import recipes_fault
from qmpi.policy.recipe_requests import Room, answered
from qmpi.policy.recipes import begun_recipes, course_of, recipes_of
from qmpi.policy.stream import numbered_rows
from qmpi.protocol.added import AddedSource, SourcesTried
from qmpi.protocol.journal import RecipesChanged
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.recipe import RecipeRequest

NEW = CorpusSource(name="law", path="/law", weight=0.0)
FACT = SourceFact("law", 50, "d")
ADDED = AddedSource(NEW, FACT)
FACTS = (SourceFact("one", 0, "d"), SourceFact("two", 70, "d"), FACT)
ROOM = Room(committed=3, least=5, end=90)
SHARE = st.sampled_from([0.0, 0.5, 1.0, 7.0])


def job(*sources, recipes=()):
    begun = (
        ContentSource(name="one", type="code", weight=3.0),
        CorpusSource(name="two", path="/two", weight=1.0),
    )
    told = tuple(RecipeSettings(at=at, weights=asked) for at, asked in recipes)
    return Settings(
        data=DataSettings(sources=(*begun, *sources), recipes=told),
        train=TrainSettings(steps=90, lanes=4, microbatches=1, sequences=3, sequence_tokens=16),
    )


def adding(at=20, name="a", source=NEW, **weights):
    return RecipeRequest(name, tuple((weights or {"law": 2.0}).items()), at, (source,))


def begun(told):
    return begun_recipes(told, course_of(told, ()))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=6), st.integers(1, 3))
def test_sources_of_weight_0_change_no_mixture(weights, more):
    if not any(weights):
        return
    alone = integer_weights(weights)
    wider = integer_weights([*weights, *[0.0] * more])
    assert wider == (*alone, *[0] * more)
    assert period_of(wider).sources == period_of(alone).sources


@settings(max_examples=30, deadline=None)
@given(st.integers(5, 60), SHARE, SHARE, st.integers(1, 20), SHARE)
def test_added_is_as_written_in_the_job_file(at, law, two, gap, later):
    asked, then = {"law": law or 1.0, "two": two}, {"law": later}
    try:
        wanted = begun(job(NEW, recipes=((at, asked), (at + gap, then))))
    except ConfigError:
        return  # no source would be left
    told = job()
    course = course_of(told, ())
    log, _, refused = answered(adding(at, **asked), begun(told), told, course, ROOM)
    assert refused == ""
    second = RecipeRequest("b", tuple(then.items()), at + gap)
    log, _, refused = answered(second, log, with_added(told, (ADDED,)), course, ROOM)
    if refused:  # the same weights again
        return
    assert [replace(r, reason="") for r in log] == [replace(r, reason="") for r in wanted]
    for block in (0, at * 4 - 1, at * 4, (at + gap) * 4 + 1):
        rows = numbered_rows(log, FACTS, block, 3)
        assert rows == numbered_rows(wanted, FACTS, block, 3)
        if block < at * 4:
            assert rows == numbered_rows(begun(told), FACTS[:2], block, 3)


def test_a_journal_tells_what_was_added_and_the_proof_follows_it():
    told = job()
    course, log = course_of(told, ()), begun(told)
    longer = answered(adding(), log, told, course, ROOM)[0]
    history = [
        RecipesChanged(1.0, 0, log, ""),
        RecipesChanged(2.0, 3, longer, "", "a", 20, (ADDED,)),
    ]
    assert added_of(history) == (ADDED,)
    assert added_of(history[:1]) == added_of([]) == ()
    assert recipes_of(history, told) == longer
    whole = with_added(told, (ADDED,))
    assert recipes_fault(log, longer, whole, course, 3) == ""
    assert "weighs" in recipes_fault(log, longer, told, course, 3)
    assert "weighs" in recipes_fault(log, log, whole, course, 3)
    drawn_before = (replace(longer[0], weights=(3071, 1024, 1)), longer[1])
    assert recipes_fault(log, drawn_before, whole, course, 3)
    assert padded(longer, 3) == longer
    # A version that wrote down no shares meant those of the job file.
    bare = (replace(log[0], shares=()),)
    assert recipes_fault(bare, longer, whole, course, 3) == ""
    assert recipes_fault(bare, padded(bare, 3), whole, course, 3) == ""


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (adding(source=replace(NEW, name="two"), two=1.0), "has a source 'two' already"),
        (adding(one=1.0), "law is added without a weight above 0"),
        (adding(law=0.0), "law is added without a weight above 0"),
        (adding(law=1.0, nobody=1.0), "there is no source 'nobody'"),
        (adding(at=4), "the first step that can have other weights is 5"),
    ],
)
def test_what_cannot_be_added_is_refused_in_words(request_, words):
    told = job()
    log = begun(told)
    after, step, refused = answered(request_, log, told, course_of(told, ()), ROOM)
    assert (after, step) == (log, -1)
    assert words in refused


def test_all_ranks_must_find_the_same():
    fine = SourcesTried("a", (FACT,))
    assert judged(adding(), [fine, fine]) == ((ADDED,), "")
    missing = SourcesTried("a", (), "rank 3: /law is not a corpus")
    assert judged(adding(), [fine, missing]) == ((), "rank 3: /law is not a corpus")
    found, refused = judged(adding(), [fine, SourcesTried("a", (replace(FACT, rows=51),))])
    assert found == ()
    assert refused.startswith("not every rank finds the same in law")
