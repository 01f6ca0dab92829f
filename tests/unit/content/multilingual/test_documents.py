"""Documents in twelve languages: same bytes for a key, true, varied; planted errors are found."""

# ruff: noqa: RUF001

import hashlib

import msgspec
import pytest

from qmpi.content.address import LANGUAGES
from qmpi.content.counter import Draw
from qmpi.content.diversity import failures, measure
from qmpi.content.document import Document, Fact
from qmpi.content.multilingual.genres import write
from qmpi.content.multilingual.word_forms import multilingual_digest
from qmpi.content.page import Page
from qmpi.content.verify.certificate import faults_of

GENRES = {
    "news item", "letter", "story", "diary", "comprehension", "parallel text",
    "parallel paragraphs", "interlinear gloss", "translation exercise", "code-switched text",
    "travel dialogue", "dictionary", "table of names", "numbers and dates",
}  # fmt: skip


def made(number: int, language: str, level: int = 40) -> Document:
    page = Page(Draw(f"{number}/{language}/{level}".encode()), "multilingual", level, language)
    write(page)
    return page.close()


def with_genre(language: str, genre: str, level: int = 40) -> Document:
    documents = (made(number, language, level) for number in range(400))
    return next(document for document in documents if document.genre == genre)


def changed(document: Document, fact: Fact, text: str) -> Document:
    """The document with other characters in a fact; facts behind it move along."""
    moved = len(text) - (fact.end - fact.start)
    facts = []
    for item in document.facts:
        if item is fact:
            facts.append(msgspec.structs.replace(item, end=item.end + moved))
        elif item.start >= fact.end:
            facts.append(
                msgspec.structs.replace(item, start=item.start + moved, end=item.end + moved)
            )
        else:
            facts.append(item)
    whole = document.text[: fact.start] + text + document.text[fact.end :]
    return msgspec.structs.replace(document, text=whole, facts=tuple(facts))


def shown(document: Document, fact: Fact) -> str:
    return document.text[fact.start : fact.end]


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_that_is_said_is_true(language):
    for number in range(14):
        document = made(number, language, 1 + number * 7)
        assert faults_of(document) == []
        assert document.text.endswith("\n")
        assert not document.text.endswith("\n\n")
        assert 150 < len(document.text) < 12_000


def test_every_genre_comes_up_in_every_language():
    for language in LANGUAGES:
        assert {made(number, language, 1 + number % 100).genre for number in range(200)} == GENRES


def test_a_higher_level_draws_harder_genres():
    low, high = ([made(number, "en", level).genre for number in range(150)] for level in (1, 100))
    assert low.count("interlinear gloss") > 3 * max(high.count("interlinear gloss"), 1)
    assert high.count("table of names") > 3 * max(low.count("table of names"), 1)


def test_a_key_gives_the_same_document_and_another_key_another():
    assert made(1, "ru") == made(1, "ru")
    texts = {made(number, language).text for number in range(30) for language in LANGUAGES}
    assert len(texts) == 30 * len(LANGUAGES)


def test_most_of_a_document_is_in_its_main_language():
    for language, script in (("ru", "а-яё"), ("ar", "ء-ي"), ("hi", "ऄ-ह")):
        first, last = script[0], script[2]
        document = with_genre(language, "story")
        own = sum(first <= letter <= last or letter == "ё" for letter in document.text.lower())
        assert own > 0.4 * len(document.text)


def test_higher_levels_have_longer_texts_and_deeper_sentences():
    def figures(level: int) -> tuple[int, int]:
        texts = [with_genre("en", genre, level) for genre in ("story", "letter", "diary")]
        words = sum(len(document.text.split()) for document in texts)
        joined = sum(sentence[2] is not None for d in texts for sentence in d.world["sentences"])
        return words, joined

    (few, flat), (many, deep) = figures(3), figures(97)
    assert few * 2 < many
    assert flat * 3 < deep


def test_samples_pass_the_gates_of_diversity():
    for level in (7, 50, 93):
        texts = [made(number, LANGUAGES[number % 12], level).text for number in range(300)]
        found = measure(texts)
        assert failures(found) == [], found


