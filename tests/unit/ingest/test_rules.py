"""What a document is judged by: words, rules, near-duplicates, evaluation sets, languages."""

import hashlib
import json
import os
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.errors import InputError
from qmpi.ingest.dedup import near
from qmpi.ingest.judge.kind import is_prose
from qmpi.ingest.judge.language import LanguageGuess
from qmpi.ingest.judge.measures import Measures
from qmpi.ingest.judge.rules import PRESETS, RULES, broken_rule, thresholds
from qmpi.ingest.screen import load_screen, make_screen, save_screen
from qmpi.ingest.word_hashes import _WORDS, WordHasher, ngrams, words_of

HASHER = WordHasher()
PROSE = (
    "The valley was quiet that morning, and the people of the village had not yet opened their "
    "doors. A man walked along the river with a lantern in his hand, for the mist was thick. He "
    "thought of the letter that he had read the night before, and of what it would mean to those "
    "who waited for him in the city. Nothing in it was new to him; but it was the first time that "
    "anybody had written it down, and signed it with a name that everybody knew.\n"
)
CODE = Path(broken_rule.__code__.co_filename).read_text()


def _measures(text):
    words = words_of(text)
    return Measures(text, words, HASHER.hashes(words))


def _broken(text, preset="web", *, prose=True):
    found = broken_rule(_measures(text), PRESETS[preset], prose=prose)
    return found[0] if found else None


# Capital sigma becomes another letter at the end of a word, which parts of a text cannot tell.
@given(st.text(st.characters(exclude_characters="\u03a3", exclude_categories=["Cs"])))
def test_the_fast_way_gives_the_words_that_the_pattern_gives(text):
    assert words_of(text) == _WORDS.findall(text.lower())


def test_scripts_without_spaces_have_characters_as_words():
    assert words_of("\u4f60\u597d, World") == ["\u4f60", "\u597d", "world"]
    assert words_of("\u0939\u093f\u0928\u094d\u0926\u0940 it's") == [
        "\u0939\u093f\u0928\u094d\u0926\u0940", "it", "s"]  # fmt: skip


def test_numbers_of_words_never_change():
    for word in ("the", "caf\u00e9"):
        digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
        assert HASHER.hashes([word]).tolist() == [int.from_bytes(digest, "little")]
    runs = ngrams(HASHER.hashes(words_of("A b, c d")), 3)
    assert runs[0] == 0x2DD7B0760235F8AB
    assert runs[1:].tolist() == ngrams(HASHER.hashes(["b", "c", "d"]), 3).tolist()
    assert ngrams(HASHER.hashes(["a"]), 2).size == 0


def test_good_prose_and_code_pass_every_preset():
    for preset in PRESETS:
        assert _broken(PROSE, preset) is None
        assert _broken(CODE, preset, prose=False) is None


def test_source_code_never_meets_rules_for_prose():
    brackets = "{\n};\n" * 300
    assert _broken(brackets, "light") is not None
    assert not any(RULES[name].scope == "prose" for name in ["max_code_line", "min_code_letters"])
    assert broken_rule(_measures(brackets), PRESETS["light"], prose=False) is None
    assert not is_prose(CODE, "")
    assert not is_prose(PROSE, ".py")
    assert is_prose(PROSE, "")
    assert is_prose(CODE, ".md")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("too short", "min_characters"),
        ("word " * 30, "min_words"),
        (" ".join(w.strip(".,;") * 5 for w in PROSE.split()), "max_mean_word"),
        (PROSE + "# " * 40, "max_symbols"),
        (PROSE + " 123456789" * 40, "max_digits"),
        (PROSE + "=+" * 400, "min_letters"),
        ("".join(f"- {w} of the {w}er things here.\n" for w in PROSE.split()), "max_bullet_lines"),
        ("".join(f"{' '.join(PROSE.split()[n : n + 12])} ...\n" for n in range(0, 80, 10)),
         "max_ellipsis_lines"),
        ("".join(f"{w} and {w}er too\n" for w in PROSE.split()), "max_unended_lines"),
        (PROSE + "\nWe use cookies.\nAll rights reserved.\nSubscribe to our letter.\n",
         "max_boilerplate"),
        (PROSE + "\nThis one is it.\n" * 4, "max_repeated_lines"),
        (". ".join(f"qu{c}{d}rx" for c in "abcdefgh" for d in "ijklmnop") + ".", "min_stop_words"),
        (PROSE + " of the." * 60, "max_top_2gram"),
        (PROSE + " ".join([" ".join(PROSE.split()[n:n + 30]) for n in (0, 20, 40)]) + ".",
         "max_repeated_5gram"),
    ],
)  # fmt: skip
def test_each_rule_finds_its_fault(text, rule):
    assert _broken(text) == rule


