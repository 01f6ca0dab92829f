"""Verbs and number words of the data files are what our own rules say; NOTICE names all sources."""

import importlib.util
import re
from types import ModuleType

import pytest
import zstandard
from architecture.tree import ROOT

from qmpi.content.address import LANGUAGES
from qmpi.content.verify.multilingual_lexicon import tongue

DATA = ROOT / "qmpi" / "content" / "data"


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _concepts(kind: str) -> list[list[str]]:
    lines = (DATA / "concepts.tsv").read_text(encoding="utf-8").splitlines()
    return [row for row in (line.split("\t") for line in lines) if row[0] == kind]


@pytest.mark.parametrize("language", ["fr", "es", "it", "pt"])
def test_romance_verbs_follow_the_rules(language):
    romance_verb = _script("lexicon_verbs").romance_verb
    wanted = [row[4 + LANGUAGES.index(language)] for row in _concepts("v")]
    held = [row[3:] for row in tongue(language).rows["v"]]
    assert len(held) == len(wanted) > 70
    for infinitive, forms in zip(wanted, held, strict=True):
        assert forms == (["-"] if infinitive == "-" else romance_verb(infinitive, language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_number_words_follow_the_rules(language):
    spelled = _script("lexicon_numbers").spelled
    held = [row[0] for row in tongue(language).rows.get("w", [])]
    assert held == ([] if language == "ar" else [spelled(n, language) for n in range(1000)])


@pytest.mark.parametrize(
    ("language", "number", "words"),
    [
        ("it", 118, "centodiciotto"),
        ("it", 323, "trecentoventitré"),
        ("it", 103, "centotré"),
        ("it", 3, "tre"),
        ("it", 180, "centottanta"),
        ("fr", 80, "quatre-vingts"),
        ("fr", 271, "deux cent soixante et onze"),
        ("de", 721, "siebenhunderteinundzwanzig"),
        ("es", 100, "cien"),
        ("pt", 116, "cento e dezasseis"),
        ("zh", 105, "一百零五"),
        ("ja", 110, "百十"),
    ],
)
def test_numbers_as_grammars_write_them(language, number, words):
    assert _script("lexicon_numbers").spelled(number, language) == words


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_coarse_word_is_a_noun_or_an_adjective(language):
    rows = tongue(language).rows
    held = {form for kind in "na" for row in rows[kind] for form in row[2:]}
    assert len(held) > 500
    assert held & _script("lexicon_coarse").COARSE == set()


def test_no_coarse_word_is_in_the_english_vocabulary():
    packed = (DATA / "en.tsv.zst").read_bytes()
    text = zstandard.ZstdDecompressor().decompress(packed, max_output_size=1 << 26).decode()
    held = {row[1] for row in (line.split("\t") for line in text.splitlines()) if row[0] in "nvar"}
    assert len(held) > 30_000
    assert held & _script("lexicon_coarse").ENGLISH == set()


def test_notice_names_each_package_with_its_version():
    wanted = (ROOT / "docs" / "requirements-lexicons.txt").read_text(encoding="utf-8")
    sources, _, _ = wanted.partition("# What these stand on")
    named = re.findall(r"^([\w-]+)==([\d.]+)", sources, re.MULTILINE)
    notice = (DATA / "NOTICE").read_text(encoding="utf-8")
    assert len(named) > 12
    assert [pair for pair in named if " ".join(pair) not in notice] == []
