"""What all genres of the multilingual type write with: sentences, dates, amounts, headings.

Theory of operation. The world of a page is a list of sentences (meaning graphs), and lists of
dates, amounts, numbers and words that the text shows. A fact names its language and its place in
one of those lists, so a checker can read the characters back into the graph by its own grammar.
"""

# The letters of other scripts are meant: this file is about them.
# ruff: noqa: RUF001

from typing import Any

from qmpi.content.document import Plain
from qmpi.content.multilingual.event_draws import Teller, pool_of
from qmpi.content.multilingual.meaning import Sentence
from qmpi.content.multilingual.sentence_maker import STOPS, UNPARTED, grammar_of, sentence_of
from qmpi.content.multilingual.word_forms import Lexis, lexis
from qmpi.content.page import Page

_LONGEST = 7500
"""Characters after which no genre goes on."""
MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DATES = {
    "en": "{2} {1} {0}", "de": "{2}. {1} {0}", "fr": "{2} {1} {0}", "es": "{2} de {1} de {0}",
    "it": "{2} {1} {0}", "pt": "{2} de {1} de {0}", "ru": "{2} {1} {0} г.", "tr": "{2} {1} {0}",
    "ar": "{2} {1} {0}", "hi": "{2} {1} {0}", "ja": "{0}年{3}月{2}日", "zh": "{0}年{3}月{2}日",
}  # fmt: skip
_DAYS = {
    "tr": "{1} {0}", "ar": "{0}، {1}", "ja": "{1}{0}", "zh": "{1}{0}", "fr": "{0} {1}",
    "it": "{0} {1}",
}  # fmt: skip


