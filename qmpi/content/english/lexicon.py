"""The English vocabulary: words with their forms, class, frequency and topics.

Theory of operation. The file beside the package is made by docs/make_english.py from WordNet,
lemminflect and wordfreq; it is read once a process. Nothing else decides which words there are, so
its digest is part of every document's key.
"""

import hashlib
from functools import lru_cache
from importlib.resources import files

import zstandard
from msgspec import Struct

from qmpi.units import Digest

_VOWELS = "aeiou"
_SOUNDS_AS_CONSONANT = (
    "uni", "unani", "usa", "use", "usu", "uta", "ute", "uti", "uto", "utr", "ura", "ure", "uri",
    "uro", "uru", "uka", "uke", "uku", "uv", "ube", "ubi", "eu", "ewe", "onet", "once",
)  # fmt: skip
_YET_VOWELS = ("unide", "unima", "unimp", "unin")
"""An unidentified, unimagined, unimportant, uninvited one; but a unit, a unimodal curve."""
_SOUNDS_AS_VOWEL = ("hour", "honest", "honor", "honour", "heir", "yt", "nth")


class Noun(Struct, frozen=True):
    """A noun.

    Attributes:
        singular: form for one.
        plural: form for many.
        kind: class, as "artifact".
        rank: 100 x Zipf frequency.
        topics: numbers of its topics, nearest first.
    """

    singular: str
    plural: str
    kind: str
    rank: int
    topics: tuple[int, ...]


class Verb(Struct, frozen=True):
    """A verb.

    Attributes:
        base: infinitive.
        third: third person singular.
        past: past tense.
        participle: past participle.
        ing: present participle.
        kind: class, as "move".
        frames: T somebody does something, P somebody somebody, t something something, I somebody
            does, i something does, C that clause, N to infinitive, G gerund.
        rank: 100 x Zipf frequency.
        topics: numbers of its topics.
    """

    base: str
    third: str
    past: str
    participle: str
    ing: str
    kind: str
    frames: str
    rank: int
    topics: tuple[int, ...]


class Modifier(Struct, frozen=True):
    """An adjective or adverb.

    Attributes:
        word: the form.
        rank: 100 x Zipf frequency.
        topics: numbers of its topics.
    """

    word: str
    rank: int
    topics: tuple[int, ...]


class English(Struct, frozen=True):
    """The vocabulary; each part from frequent to rare.

    Attributes:
        nouns: common nouns.
        verbs: full verbs.
        adjectives: adjectives.
        adverbs: adverbs.
        first_names: of people.
        surnames: of people.
        places: names of places.
        topics: central noun of each topic.
        digest: SHA-256 of the packed file.
    """

    nouns: tuple[Noun, ...]
    verbs: tuple[Verb, ...]
    adjectives: tuple[Modifier, ...]
    adverbs: tuple[Modifier, ...]
    first_names: tuple[str, ...]
    surnames: tuple[str, ...]
    places: tuple[str, ...]
    topics: tuple[str, ...]
    digest: Digest


@lru_cache(maxsize=1)
def english() -> English:
    """Return the vocabulary, read once.

    Returns:
        All words.
    """
    packed = (files("qmpi.content") / "data" / "en.tsv.zst").read_bytes()
    rows: dict[str, list[list[str]]] = {kind: [] for kind in "tnvarflp"}
    for line in zstandard.ZstdDecompressor().decompress(packed).decode().splitlines():
        kind, *fields = line.split("\t")
        rows[kind].append(fields)
    return English(
        tuple(Noun(w, p, k, int(r), _numbers(t)) for w, p, k, r, t in rows["n"]),
        tuple(_verb(fields) for fields in rows["v"]),
        tuple(Modifier(w, int(r), _numbers(t)) for w, r, t in rows["a"]),
        tuple(Modifier(w, int(r), _numbers(t)) for w, r, t in rows["r"]),
        tuple(name for (name,) in rows["f"]),
        tuple(name for (name,) in rows["l"]),
        tuple(name for (name,) in rows["p"]),
        tuple(name for _, name in rows["t"]),
        Digest(hashlib.sha256(packed).hexdigest()),
    )


def _verb(fields: list[str]) -> Verb:
    base, third, past, participle, ing, kind, frames, rank, topics = fields
    return Verb(base, third, past, participle, ing, kind, frames, int(rank), _numbers(topics))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def with_article(word: str) -> str:
    """Return a word with "a" or "an" before it, as it sounds.

    Args:
        word: lower case.

    Returns:
        Two words.
    """
    glide = word.startswith(_SOUNDS_AS_CONSONANT) and not word.startswith(_YET_VOWELS)
    vowel = word[0] in _VOWELS and not glide and word != "one"
    spelled_otherwise = word.startswith(_SOUNDS_AS_VOWEL) and word != "houri"
    return f"{'an' if vowel or spelled_otherwise else 'a'} {word}"
