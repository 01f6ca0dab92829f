"""Noun phrases of Russian, Turkish, Arabic, Hindi, Japanese and Chinese, read back.

Theory of operation. As in phrases_west: nothing is offered unless all parts agree. What a language
does not say is read as the plainer meaning: count 0 for "a" where there are no articles.
"""

# The letters of other scripts are meant: this file is about them.

from collections.abc import Iterator

from qmpi.content.verify.multilingual_lexicon import Tongue
from qmpi.content.verify.phrases_west import Found, counted

Noun = tuple[int, int, int, list[tuple[int, int]]]
"""End, number, field of the noun; readings of the adjective before it, none if there is none."""


def _before(words: Tongue, text: str, place: int) -> Iterator[Noun]:
    starts: list[tuple[int, list[tuple[int, int]]]] = [(place, [])]
    for end, readings in words.adjectives.at(text, place):
        if text.startswith(" ", end):
            starts.append((end + 1, readings))
    for start, qualities in starts:
        for end, readings in words.nouns.at(text, start):
            for noun, field in readings:
                yield end, noun, field, qualities


def _agreeing(words: Tongue, qualities: list[tuple[int, int]], wanted: int) -> Iterator[int]:
    if not qualities:
        yield -1
    seen = set()
    for quality, shown in qualities:
        row = words.rows["a"][quality]
        if quality not in seen and row[shown] == row[wanted]:
            seen.add(quality)
            yield quality


_SHAPES = {"m": 1, "f": 2, "n": 3}


def russian(words: Tongue, text: str, place: int, case: str) -> Found:
    """Read a Russian phrase.

    Args:
        words: of Russian.
        text: of the sentence.
        place: where the phrase begins.
        case: nom, acc or dat.

    Yields:
        End and meaning.
    """
    number = counted(text, place, " ") if case == "acc" else None
    if number is not None:
        yield from _russian_counted(words, text, *number)
    else:
        yield from _russian_plain(words, text, place, case)


def _russian_counted(words: Tongue, text: str, place: int, count: int) -> Found:
    for end, noun, field, qualities in _before(words, text, place):
        needed, shape = _russian_numeral(count, words.rows["n"][noun][2])
        if field == needed:
            for quality in _agreeing(words, qualities, shape):
                yield end, (noun, count, quality)


def _russian_plain(words: Tongue, text: str, place: int, case: str) -> Found:
    for end, noun, field, qualities in _before(words, text, place):
        row = words.rows["n"][noun]
        gender, alive = row[2], row[3] == "a"
        one = _SHAPES[gender]
        if case == "acc":
            one = 5 if gender == "f" else 6 if alive and gender == "m" else one
        shapes = {
            "nom": {4: one, 9: 4},
            "acc": {5: one, 10: 8 if alive else 4},
            "dat": {7: 0},
        }[case]
        if field in shapes and not (case == "dat" and qualities):
            for quality in _agreeing(words, qualities, shapes[field]):
                yield end, (noun, 2 if field in {9, 10} else 0, quality)


def _russian_numeral(number: int, gender: str) -> tuple[int, int]:
    # Field of the noun, and of the adjective, that a numeral asks for in the accusative.
    last = number % 10
    if number // 10 % 10 != 1:
        if last == 1:
            return 5, 5 if gender == "f" else _SHAPES[gender]
        if last in {2, 3, 4}:
            return 6, 4 if gender == "f" else 8
    return 11, 8


def turkish(words: Tongue, text: str, place: int, case: str) -> Found:
    """Read a Turkish phrase.

    Args:
        words: of Turkish.
        text: of the sentence.
        place: where the phrase begins.
        case: nom, acc or dat.

    Yields:
        End and meaning.
    """
    number = counted(text, place, " ")
    start = number[0] if number else place
    single, many = {"nom": (2, 6), "acc": (3, 7), "dat": (4, 8)}[case]
    starts = [(start, [-1])]
    for end, readings in words.adjectives.at(text, start):
        if text.startswith(" ", end):
            starts.append((end + 1, [quality for quality, _ in readings]))
    for begin, qualities in starts:
        article = text.startswith("bir ", begin) and not number
        shown = begin + 4 if article else begin
        for end, readings in words.nouns.at(text, shown):
            for noun, field in readings:
                bare = article or number is not None
                if field == (2 if bare else single):
                    count = 1 if article else number[1] if number else 0
                elif field == many and not bare:
                    count = 2
                else:
                    continue
                for quality in qualities:
                    yield end, (noun, count, quality)


def _with_tanwin(word: str) -> str:
    return word if word[-1] in "ةىا" or word.endswith("اء") else word + "\u064b\u0627"


def _defined(word: str) -> str:
    return " ".join("ال" + part for part in word.split(" "))


