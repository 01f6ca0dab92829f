"""Grammars against sentences written by hand, and the rules of the forms in the data."""

# ruff: noqa: RUF001

import pytest

from qmpi.content.address import LANGUAGES
from qmpi.content.multilingual.meaning import Phrase, Sentence
from qmpi.content.multilingual.sentence_maker import sentence_of
from qmpi.content.multilingual.word_forms import lexis
from qmpi.content.verify.multilingual_sentences import means, readings


def noun(english: str) -> int:
    return next(at for at, row in enumerate(lexis("en").nouns) if row[2] == english)


def verb(english: str, frame: str = "t") -> int:
    rows = lexis("en").verbs
    return next(at for at, row in enumerate(rows) if row[3] == english and row[0] == frame)


def quality(english: str) -> int:
    return next(at for at, row in enumerate(lexis("en").adjectives) if row[1] == english)


def time(english: str) -> int:
    return next(at for at, row in enumerate(lexis("en").times) if row[1] == english)


def simple(
    agent: Phrase, item: Phrase, where: str = "", when: str = "", do: str = "buy"
) -> Sentence:
    place = noun(where) if where else None
    adverb = time(when) if when else None
    return ("e", (verb(do), 0, agent, item, None, place, adverb), None)


LETTERS = simple(
    (noun("teacher"), 0, -1), (noun("book"), 5, quality("new")), "library", "yesterday"
)
RIGHT = {
    "en": "The teacher bought 5 new books in the library yesterday.",
    "de": "Der Lehrer kaufte gestern 5 neue Bücher in der Bibliothek.",
    "fr": "Le professeur a acheté 5 nouveaux livres dans la bibliothèque hier.",
    "es": "El maestro compró 5 libros nuevos en la biblioteca ayer.",
    "it": "L’insegnante ha comprato 5 libri nuovi nella biblioteca ieri.",
    "pt": "O professor comprou 5 livros novos na biblioteca ontem.",
    "ru": "Учитель купил 5 новых книг в библиотеке вчера.",
    "tr": "Öğretmen dün kütüphanede 5 yeni kitap satın aldı.",
    "ar": "اشترى المعلم 5 كتب جديدة في المكتبة أمس.",
    "hi": "अध्यापक ने कल पुस्तकालय में 5 नई किताबें ख़रीदीं।",
    "ja": "教師は昨日図書館で5冊の新しい本を買いました。",
    "zh": "老师昨天在图书馆买了5本新的书。",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_meaning_in_twelve_languages(language):
    assert sentence_of(language, LETTERS) == RIGHT[language]
    assert means(language, RIGHT[language], LETTERS)


@pytest.mark.parametrize(
    ("language", "count", "text"),
    [
        ("ru", 21, "Врач увидел 21 книгу."),
        ("ru", 22, "Врач увидел 22 книги."),
        ("ru", 25, "Врач увидел 25 книг."),
        ("ru", 11, "Врач увидел 11 книг."),
        ("ar", 3, "رأى الطبيب 3 كتب."),
        ("ar", 11, "رأى الطبيب 11 كتابًا."),
        ("tr", 7, "Doktor 7 kitap gördü."),
        ("ja", 7, "医者は7冊の本を見ました。"),
        ("zh", 7, "医生看到了7本书。"),
    ],
)
def test_numerals_rule_what_is_counted(language, count, text):
    meaning = simple((noun("doctor"), 0, -1), (noun("book"), count, -1), do="see")
    assert sentence_of(language, meaning) == text


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Die Königin schrieb einen langen Brief, weil der Koch das Brot aß."),
        ("fr", "La reine a écrit une longue lettre parce que le cuisinier a mangé le pain."),
        ("ar", "كتبت الملكة رسالة طويلة لأن الطباخ أكل الخبز."),
        ("ja", "料理人がパンを食べたので、女王は長い手紙を書きました。"),
    ],
)
def test_a_reason_has_the_order_of_its_language(language, text):
    cook = simple((noun("cook"), 0, -1), (noun("bread"), 0, -1), do="eat")
    queen = simple((noun("queen"), 0, -1), (noun("letter"), 1, quality("long")), do="write")
    assert sentence_of(language, ("b", queen[1], cook)) == text
    assert means(language, text, ("b", queen[1], cook))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Der Lehrer kaufte gestern 5 neuen Bücher in der Bibliothek."),
        ("de", "Der Lehrer gestern kaufte 5 neue Bücher in der Bibliothek."),
        ("fr", "Le professeur a acheté 5 nouvelles livres dans la bibliothèque hier."),
        ("it", "Il insegnante ha comprato 5 libri nuovi nella biblioteca ieri."),
        ("ru", "Учитель купила 5 новых книг в библиотеке вчера."),
        ("ru", "Учитель купил 5 новые книги в библиотеке вчера."),
        ("tr", "Öğretmen dün kütüphanede 5 yeni kitapı satın aldı."),
        ("ar", "اشترت المعلم 5 كتب جديدة في المكتبة أمس."),
        ("hi", "अध्यापक ने कल पुस्तकालय में 5 नई किताबें ख़रीदा।"),
        ("hi", "अध्यापक कल पुस्तकालय में 5 नई किताबें ख़रीदीं।"),
        ("ja", "教師は昨日図書館で5枚の新しい本を買いました。"),
        ("zh", "老师昨天在图书馆买了5张新的书。"),
    ],
)
def test_what_is_ungrammatical_has_no_reading(language, text):
    assert list(readings(language, text)) == []


@pytest.mark.parametrize(
    ("noun_word", "adjective", "phrase"),
    [
        ("teacher", "honest", "An honest teacher"),
        ("teacher", "useful", "A useful teacher"),
        ("teacher", "ubiquitous", "A ubiquitous teacher"),
        ("umbrella", "", "An umbrella"),
    ],
)
def test_english_articles_go_by_sound(noun_word, adjective, phrase):
    bought = simple(
        (noun(noun_word), 1, quality(adjective) if adjective else -1),
        (noun("book"), 0, -1),
    )
    text = f"{phrase} bought the book."
    assert sentence_of("en", bought) == text
    assert means("en", text, bought)
    wrong = text.replace("An ", "A ") if text.startswith("An ") else text.replace("A ", "An ")
    assert list(readings("en", wrong)) == []


def test_turkish_endings_follow_the_last_vowel():
    front, back = set("eiöü"), set("aıou")
    for row in lexis("tr").nouns:
        stem, plural = row[2], row[6]
        last = next(letter for letter in reversed(stem) if letter in front | back)
        assert plural == stem + ("ler" if last in front else "lar")
        assert row[7][-1] == ("i" if last in front else "ı")


def test_german_numbers_in_words_are_built_by_rule():
    ones = ["null", "ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]
    tens = ["zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"]
    numbers = lexis("de").numbers
    for number in range(21, 100):
        ten, one = divmod(number, 10)
        if one:
            assert numbers[number] == f"{ones[one]}und{tens[ten - 2]}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_concepts_are_the_same_rows_in_all_languages(language):
    own, english = lexis(language), lexis("en")
    for table in ("nouns", "adjectives", "verbs", "times"):
        rows = [row[0] for row in getattr(english, table) if row[0] != "w"]
        assert [row[0] for row in getattr(own, table)][: len(rows)] == rows
    assert len(own.cities) == len(english.cities)
    assert len(own.nouns) > 500
