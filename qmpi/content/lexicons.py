"""Identity of all vocabulary: the data files that documents are made of.

Together with the generator's version it decides every text, so whoever makes text again compares
both with what is installed.
"""

import hashlib
from functools import cache
from importlib.resources import files

from qmpi.content.address import GENERATOR_VERSION
from qmpi.units import Digest, brief


@cache
def lexicon_digest() -> Digest:
    """Return the identity of the vocabulary files, part of every document's key.

    Returns:
        SHA-256 over names and bytes of the files, in order of their names.
    """
    state = hashlib.sha256()
    folder = files("qmpi.content") / "data"
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.name.endswith((".zst", ".tsv")):
            state.update(item.name.encode() + b"\0" + hashlib.sha256(item.read_bytes()).digest())
    return Digest(state.hexdigest())


def unlike_installed(generator: str, vocabulary: str) -> str:
    """Say in what another generator differs from the one that is installed here.

    Args:
        generator: its version.
        vocabulary: digest of its vocabulary files.

    Returns:
        As "vocabulary 0a1b2c3d, not 4e5f6a7b"; empty if both are the same.
    """
    here = lexicon_digest()
    apart: list[str] = []
    if generator != GENERATOR_VERSION:
        apart.append(f"generator {generator}, not {GENERATOR_VERSION}")
    if vocabulary != here:
        apart.append(f"vocabulary {brief(Digest(vocabulary))}, not {brief(here)}")
    return "; ".join(apart)
