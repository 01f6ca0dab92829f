"""Texts that people wrote, of the kinds that we generate, from packages of Debian and one wheel.

docs/benchmarks/README.md says how to get them. Nothing is downloaded here: what is missing is said.
"""

import gzip
import random
import re
from collections.abc import Iterator
from pathlib import Path

LONGEST = 4000
"""Characters of a piece: about as long as what we generate."""
SHORTEST = 200

_DOC = "usr/share/doc"
SOURCES = {
    "technical": [
        "linux-doc-6.1: kernel manuals",
        f"{_DOC}/linux-doc-6.1/Documentation/**/*.rst.gz",
    ],
    "scientific": ["r-cran-*: vignettes on statistics", "usr/lib/R/**/doc/*.R[nm][wd]"],
    "code": ["python3-sympy: sources", "usr/lib/python3/dist-packages/sympy/**/*.py"],
    "mathematics": ["gap-online-help: algebra with examples", "usr/share/gap/doc/**/chap*.txt"],
    "philosophy": ["anarchism: political philosophy", f"{_DOC}/anarchism/markdown/*.md.gz"],
    "creative": ["fortunes: verse, quotes, jokes", "usr/share/games/fortunes/*.u8"],
    "conversation": ["chatterbot-corpus", "chatterbot_corpus/data/english/*.yml"],
    "multilingual": ["manpages-*", "usr/share/man/{de,fr,es,ru,ja,zh_CN}/man[1-8]/*.gz"],
}
"""What stands for each type, and where it lies below the root."""


def real_documents(type_name: str, root: Path, seed: int = 0) -> list[str]:
    """Return real documents of a type, in random order; empty if they are not there."""
    pattern = SOURCES[type_name][1]
    found = re.search(r"\{(.*)\}", pattern)
    choices = found[1].split(",") if found else [""]
    texts: list[str] = []
    for choice in choices:
        spelled = pattern.replace(found[0], choice) if found else pattern
        for path in sorted(root.glob(spelled)):
            if "translations" in path.parts:
                continue  # of kernel manuals: the type is English
            texts += pieces(_CLEAN[type_name](_read(path)))
    random.Random(seed).shuffle(texts)
    return list(dict.fromkeys(texts))


def what_lacks(type_name: str, root: Path) -> str:
    """Say what real text is missing."""
    wanted = SOURCES[type_name][0]
    return f"no real text for {type_name} below {root}: {wanted}; see docs/benchmarks/README.md"


def pieces(documents: list[str]) -> Iterator[str]:
    """Cut documents where paragraphs end, into pieces of a length like ours."""
    for document in documents:
        piece = ""
        for block in re.split(r"\n\s*\n", document.strip("\n")):
            if piece and len(piece) + len(block) > LONGEST:
                yield from _kept(piece)
                piece = ""
            piece += block[: 3 * LONGEST] + "\n\n"
        yield from _kept(piece)


def _kept(piece: str) -> Iterator[str]:
    if len(piece) >= SHORTEST:
        yield piece.strip("\n") + "\n"


def _read(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    return data.decode("utf-8", errors="replace")


def _manual(text: str) -> list[str]:
    """Take the typesetting out of a manual page."""
    lines: list[str] = []
    for line in text.split("\n"):
        if line.startswith((".SH", ".SS")):
            lines += ["", line[3:].strip(' "'), ""]
        elif line.startswith((".PP", ".TP", ".IP", ".P", ".LP")):
            lines.append("")
        elif re.match(r"\.(B|I|BR|IR|RB|RI|BI|IB|SM) ", line):
            lines.append(line.split(" ", 1)[1].replace('"', ""))
        elif not line.startswith((".", "'")):
            lines.append(line)
    text = re.sub(r"\\f[A-Z]|\\f\(..|\\&|\\/|\\s-?\d", "", "\n".join(lines))
    return [text.replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\")]


def _fortunes(text: str) -> list[str]:
    # One is too short to stand beside a document: ten together.
    each = text.split("\n%\n")
    return ["\n\n".join(each[n : n + 10]) for n in range(0, len(each), 10)]


def _talks(text: str) -> list[str]:
    said = re.findall(r"^(- -|  -) (.*)$", text, re.MULTILINE)
    talks: list[list[str]] = []
    for mark, words in said:
        if mark == "- -":
            talks.append([])
        if talks:
            talks[-1].append(f"{'AB'[len(talks[-1]) % 2]}: {words}")
    together = ["\n".join(talk) for talk in talks]
    return ["\n\n".join(together[n : n + 10]) for n in range(0, len(together), 10)]


def _screen(text: str) -> list[str]:
    """Take colours and other marks of a terminal out."""
    return [re.sub(r"\x1b\[[\d;]*X", "", text)]


def _as_is(text: str) -> list[str]:
    return [text]


_CLEAN = dict.fromkeys(SOURCES, _as_is) | {
    "multilingual": _manual,
    "creative": _fortunes,
    "conversation": _talks,
    "mathematics": _screen,
}