def test_measures_of_a_known_text():
    m = _measures("one two.\none two.\n\n\u00e9 3#")
    assert m.word_count() == 6
    assert m.lines == ["one two.", "one two.", "\u00e9 3#"]
    assert m.repeated_lines() == pytest.approx(1 / 3)
    assert m.repeated_line_characters() == pytest.approx(8 / 20)
    assert m.paragraphs == ["one two.\none two.", "\u00e9 3#"]
    assert m.letters() == pytest.approx(13 / 17)
    assert m.symbols() == pytest.approx(1 / 6)
    assert m.top_ngram(2) == pytest.approx(12 / 14)
    assert m.repeated_ngrams(5) == 0
    assert _measures("1 2 a").digits() == pytest.approx(2 / 3)
    assert _measures("a b c d e " * 2).repeated_ngrams(5) == pytest.approx(0.5)
    assert _measures("").mean_word() == 0


@given(text=st.text(max_size=200), preset=st.sampled_from(sorted(PRESETS)), prose=st.booleans())
@settings(max_examples=150, deadline=None)
def test_no_text_makes_a_rule_fail(text, preset, prose):
    found = broken_rule(_measures(text), PRESETS[preset], prose=prose)
    assert found is None or found[0] in PRESETS[preset]


def test_thresholds_can_be_changed():
    assert thresholds("none", {"min_words": "5"}) == {"min_words": 5.0}
    assert "max_digits" not in thresholds("web", {"max_digits": "off"})
    assert list(thresholds("web", {})) == [name for name in RULES if name in PRESETS["web"]]
    for changes in ({"min_wrds": "5"}, {"zzz": "1"}, {"min_words": "many"}):
        with pytest.raises(InputError, match="rule"):
            thresholds("light", changes)
    with pytest.raises(InputError, match="rules"):
        thresholds("strict", {})


class _Files:
    """Keys of units in memory."""

    def __init__(self, texts, units, threshold):
        bands = near.bands_for(threshold)
        hashes = [HASHER.hashes(words_of(text)) for text in texts]
        sketches, keys = near.sketch([near.shingles(h) for h in hashes], bands)
        exact = np.array([hash((t, 1)) & (2**63 - 1) for t in texts], np.uint64)
        rows = np.concatenate([[exact, exact], keys])
        self.bands = bands
        cuts = sorted(random.Random(7).sample(range(1, len(texts)), units - 1)) if units > 1 else []
        bounds = [0, *cuts, len(texts)]
        self._spans = list(pairwise(bounds))
        self._rows, self._sketches = rows, sketches

    def counts(self):
        return [end - begin for begin, end in self._spans]

    def keys(self, unit, row):
        begin, end = self._spans[unit]
        return self._rows[row, begin:end]

    def sketches(self, unit):
        begin, end = self._spans[unit]
        return self._sketches[begin:end]


def _found(files, threshold, shares=1):
    parts = [near.equal_pairs(files, share, shares) for share in range(shares)]
    parts += [
        near.near_pairs(files, band, (share, shares), threshold)
        for band in range(files.bands.number)
        for share in range(shares)
    ]
    return near.merged(parts)


def _planted(count, words=300):
    draw = random.Random(3)
    lexicon = ["".join(draw.choices("abcdefghijklmnop", k=6)) for _ in range(4000)]
    texts, truth = [], {}
    for n in range(count):
        if n % 4 == 3:
            source = draw.randrange(n - 3, n)
            text = texts[source].split()
            for _ in range(draw.choice([0, 1, 2, 60])):
                text[draw.randrange(len(text))] = draw.choice(lexicon)
            texts.append(" ".join(text))
        else:
            texts.append(" ".join(draw.choices(lexicon, k=words)))
        mine = set(near.shingles(HASHER.hashes(words_of(texts[-1]))).tolist())
        truth[n] = mine
    return texts, truth


