"""Arithmetic of the benchmarks of generated text."""

import gzip
import math
from collections import Counter

import pytest
import torch
from bench_calibration import line, ranks, spearman
from bench_transfer import row, shuffled
from content_sample import up_to
from real_text import LONGEST, SHORTEST, SOURCES, pieces, real_documents, what_lacks
from small_model import CONTEXT, SmallModel, bits_a_byte, rows_of

from qmpi.content.address import TYPES
from qmpi.content.diversity import words_of
from qmpi.content.level import LEVELS
from qmpi.storage.tokenizer import train_tokenizer

TEXTS = [f"the cat number {n} sat on the mat of number {n * 7}\n" * 8 for n in range(60)]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, 300)


@pytest.fixture(autouse=True)
def _one_thread():
    # Threads that wait for each other on a busy machine take ten times as long.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_equal_values_share_their_rank():
    assert ranks([5, 1, 5, 9]) == [1.5, 0, 1.5, 3]


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 1000], 1.0),
        ([1, 2, 3, 4], [9, 8, 7, -6], -1.0),
        ([1, 2, 3], [5, 5, 5], 0.0),
        # 1 - 6 * sum(d^2) / (n^3 - n), with d = 0, 1, -1, 0, 0
        ([1, 2, 3, 4, 5], [1, 3, 2, 4, 5], 0.9),
    ],
)
def test_rank_correlation(first, second, wanted):
    assert spearman(first, second) == pytest.approx(wanted)


def test_a_line_holds_means_of_bands():
    levels = list(range(1, LEVELS + 1))
    plain, falling = line("code", levels, [(float(level), -level) for level in levels])
    assert plain.startswith("| code | 7.500 | 21.500 |")
    assert plain.endswith("| +1.00 | +1.00 |")
    assert falling.endswith("| -1.00 | -1.00 |")


@pytest.mark.parametrize("text", ["One two,\n  three (two) four!\n", "\u4f60\u597d\uff0c\u4e16\n"])
def test_shuffling_keeps_words_and_what_stands_between(text):
    made = shuffled(text, 3)
    assert Counter(words_of(made)) == Counter(words_of(text))
    assert [c for c in made if not c.isalnum()] == [c for c in text if not c.isalnum()]
    assert made != text
    assert shuffled(text, 3) == made


def test_the_table_says_where_ours_is_not_lower():
    seeds = [
        {"generated": (2.0, 1.0), "nothing": (4.0, 1.0)},
        {"generated": (2.0, 1.0), "nothing": (4.0, 0.6)},
    ]
    lines = row("code", seeds)
    assert lines[0].endswith("| generated | 2.000 |  | 1.000 |  |")
    assert lines[1].endswith("| nothing | 4.000 | +50.0 % | 0.800 | -25.0 % |")


def test_rows_overlap_by_one_id_and_end_at_the_limit(tokenizer):
    rows = rows_of(tokenizer, TEXTS)
    ids = tokenizer.encode_flat(TEXTS)[0]
    assert rows.shape == ((ids.size - 1) // CONTEXT, CONTEXT + 1)
    assert rows[0, -1] == rows[1, 0] == ids[CONTEXT]
    assert len(rows_of(tokenizer, TEXTS, 3 * CONTEXT)) == 3


def test_bits_a_byte_of_chance(tokenizer):
    rows = rows_of(tokenizer, TEXTS)[:20]
    model = SmallModel(tokenizer.size, 1, width=32, layers=1)
    with torch.no_grad():
        for weight in model.model.parameters():
            weight.zero_()
    nats, told = model.nats(rows)
    assert told == rows[:, 1:].numel()
    assert nats == pytest.approx(told * math.log(tokenizer.size), rel=1e-5)
    size = sum(map(len, TEXTS))
    told_in_all = sum(len(ids) + 1 for ids in tokenizer.encode_batch(TEXTS))
    wanted = math.log2(tokenizer.size) * told_in_all / size
    assert bits_a_byte(nats, told, tokenizer, TEXTS) == pytest.approx(wanted, rel=1e-5)


def test_training_lowers_the_loss_and_is_repeatable(tokenizer):
    rows = rows_of(tokenizer, TEXTS)[:40]
    losses = []
    for _ in range(2):
        model = SmallModel(tokenizer.size, 1, width=32, layers=1)
        before = model.nats(rows)[0]
        model.train(rows)
        losses.append(model.nats(rows)[0])
        assert losses[-1] < 0.95 * before
    assert losses[0] == losses[1]


def test_samples_end_with_the_document_that_fills_them():
    assert up_to(iter(["ab", "\u00e9\u00e9", "c", "d"]), 5) == ["ab", "\u00e9\u00e9"]


def test_real_text_is_cut_where_paragraphs_end(tmp_path):
    paragraph = "word " * 150
    made = list(pieces(["\n\n".join([paragraph.strip()] * 12), "short"]))
    assert all(SHORTEST <= len(piece) <= LONGEST for piece in made)
    assert sum(piece.count("word") for piece in made) == 1800
    folder = tmp_path / "usr/share/games/fortunes"
    folder.mkdir(parents=True)
    (folder / "a.u8").write_text("\n%\n".join(f"{n} " + "wise " * 30 for n in range(25)))
    assert len(real_documents("creative", tmp_path)) == 3
    assert real_documents("code", tmp_path) == []
    assert "python3-sympy" in what_lacks("code", tmp_path)
    assert set(SOURCES) == set(TYPES)


def test_pages_of_the_manual_lose_their_typesetting(tmp_path):
    folder = tmp_path / "usr/share/man/de/man1"
    folder.mkdir(parents=True)
    page = '.TH LS 1\n.SH "NAME"\nls \\- zeigt \\fBalles\\fP\n.PP\n.B Fett\n' + "Text. " * 60
    (folder / "ls.1.gz").write_bytes(gzip.compress(page.encode()))
    (text,) = real_documents("multilingual", tmp_path)
    assert text.startswith("NAME\n\nls - zeigt alles\n\nFett\nText.")