@pytest.mark.parametrize("language", LANGUAGES)
def test_another_event_under_a_sentence_is_found(language):
    document = with_genre(language, "story")
    sentences = [fact for fact in document.facts if fact.kind == "sentence"]
    first, second = sentences[0], sentences[1]
    assert faults_of(changed(document, first, shown(document, second)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_wrong_number_is_found(language):
    for document in (with_genre(language, genre) for genre in ("story", "numbers and dates")):
        counted = [f for f in document.facts if any(c.isdigit() for c in shown(document, f))]
        for fact in counted[:6]:
            text = shown(document, fact)
            place = next(at for at, letter in enumerate(text) if letter.isdigit())
            digit = str((int(text[place]) + 1) % 9 + 1)
            if digit != text[place]:
                wrong = text[:place] + digit + text[place + 1 :]
                assert faults_of(changed(document, fact, wrong)), (text, wrong)


BROKEN = [
    ("en", "a ", "an "),
    ("de", " einen ", " ein "),
    ("fr", " la ", " le "),
    ("fr", " une ", " un "),
    ("es", " las ", " los "),
    ("es", " una ", " un "),
    ("it", " la ", " il "),
    ("it", " una ", " un "),
    ("pt", " uma ", " um "),
    ("ru", "ую ", "ый "),
    ("tr", "ları ", "leri "),
    ("ar", "ة ", " "),
    ("hi", "ी ", "ा "),
    ("ja", "を", "が"),
    ("zh", "了", ""),
]


@pytest.mark.parametrize(("language", "right", "wrong"), BROKEN)
def test_broken_agreement_is_found(language, right, wrong):
    planted = 0
    for number in range(120):
        document = made(number, language, 30)
        for fact in document.facts:
            text = shown(document, fact)
            if fact.kind != "sentence" or fact.args[0] != language or right not in text[1:]:
                continue
            place = text.index(right, 1)
            broken = text[:place] + wrong + text[place + len(right) :]
            assert faults_of(changed(document, fact, broken)), (text, broken)
            planted += 1
            break
        if planted == 6:
            break
    assert planted


def test_a_wrong_answer_is_found():
    for language in ("en", "ar", "zh"):
        document = with_genre(language, "comprehension")
        answer = next(fact for fact in document.facts if fact.kind == "answer")
        others = [shown(document, fact) for fact in document.facts if fact.kind == "answer"]
        wrong = next((text for text in others if text != shown(document, answer)), "x")
        assert faults_of(changed(document, answer, wrong))


def test_a_wrong_translation_form_gloss_and_name_are_found():
    for genre, kind in (
        ("interlinear gloss", "gloss"),
        ("dictionary", "form"),
        ("table of names", "name"),
        ("numbers and dates", "date"),
        ("code-switched text", "mixed"),
        ("travel dialogue", "amount"),
    ):
        document = with_genre("es", genre)
        facts = [fact for fact in document.facts if fact.kind == kind]
        texts = [shown(document, fact) for fact in facts]
        other = next(text for text in texts if text != texts[0])
        assert faults_of(changed(document, facts[0], other)), kind


def test_a_letter_of_another_script_is_found():
    document = made(3, "ru")
    spaced = document.text.replace(" ", " ا ", 1)
    assert any("script" in fault for fault in faults_of(changed_text(document, spaced)))
    latin = document.text.replace("о", "o", 1)
    assert faults_of(changed_text(document, latin))


def changed_text(document: Document, text: str) -> Document:
    return msgspec.structs.replace(document, text=text)


def test_a_reference_to_nothing_is_a_fault_and_no_crash():
    document = made(5, "tr")
    for args in ((), ("tr",), ("xx", 0), ("tr", 10**6), ("tr", -1), (3, 4, 5), (None, None)):
        first = msgspec.structs.replace(document.facts[0], args=args)
        broken = msgspec.structs.replace(document, facts=(first, *document.facts[1:]))
        assert faults_of(broken)
    assert faults_of(msgspec.structs.replace(document, world={}))


def test_the_identity_of_the_words_is_a_digest():
    assert len(bytes.fromhex(multilingual_digest())) == hashlib.sha256().digest_size
