"""A source is added: proposed by the directory, tried by every data rank, then one record."""

from msgspec.structs import replace
from unit.roles.coordinated_job import CHIEF, Job, journal, sent
from unit.roles.test_recipes import LONG, running

from qmpi.config.data import ContentSource, CorpusSource
from qmpi.ports.data import BuildBlock, MakeRows, OpenSources, SourcesOpened
from qmpi.ports.processes import CloseRequest, RecipeRequested
from qmpi.ports.transport import RankLost, Received, Send
from qmpi.protocol.added import AddedSource, Proposal, SourcesTried
from qmpi.protocol.blocks import BlockFailed, BlockRequest, RowsRequest
from qmpi.protocol.envelope import WIRE_VERSION, Address, Header, RoleName
from qmpi.protocol.journal import RecipesChanged, RunOpened
from qmpi.protocol.membership import FormGroup, Hello, SourceFact
from qmpi.protocol.pulse import Directory
from qmpi.protocol.recipe import RecipeRequest
from qmpi.roles.directory import DirectoryChanged
from qmpi.roles.facts import RankFacts
from qmpi.roles.generator import Generator
from qmpi.roles.memory import Memory
from qmpi.units import Rank, Seconds

NEW = CorpusSource(name="law", path="/law", weight=0.0)
FACT = SourceFact("law", 50, "d")
FACTS = tuple(SourceFact(source.name, 100, "d") for source in LONG.data.sources)
NOW = Seconds(1.0)


def wanted(name="a", at=60, source=NEW, share=2.0):
    return RecipeRequested(RecipeRequest(name, ((source.name, share),), at, (source,)))


def tried(job, rank, name="a", fault="", facts=(FACT,)):
    return job.word(rank, SourcesTried(name, () if fault else facts, fault))


def test_every_data_rank_tries_before_the_record_and_the_directory_tells_of_it():
    job = running()
    asked = job.tell(wanted())
    assert journal(asked, RecipesChanged) == []
    proposal = Proposal("a", (NEW,))
    words = sent(asked, Directory)
    assert {rank: word.proposal for rank, word in words.items()} == {0: proposal, 3: proposal}
    assert sent(job.tell(wanted()), Directory) == {}
    assert journal(tried(job, 1), RecipesChanged) == []
    effects = tried(job, 2)
    (change,) = journal(effects, RecipesChanged)
    assert (change.request, change.at, change.added) == ("a", 60, (AddedSource(NEW, FACT),))
    assert [recipe.weights for recipe in change.recipes] == [(3072, 1024, 0), (2048, 683, 1365)]
    directory = sent(effects, Directory)[0]
    assert (directory.added, directory.proposal) == ((NEW,), None)
    assert (directory.sources[-1], directory.recipes) == (FACT, change.recipes)
    assert CloseRequest("a") in effects
    (status,) = [e.report for e in effects if hasattr(e, "report")]
    assert status.recipe_next.weights["law"] > 0.3
    again = job.tell(wanted("b"))
    (status,) = [e.report for e in again if hasattr(e, "report")]
    assert "has a source 'law' already" in status.recipe_answers[-1].refused


def test_what_a_rank_cannot_open_is_refused_and_can_be_asked_for_again():
    job = running()
    job.tell(wanted())
    tried(job, 1)
    effects = tried(job, 2, fault="/law is not a corpus")
    assert journal(effects, RecipesChanged) == []
    assert CloseRequest("a") in effects
    assert sent(effects, Directory)[0].proposal is None
    job.tell(wanted("b"))
    tried(job, 1, "a")  # of the older request: passed over
    tried(job, 2, "b")
    assert journal(tried(job, 1, "b"), RecipesChanged)


def test_who_dies_is_waited_for_no_longer_but_one_memory_rank_must_have_tried():
    job = running()
    job.tell(wanted())
    tried(job, 2)
    assert journal(job.tell(RankLost(Rank(1), "gone")), RecipesChanged)
    other = running()
    other.tell(wanted())
    tried(other, 1)
    assert journal(other.tell(RankLost(Rank(2), "gone")), RecipesChanged) == []
    hello = Hello("a", 1, sources=FACTS)
    other.word(1, hello, RoleName.MEMORY)
    found = other.word(1, SourcesTried("a", (FACT,)), RoleName.MEMORY)
    assert journal(found, RecipesChanged)


def test_another_request_takes_the_place_of_one_that_is_being_tried():
    job = running()
    job.tell(wanted())
    effects = job.tell(RecipeRequested(RecipeRequest("b", (("python", 0.0),), 70)))
    assert journal(effects, RecipesChanged)[0].added == ()
    tried(job, 1)
    assert journal(tried(job, 2), RecipesChanged) == []


def test_what_is_being_tried_can_be_taken_back():
    job = running()
    job.tell(wanted())
    tried(job, 1)
    effects = job.tell(RecipeRequested(None))
    assert sent(effects, Directory)[0].proposal is None
    (status,) = [e.report for e in effects if hasattr(e, "report")]
    assert status.recipe_answers[-1].refused == "the change was taken back"
    assert journal(tried(job, 2), RecipesChanged) == []
    assert job.tell(RecipeRequested(None))[:-1] == []
    job.tell(wanted("b"))
    tried(job, 1, "b")
    assert journal(tried(job, 2, "b"), RecipesChanged)


