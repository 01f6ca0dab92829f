"""The card of an export names what the run was given on its way."""

from unit.exchange.small_run import settings

from qmpi.config.data import CorpusSource
from qmpi.exchange.checkpoint import with_all_sources
from qmpi.exchange.model_card import Origin, model_card
from qmpi.protocol.added import AddedSource
from qmpi.protocol.journal import RecipesChanged
from qmpi.protocol.membership import SourceFact
from qmpi.storage.journal import JournalWriter


def test_the_card_names_added_sources(tmp_path):
    job, origin = settings(tmp_path), Origin("a1", 3, "w", "s", "float32")
    assert with_all_sources(job, tmp_path) == job
    law = CorpusSource(name="law", path="/law", weight=0.0)
    added = (AddedSource(law, SourceFact("law", 5, "d")),)
    with JournalWriter.open(tmp_path / "journal.jsonl") as writer:
        writer.append([RecipesChanged(0.0, 3, (), "", "a", 4, added)])
    card = model_card(with_all_sources(job, tmp_path), origin)
    assert "| law | 0.0% | corpus `/law` |" in card
    assert "law" not in model_card(job, origin)