def arabic(words: Tongue, text: str, place: int, case: str) -> Found:
    """Read an Arabic phrase.

    Args:
        words: of Arabic.
        text: of the sentence.
        place: where the phrase begins.
        case: nom or acc; the difference shows in the indefinite and the sound plural.

    Yields:
        End and meaning.
    """
    number = counted(text, place, " ")
    start = number[0] if number else place
    accusative = case == "acc"
    for noun, row in _arabic_candidates(words, text, start):
        if number:
            few = 3 <= number[1] % 100 <= 10
            shapes = [(row[5], number[1], few, False, False) if few
                      else (_with_tanwin(row[3]), number[1], False, False, True)]  # fmt: skip
        else:
            one = _with_tanwin(row[3]) if accusative else row[3]
            shapes = [
                (_defined(row[3]), 0, False, True, False),
                (one, 1, False, False, accusative),
                (_defined(row[5 if accusative else 4]), 2, True, True, False),
            ]
        for form, count, plural, known, tanwin in shapes:
            end = start + len(form)
            if not text.startswith(form, start) or text[end : end + 1] not in ("", " ", ".", "،"):
                continue
            yield end, (noun, count, -1)
            if text.startswith(" ", end):
                feminine = plural or row[2] == "f"
                for last, quality in _arabic_quality(
                    words, text, end + 1, (feminine, known, tanwin)
                ):
                    yield last, (noun, count, quality)


def _arabic_candidates(words: Tongue, text: str, place: int) -> Iterator[tuple[int, list[str]]]:
    head = text[place:].removeprefix("ال")[:2]
    raw = text[place : place + 2]
    for noun, row in enumerate(words.rows["n"]):
        if (
            row[3].startswith((head, raw))
            or row[4].startswith(head)
            or row[5].startswith((head, raw))
        ):
            yield noun, row


def _arabic_quality(
    words: Tongue, text: str, place: int, marks: tuple[bool, bool, bool]
) -> Iterator[tuple[int, int]]:
    feminine, known, tanwin = marks
    for quality, row in enumerate(words.rows["a"]):
        form = row[1] + ("ة" if feminine else "")
        if tanwin:
            form = _with_tanwin(form)
        if known:
            form = _defined(form)
        end = place + len(form)
        if (
            row[1] != "-"
            and text.startswith(form, place)
            and text[end : end + 1] in ("", " ", ".", "،")
        ):
            yield end, quality


def hindi(words: Tongue, text: str, place: int, case: str) -> Found:
    """Read a Hindi phrase.

    Args:
        words: of Hindi.
        text: of the sentence.
        place: where the phrase begins.
        case: dir or obl.

    Yields:
        End and meaning.
    """
    number = counted(text, place, " ")
    article = text.startswith("एक ", place)
    start = number[0] if number else place + 3 if article else place
    single, many = (4, 6) if case == "obl" else (3, 5)
    for end, noun, field, qualities in _before(words, text, start):
        row = words.rows["n"][noun]
        plurals = [True] if number else [False] if article else [False, True]
        for plural in plurals:
            if row[field] != row[many if plural else single]:
                continue
            shape = 3 if row[2] == "f" else 2 if plural or case == "obl" else 1
            count = number[1] if number else 1 if article else 2 * plural
            for quality in _agreeing(words, qualities, shape):
                yield end, (noun, count, quality)


def japanese(words: Tongue, text: str, place: int, _case: str) -> Found:
    """Read a Japanese phrase.

    Args:
        words: of Japanese.
        text: of the sentence.
        place: where the phrase begins.

    Yields:
        End and meaning.
    """
    number = counted(text, place, "")
    for end, noun, quality, counter in _measured(words, text, number[0] if number else place, "の"):
        if number:
            if counter == words.rows["n"][noun][3]:
                yield end, (noun, number[1], quality)
        elif not counter:
            yield end, (noun, 0, quality)
            if words.rows["n"][noun][0] == "p" and text.startswith("たち", end):
                yield end + 2, (noun, 2, quality)


def _measured(
    words: Tongue, text: str, place: int, after: str
) -> Iterator[tuple[int, int, int, str]]:
    for unit in ["", *(unit for unit in words.units if text.startswith(unit + after, place))]:
        start = place + len(unit) + (len(after) if unit else 0)
        starts = [(start, [-1])]
        link = "的" if words.code == "zh" else ""
        for end, readings in words.adjectives.at(text, start):
            if text.startswith(link, end):
                starts.append((end + len(link), [quality for quality, _ in readings]))
        for begin, qualities in starts:
            for end, readings in words.nouns.at(text, begin):
                for noun, field in readings:
                    if field == 2:
                        for quality in qualities:
                            yield end, noun, quality, unit


def chinese(words: Tongue, text: str, place: int, _case: str) -> Found:
    """Read a Chinese phrase.

    Args:
        words: of Chinese.
        text: of the sentence.
        place: where the phrase begins.

    Yields:
        End and meaning.
    """
    number = counted(text, place, "")
    heads = [(number[0], number[1])] if number else [(place, 0)]
    if text.startswith("一", place):
        heads.append((place + 1, 1))
    if text.startswith("这些", place):
        heads.append((place + 2, 2))
    for start, count in heads:
        for end, noun, quality, unit in _measured(words, text, start, ""):
            row = words.rows["n"][noun]
            if unit != (row[3] if count in {1} or count > 2 else ""):
                continue
            person = row[0] == "p"
            if count == 2 and person:
                continue
            yield end, (noun, count, quality)
            if count == 0 and person and text.startswith("们", end):
                yield end + 1, (noun, 2, quality)
