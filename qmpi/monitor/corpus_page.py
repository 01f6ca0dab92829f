"""statistics.html of a corpus: one page, nothing to load."""

from html import escape

from qmpi.corpora.statistics import CorpusStatistics
from qmpi.monitor.corpus_charts import column_chart, curve_chart, labelled_columns, row_chart
from qmpi.monitor.html_page import page, section


def corpus_page(found: CorpusStatistics) -> str:
    """Return the page.

    Args:
        found: of the corpus.

    Returns:
        A self-contained HTML document.
    """
    total = max(1, sum(found.types.values()))
    types = [
        (name, float(tokens), f"{tokens:,} tokens, {100 * tokens / total:.1f} %")
        for name, tokens in sorted(found.types.items(), key=lambda item: -item[1])
    ]
    lengths = [(f"{bound:,}", float(count)) for bound, count in found.lengths]
    cards = [
        section("Types", row_chart(types, "tokens by type")),
        section("Length of documents", labelled_columns(lengths, "tokens up to", "documents")),
        section("Compression", column_chart(found.ratios, "shard", "ratio") + _NOTE_RATIO),
        section("Growth of the vocabulary", _growth(found)),
    ]
    if found.levels:
        levels = [(level, float(tokens)) for level, tokens in found.levels]
        cards.insert(1, section("Levels", column_chart(levels, "level", "tokens")))
    return page(f"corpus {found.name}", _head(found) + "".join(cards))


_NOTE_RATIO = '<p class="note">Bytes of the token ids to bytes of the file.</p>'


def _head(found: CorpusStatistics) -> str:
    tiles = {
        "tokens": f"{found.tokens:,}",
        "documents": f"{found.documents:,}",
        "tokens of a document, mean": f"{found.tokens / max(1, found.documents):,.0f}",
        "size": f"{found.bytes / 1e6:,.1f} MB",
        "compression ratio": f"{found.ratio:.2f}",
        "codec": ", ".join(found.codecs),
        "Heaps exponent": f"{found.heaps:.2f}" if found.heaps else "too little text",
    }
    boxes = "".join(
        f'<div class="tile"><span>{escape(name)}</span><strong>{escape(said)}</strong></div>\n'
        for name, said in tiles.items()
    )
    looked = (
        f"{found.shards:,} shards"
        if found.read_shards == found.shards
        else f"{found.read_shards} of {found.shards:,} shards, evenly chosen"
    )
    return (
        f"<h1>{escape(found.name)}</h1>\n"
        f'<p class="lead">A corpus of token shards; from {looked}.</p>\n'
        f'<div class="tiles">{boxes}</div>\n'
    )


def _growth(found: CorpusStatistics) -> str:
    if not found.growth:
        return "<p>No tokenizer lies beside the shards, so no words were counted.</p>"
    points = [(words, float(distinct)) for words, distinct in found.growth]
    words, distinct = found.growth[-1]
    return curve_chart(points, "words read", "distinct words") + (
        f'<p class="note">{distinct:,} distinct words in {words:,}, of documents spread over the '
        f"corpus; exponent {found.heaps:.2f} over the last decade.</p>"
    )
