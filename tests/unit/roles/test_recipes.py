"""The coordinator is asked for other weights: one record, then the directory, then grants."""

from msgspec.structs import replace
from unit.roles.coordinated_job import SETTINGS, Job, journal, sent

from qmpi.monitor.recipe_text import losses_text
from qmpi.monitor.status_text import source_facts
from qmpi.ports.processes import CloseRequest, RecipeRequested
from qmpi.ports.transport import Received
from qmpi.protocol.blocks import BlockRequest
from qmpi.protocol.envelope import WIRE_VERSION, Address, Header, RoleName
from qmpi.protocol.journal import RecipesChanged, RunOpened, StepCommitted
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.progress import LOSS_GRID, Grant, SourceLoss, StepReport
from qmpi.protocol.pulse import DirectoryChange
from qmpi.protocol.recipe import RecipeRequest, SourceFigures
from qmpi.roles.coordinator.record import Record
from qmpi.roles.directory import DirectoryChanged, changed, difference
from qmpi.roles.facts import RankFacts
from qmpi.roles.memory import Memory
from qmpi.units import Digest, Generation, Rank, Seconds, Step

LONG = replace(SETTINGS, train=replace(SETTINGS.train, steps=200))


def asked(name="a", at=-1, **weights):
    return RecipeRequested(RecipeRequest(name, tuple(weights.items()) or (("python", 0.0),), at))


def running():
    job = Job(settings=LONG)
    job.run()
    return job


def test_a_request_is_one_record_and_goes_out_by_host_leaders_before_a_grant_names_it():
    job = running()
    first = job.role.grants.granted + LONG.data.prefetch_steps
    effects = job.tell(asked())
    (change,) = journal(effects, RecipesChanged)
    assert (change.request, change.at, change.recipes[-1].first_step) == ("a", first, first)
    words = sent(effects, DirectoryChange)
    assert sorted(words) == [0, 3]
    assert words[0].recipes == change.recipes[1:]
    assert CloseRequest("a") in effects
    grants = [sent(job.report(step), Grant) for step in range(8)]
    revisions = {grant.revision for told in grants for grant in told.values()}
    assert revisions == {words[0].revision} == {job.role.crew.directory.revision}


def test_a_request_is_followed_once_however_often_it_is_told():
    job = running()
    job.tell(asked())
    again = job.tell(asked())
    assert (journal(again, RecipesChanged), CloseRequest("a") in again) == ([], True)
    (record,) = journal(job.effects, RecipesChanged)
    (opened,) = journal(job.effects, RunOpened)
    later = Job(settings=LONG, history=(opened, record))
    later.tell(asked())  # before anybody is here: it waits
    later.run()
    assert journal(later.effects, RecipesChanged) == []
    assert CloseRequest("a") in later.effects


def test_a_request_that_cannot_be_followed_is_answered_and_changes_nothing():
    job = running()
    for request, words in (
        (asked(at=2), "the first step that can have other weights is"),
        (asked("b", at=200), "the run ends at step 200"),
        (asked("c", nobody=1.0), "is added with `--add NAME=PATH`"),
    ):
        effects = job.tell(request)
        assert journal(effects, RecipesChanged) == []
        assert CloseRequest(request.request.name) in effects
        (status,) = [e.report for e in effects if hasattr(e, "report")]
        assert words in status.recipe_answers[-1].refused
    assert status.recipe.first_step == 0
    assert status.recipe_next is None


def test_what_waited_is_followed_by_the_next_start_from_its_first_step_on():
    job = Job(settings=LONG)
    job.tell(asked())
    job.run()
    (change,) = journal(job.effects, RecipesChanged)
    assert change.at == 1


def test_a_directory_tells_what_is_new_of_the_log():
    job = running()
    old = job.role.crew.directory
    job.tell(asked(at=60))
    job.tell(asked("b", 40, mathematics=9.0))
    new = job.role.crew.directory
    assert [recipe.first_step for recipe in new.recipes] == [0, 40, 60]
    assert changed(old, difference(old, new)) == new


def test_a_memory_rank_that_is_behind_waits_for_the_recipes():
    here = RankFacts(Rank(2), "a", 1, Address(Rank(0), RoleName.COORDINATOR), (Rank(2),))
    memory = Memory(LONG, here)
    job = running()
    facts = tuple(SourceFact(source.name, 100, "d") for source in LONG.data.sources)
    known = replace(job.role.crew.directory, sources=facts, generators=(Rank(1),))
    now = Seconds(1.0)
    memory.handle(DirectoryChanged(known), now)
    source = Address(Rank(3), RoleName.TRAINER)
    header = Header(
        version=WIRE_VERSION,
        source=source,
        target=source,
        sequence=1,
        generation=Generation(1),
        cause="a test",
    )
    wanted = BlockRequest(60, 0, -1, known.revision + 1)
    assert memory.handle(Received(header, wanted), now) == []
    assert memory.handle(DirectoryChanged(replace(known, revision=known.revision + 1)), now)


def test_the_status_tells_what_training_on_each_source_costs():
    job = running()
    for step in range(2):
        told = StepReport(
            job.role.generation, Step(step), (1.0, 2.0), (Digest("a"), Digest("b")), 0.5, 0.1,
            Digest("w"), 2.0, 0.5,
            sources=(SourceLoss(0, 10, (20 + 10 * step) * LOSS_GRID, 4, 2 * LOSS_GRID, 2, step),),
        )  # fmt: skip
        job.word(3, told)
    asking = job.tell(asked())
    (status,) = [e.report for e in asking if hasattr(e, "report")]
    assert status.source_losses == {"python": SourceFigures(20, 2.5, 8, 0.5, 4, 0.25)}
    assert dict(source_facts(status)) == {"by source": "python 2.500 (answers 0.500, 25 % solved)"}
    committed = journal(job.effects, StepCommitted)
    again = Record(tokens_per_step=1)
    again.replay(committed)
    assert again.outcomes.sources == [(record.step, record.sources) for record in committed]
    again.rewind(Step(1))
    assert [step for step, _ in again.outcomes.sources] == [0]


def test_of_many_sources_the_dearest_and_the_cheapest_are_told():
    figures = {f"s{n}": SourceFigures(10, float(n)) for n in range(12)}
    text = losses_text(figures)
    assert text == "s11 11.000, s10 10.000, s9 9.000, 6 between, s2 2.000, s1 1.000, s0 0.000"