def test_planted_near_duplicates_are_found_and_no_others():
    texts, sets = _planted(200)
    files = _Files(texts, 5, 0.8)
    gone = set(_found(files, 0.8).later.tolist())
    similar = {
        n: max((len(sets[n] & sets[m]) / len(sets[n] | sets[m]) for m in range(n)), default=0)
        for n in range(200)
    }
    assert {n for n, s in similar.items() if s >= 0.9} <= gone
    assert not {n for n, s in similar.items() if s < 0.7} & gone
    assert len(gone) > 30


def test_the_answer_does_not_depend_on_units_or_shares():
    texts, _ = _planted(120)
    answers = {
        tuple(map(tuple, (pairs.later.tolist(), pairs.earlier.tolist())))
        for units in (1, 3, 11)
        for shares in (1, 4)
        for pairs in [_found(_Files(texts, units, 0.8), 0.8, shares)]
    }
    assert len(answers) == 1


def test_a_crowd_of_copies_costs_no_square_and_keeps_the_first():
    files = _Files(["the same words again and again in each of these"] * 5000, 3, 0.8)
    gone = _found(files, 0.8)
    assert gone.later.tolist() == list(range(1, 5000))
    assert set(gone.earlier.tolist()) == {0}


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_bands_miss_one_pair_in_a_thousand_at_the_threshold(threshold):
    bands = near.bands_for(threshold)
    assert bands.number * bands.width <= near.PERMUTATIONS
    assert (1 - threshold**bands.width) ** bands.number <= 0.001


def test_sketches_never_change():
    hashes = [HASHER.hashes(words_of(text)) for text in (PROSE, "one two")]
    sketches, keys = near.sketch([near.shingles(h) for h in hashes], near.bands_for(0.8))
    assert sketches.shape == (2, 128)
    assert sketches[:, :4].tolist() == [[31860, 10218, 59134, 13519], [44035, 49038, 15040, 48984]]
    assert keys[0].tolist() == [3485189989460611770, 14585933279757407805]


def test_screening_finds_a_run_of_words_and_names_the_item(tmp_path):
    words = PROSE.split()
    lines = [{"question": " ".join(words[10:40]), "choices": ["a", {"b": "no"}]}, {"q": "short"}]
    (tmp_path / "eval.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "eval.txt").write_text("first part\n\n" + " ".join(f"w{n}" for n in range(20)))
    table = make_screen([tmp_path / "eval.jsonl", tmp_path / "eval.txt"], 13)
    assert table.short == 2
    save_screen(table, tmp_path / "t")
    for screen in (table, load_screen(tmp_path / "t")):
        for text, found in (
            (PROSE.upper().replace(" ", "  "), "eval.jsonl:1"),
            ("so w3 w4 w5 w6 w7 w8 w9 w10 w11, w12 w13 w14 W15 end", "eval.txt, paragraph 2"),
            ("w3 w4 w5 w6 w7 w8 w9 w10 w11 w12 w13 w14", ""),
            ("", ""),
        ):
            name = screen.find(HASHER.hashes(words_of(text)))
            assert name.endswith(found)
            assert bool(name) == bool(found)
    (tmp_path / "bad.jsonl").write_text("{")
    (tmp_path / "empty.txt").write_text("\n\n")
    (tmp_path / "short.jsonl").write_text(json.dumps({"q": "What is it?", "a": "yes"}))
    (tmp_path / "latin.txt").write_bytes("d\u00e9j\u00e0 vu".encode("latin-1") * 20)
    os.mkfifo(tmp_path / "pipe")
    for path, length in (
        ("bad.jsonl", 13), ("none.jsonl", 13), ("eval.txt", 2), ("empty.txt", 13),
        ("short.jsonl", 13), ("latin.txt", 13), ("pipe", 13),
    ):  # fmt: skip
        with pytest.raises(InputError, match="screen"):
            make_screen([tmp_path / path], length)


def test_languages_are_told_apart():
    guess = LanguageGuess(("en", "de"))
    assert guess.unwanted(PROSE, 90) == ""
    german = "Das Haus steht am Ende der Stra\u00dfe, und niemand wei\u00df, wem es geh\u00f6rt."
    assert guess.unwanted(german, 13) == ""
    french = "La maison est au bout de la rue, et personne ne sait \u00e0 qui elle appartient."
    assert guess.unwanted(french, 15) == "fr"
    assert guess.unwanted("La maison", 2) == ""
    with pytest.raises(InputError, match="xx"):
        LanguageGuess(("xx",))