def test_what_waits_for_a_start_can_be_taken_back():
    job = Job(settings=LONG)
    job.tell(wanted(at=1))
    job.tell(RecipeRequested(None))
    job.run()
    assert journal(job.effects, RecipesChanged) == []
    assert job.role.crew.directory.proposal is None


def test_the_next_start_has_it_from_the_journal_and_is_asked_once():
    job = running()
    job.tell(wanted())
    for rank in (1, 2):
        tried(job, rank)
    history = (*journal(job.effects, RunOpened), *journal(job.effects, RecipesChanged))
    later = Job(settings=LONG, history=history)
    later.tell(wanted())
    later.run()
    (opened,) = journal(later.effects, RunOpened)
    assert opened.added == (AddedSource(NEW, FACT),)
    assert opened.recipes == history[-1].recipes
    assert later.role.crew.directory.added == (NEW,)
    assert journal(later.effects, RecipesChanged) == []
    assert CloseRequest("a") in later.effects


def test_what_waits_for_a_start_is_tried_before_its_first_step_is_handed_out():
    job = Job(settings=LONG)
    job.tell(wanted(at=1))
    job.greet()
    for rank in (3, 4):
        job.hold(rank)
    assert sent(job.effects, FormGroup) == {}
    tried(job, 1)
    effects = tried(job, 2)
    (change,) = journal(effects, RecipesChanged)
    assert change.at == 1
    seats = sent(effects, FormGroup)
    assert {seat.revision for seat in seats.values()} == {job.role.crew.directory.revision}
    assert seats


def role_of(kind, number):
    role = kind(LONG, RankFacts(Rank(number), "a", 1, CHIEF, (Rank(number),)))
    role.handle(SourcesOpened(FACTS), NOW)
    return role


def directory(revision, **fields):
    job = running()
    log = job.role.recipes.log
    known = {"generators": (Rank(1),), "memories": (Rank(2),), "sources": FACTS, "recipes": log}
    return DirectoryChanged(Directory(revision=revision, **{**known, **fields}))


def agreed(revision=2, source=NEW, fact=FACT):
    job = running()
    job.tell(wanted(at=60, source=source))
    for rank in (1, 2):
        tried(job, rank, facts=(fact,))
    log = job.role.recipes.log
    return directory(revision, sources=(*FACTS, fact), recipes=log, added=(source,))


def hears(role, message, by=RoleName.TRAINER):
    source = Address(Rank(9), by)
    header = Header(
        version=WIRE_VERSION, source=source, target=source, sequence=1, generation=1, cause="a test"
    )
    effects = role.handle(Received(header, message), NOW)
    role.check()
    return effects


def test_a_data_rank_opens_what_is_proposed_and_says_what_it_found():
    proposal = Proposal("a", (NEW,))
    for kind in (Memory, Generator):
        role = role_of(kind, 2)
        assert role.handle(directory(1), NOW) == []
        assert role.handle(directory(2, proposal=proposal), NOW) == [OpenSources((), proposal)]
        (answer,) = role.handle(SourcesOpened((*FACTS, FACT), "a"), NOW)
        assert answer == Send(CHIEF, SourcesTried("a", (FACT,)))
        assert OpenSources((NEW,)) in role.handle(agreed(3), NOW)
        other = role_of(kind, 2)
        other.handle(directory(2, proposal=proposal), NOW)
        (answer,) = other.handle(SourcesOpened(FACTS, "a", "no corpus"), NOW)
        assert answer == Send(CHIEF, SourcesTried("a", (), "no corpus"))


def test_a_memory_rank_that_joins_later_opens_it_before_it_builds():
    role = role_of(Memory, 2)
    assert role.handle(agreed(), NOW) == [OpenSources((NEW,))]
    assert hears(role, BlockRequest(70, 0, -1, 2)) == []
    assert hears(role, BlockRequest(2, 0, -1, 2)) == []
    effects = role.handle(SourcesOpened((*FACTS, FACT)), NOW)
    assert {effect.step for effect in effects if isinstance(effect, BuildBlock)} <= {2, 70}
    assert len(effects) == 2


def test_what_is_missing_or_other_on_a_rank_spoils_no_block_of_other_sources():
    for found, fault, words in (
        (FACTS, "/law is not a corpus", "/law is not a corpus"),
        ((*FACTS, replace(FACT, rows=51)), "", "is not what it was when it was added"),
    ):
        role = role_of(Memory, 2)
        role.handle(agreed(), NOW)
        role.handle(SourcesOpened(found, "", fault), NOW)
        (failed,) = hears(role, BlockRequest(70, 0, -1, 2))
        assert isinstance(failed.message, BlockFailed)
        assert words in failed.message.reason
        sound = hears(role, BlockRequest(2, 0, -1, 2))
        assert not any(isinstance(getattr(e, "message", None), BlockFailed) for e in sound)


def test_a_generator_makes_rows_of_a_source_once_it_has_heard_of_it():
    made = ContentSource(name="law", type="code", weight=0.0)
    role = role_of(Generator, 1)
    ask = RowsRequest(70, 0, "law", (1, 2))
    assert hears(role, ask, RoleName.MEMORY) == []
    fact = SourceFact("law", 0, "d")
    assert role.handle(agreed(source=made, fact=fact), NOW) == [OpenSources((made,))]
    role.handle(SourcesOpened((*FACTS, fact)), NOW)
    (work,) = hears(role, ask, RoleName.MEMORY)
    assert isinstance(work, MakeRows)
