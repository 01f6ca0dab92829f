"""Identity of all vocabulary: the data files that documents are made of."""

import hashlib
from functools import cache
from importlib.resources import files

from qmpi.units import Digest


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