class Scribe:
    """One page under the pen."""

    __slots__ = ("_lists", "draw", "language", "page", "sentences", "teller", "words")

    def __init__(self, page: Page, *others: str) -> None:
        """Open the world of a page.

        Args:
            page: empty.
            *others: languages beside the main one; the text is parallel if there are any.
        """
        self.page = page
        self.draw = page.draw
        self.language = page.language
        self.words: Lexis = lexis(page.language)
        self.teller = Teller(page.draw, page.budget, pool_of(page.language, *others))
        self.sentences: list[Plain] = []
        self._lists: dict[str, list[Any]] = {"dates": [], "amounts": [], "numbers": [], "words": []}
        page.world["languages"] = [page.language, *others]
        page.world["sentences"] = self.sentences

    @property
    def gap(self) -> str:
        """What stands between two sentences."""
        return "" if self.language in UNPARTED else " "

    @property
    def colon(self) -> str:
        """Colon of the language, with its blank."""
        if self.language in UNPARTED:
            return "："
        return " : " if self.language == "fr" else ": "

    @property
    def comma(self) -> str:
        """Comma of the language, with its blank."""
        return {"ar": "، ", "ja": "、", "zh": "，"}.get(self.language, ", ")

    @property
    def stop(self) -> str:
        """What ends a sentence, with its blank."""
        return STOPS.get(self.language, ".") + self.gap

    def full(self) -> bool:
        """Return whether the page is long enough."""
        return self.page.length > _LONGEST

    def heading(self, key: str) -> str:
        """Return one wording of a phrase in the main language.

        Args:
            key: as in concepts.tsv.

        Returns:
            The phrase.
        """
        return self.draw.choice(self.words.headings[key])

    def new(self, sentence: Sentence) -> int:
        """Put a sentence into the world.

        Args:
            sentence: what it means.

        Returns:
            Its number.
        """
        self.sentences.append(sentence)
        return len(self.sentences) - 1

    def say(self, sentence: Sentence) -> int:
        """Put a sentence into the world and write it in the main language.

        Args:
            sentence: what it means.

        Returns:
            Its number.
        """
        number = self.new(sentence)
        self.write(self.language, number, sentence)
        return number

    def write(self, language: str, number: int, sentence: Sentence) -> None:
        """Write a sentence of the world.

        Args:
            language: to write it in.
            number: of the sentence.
            sentence: what it means.
        """
        text = sentence_of(language, sentence, self.draw.below(3))
        self.page.fact("sentence", text, language, number)

    def tell(self, count: int) -> None:
        """Write new sentences, one after another.

        Args:
            count: how many; fewer on a full page.
        """
        for place in range(count):
            if place:
                self.page.say(self.gap)
            self.say(self.teller.sentence())
            if self.full():
                break

    def word(self, kind: str, row: int) -> int:
        """Put a word into the world.

        Args:
            kind: noun, adjective, verb, region, currency or tongue.
            row: of its table.

        Returns:
            Its number.
        """
        return self._listed("words", [kind, row])

    def _listed(self, name: str, item: Plain) -> int:
        items = self._lists[name]
        items.append(item)
        self.page.world[name] = items
        return len(items) - 1

    def date(self, language: str = "", *, weekday: bool = False, number: int = -1) -> int:
        """Write a date as the language does.

        Args:
            language: the main one if empty.
            weekday: with the day of the week.
            number: of a date already in the world.

        Returns:
            Its number.
        """
        language = language or self.language
        words = lexis(language)
        if number < 0:
            month = self.draw.below(12)
            year = 1850 + self.draw.below(190)
            day = 1 + self.draw.below(MONTH_DAYS[month])
            number = self._listed("dates", [year, month + 1, day])
        year, month, day = self._lists["dates"][number]
        text = _DATES[language].format(year, words.months[month - 1], day, month)
        if weekday:
            name = words.weekdays[_weekday(year, month, day)]
            text = _DAYS.get(language, "{0}, {1}").format(name, text)
        self.page.fact("day" if weekday else "date", text, language, number)
        return number

    def amount(self, language: str, number: int = -1) -> int:
        """Write a sum of money in figures and the name of its currency.

        Args:
            language: to write it in.
            number: of an amount already in the world.

        Returns:
            Its number.
        """
        words = lexis(language)
        if number < 0:
            hundredths = self.draw.below(10 ** (3 + self.draw.below(6))) + 100
            currency = self.draw.below(len(words.currencies))
            number = self._listed("amounts", [hundredths, currency])
        hundredths, currency = self._lists["amounts"][number]
        whole, cents = divmod(hundredths, 100)
        code = words.currencies[currency][0]
        text = f"{grouped(whole, words)}{words.marks[0]}{cents:02d} {code}"
        self.page.fact("amount", text, language, number)
        return number

    def figure(self, language: str, number: int = -1) -> int:
        """Write a whole number with its groups.

        Args:
            language: to write it in.
            number: of a number already in the world.

        Returns:
            Its place in the world.
        """
        if number < 0:
            number = self._listed("numbers", self.draw.below(10 ** (3 + self.draw.below(9))) + 1)
        value = self._lists["numbers"][number]
        self.page.fact("figure", grouped(value, lexis(language)), language, number)
        return number

    def small(self) -> int:
        """Put a number below a thousand into the world.

        Returns:
            Its place.
        """
        return self._listed("numbers", self.draw.below(1000))

    def in_words(self, language: str, number: int) -> int:
        """Write a number below a thousand in words.

        Args:
            language: one that has the words.
            number: of a number already in the world.

        Returns:
            Its place in the world.
        """
        value = self._lists["numbers"][number]
        self.page.fact("words", lexis(language).numbers[value], language, number)
        return number

    def ordinal(self, value: int) -> None:
        """Write the number of a line.

        Args:
            value: from 1.
        """
        self.page.fact("line", str(value), value)

    def part(self, number: int, role: str, language: str = "") -> str:
        """Return the words of one part of a clause.

        Args:
            number: of the sentence; its first event is meant.
            role: S, O, P or T.
            language: the main one if empty.

        Returns:
            The words, empty if it has no such part.
        """
        sentence: Any = self.sentences[number]
        chunks = grammar_of(language or self.language).clause(sentence[1])
        return next((text for kind, text in chunks if kind == role), "")


def grouped(value: int, words: Lexis) -> str:
    """Return a whole number with its groups.

    Args:
        value: >= 0.
        words: of the language; Hindi groups by two above the thousands.

    Returns:
        Figures.
    """
    sign, size = words.marks[1], int(words.marks[2])
    text = str(value)
    parts = [text[-3:]]
    text = text[:-3]
    while text:
        parts.append(text[-size:])
        text = text[:-size]
    return sign.join(reversed(parts))


def _weekday(year: int, month: int, day: int) -> int:
    # By Zeller's rule; Monday is 0.
    if month < 3:
        month, year = month + 12, year - 1
    century, rest = divmod(year, 100)
    zeller = day + 13 * (month + 1) // 5 + rest + rest // 4 + century // 4 + 5 * century
    return (zeller + 5) % 7
